"""What the worker asks of a mail server's certificate, before it says anything to it (security.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal import create_app
from portal.core import clock, outbox
from portal.core.db import db, session, tenant_scope
from portal.core.jobs import WorkStatus
from portal.core.outbox import OutboxMail
from portal.settings import Settings, UnsafeSettings
from tests.cast import NOW
from tests.support.certificates import Authority
from tests.support.smtp import SmtpServer


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom the portal trusts."""
    return Authority(tmp_path)


@pytest.fixture
def deliver(
    database_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> Iterator[Callable[..., OutboxMail]]:
    """One mail through the worker to a server; the mail as it stands afterwards."""
    apps: list[Flask] = []

    def run(server: SmtpServer, smtp_ca: Path | None) -> OutboxMail:
        settings = make_settings(
            database_url, home=tmp_path / "home", smtp_url=server.url, smtp_ca=smtp_ca
        )
        app = create_app(settings)
        apps.append(app)
        with clock.freeze(NOW), app.app_context():
            with tenant_scope("facility"):
                session().execute(update(OutboxMail).values(status=WorkStatus.DONE))
                mail = outbox.enqueue(
                    "test",
                    sender="noreply@facility.example",
                    sender_name="試験設備",
                    recipient="hanako@one.example",
                    subject="件名",
                    body="本文",
                    html="<p>本文</p>",
                )
                session().commit()
                mail_id = mail.id
            result = app.test_cli_runner().invoke(args=["worker", "--once"])
            assert result.exit_code == 0, result.output
            with tenant_scope("facility"):
                return session().scalars(select(OutboxMail).where(OutboxMail.id == mail_id)).one()

    yield run
    for app in apps:
        with app.app_context():
            db.engine.dispose()


def test_a_mail_goes_to_a_server_whose_certificate_the_portal_can_check(
    authority: Authority, deliver: Callable[..., OutboxMail]
) -> None:
    """COM-80: PORTAL_SMTP_CA names who may vouch for the mail server."""
    with SmtpServer(tls=authority.server_context("127.0.0.1")) as server:
        mail = deliver(server, authority.file)
        assert [str(one["Subject"]) for one in server.messages].count("件名") == 1
    assert (mail.status, mail.last_error) == ("done", "")


@pytest.mark.parametrize("wrong", ["unknown authority", "other host", "system store"])
def test_nothing_is_said_to_a_server_that_shows_a_wrong_certificate(
    authority: Authority, deliver: Callable[..., OutboxMail], tmp_path: Path, wrong: str
) -> None:
    """COM-80: neither mail nor password; the mail waits, and the reason stands with it."""
    host = "mail.example" if wrong == "other host" else "127.0.0.1"
    trusted: Path | None = authority.file
    if wrong == "unknown authority":
        trusted = Authority(tmp_path, "another").file
    elif wrong == "system store":
        trusted = None
    with SmtpServer(tls=authority.server_context(host)) as server:
        mail = deliver(server, trusted)
        assert server.messages == []
    assert (mail.status, mail.tries) == ("waiting", 1)
    assert "CERTIFICATE_VERIFY_FAILED" in mail.last_error


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_of_authorities_that_is_none_refuses_to_start(
    make_settings: Callable[..., Settings], tmp_path: Path, content: str | None
) -> None:
    """security.md §4.29"""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UnsafeSettings, match="PORTAL_SMTP_CA"):
        make_settings("sqlite://", smtp_ca=file)
