"""What the tests of coming in share: a brand with other sign-in rules, its rows, its mailed links."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select, update

from portal.config.schema import Tenant
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.settings import ROOT, Settings
from portal.shared.accounts.models import Account, Member
from portal.web import dangling


@pytest.fixture
def sign_in_rules() -> str:
    """More keys of the brands' sign_in table; a test parametrizes it."""
    return ""


@pytest.fixture
def settings(
    database_url: str,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    sign_in_rules: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """The settings of the portal under test, its brands with `sign_in_rules` of their own."""
    text = (ROOT / "tests" / "tenants.toml").read_text(encoding="utf-8")
    usual = 'items = "login_id_password", forgot = "operator"'
    wanted = f"{usual}, {sign_in_rules}" if sign_in_rules else usual
    if "items" in sign_in_rules:
        wanted = sign_in_rules
    file = tmp_path / "tenants.toml"
    file.write_text(text.replace(usual, wanted), encoding="utf-8")
    if "items" in sign_in_rules:
        # The cast signs in with login IDs; a file that locks people out is refused where they are.
        monkeypatch.setattr(dangling, "_locked_out", lambda _tenant: ())
    return make_settings(database_url, home=tmp_path / "home", tenants_file=file)


@pytest.fixture
def brand(app: Flask) -> Callable[[str], Tenant]:
    """A brand's configuration."""
    return lambda key: app.extensions["tenants"].current().by_key[key]


@pytest.fixture
def rows(inside: Callable[[str], Any]) -> Callable[..., list[Any]]:
    """All rows of a model at a brand, oldest first."""

    def read(model: Any, tenant: str = "facility") -> list[Any]:
        with inside(tenant):
            found = list(session().scalars(select(model).order_by(model.id)))
            session().expunge_all()
        return found

    return read


@pytest.fixture
def alter(inside: Callable[[str], Any]) -> Callable[..., None]:
    """Change a member's columns, or with ``account={…}`` those of the account, as an operator would."""

    def write(
        login_id: str,
        tenant: str = "facility",
        *,
        account: dict[str, Any] | None = None,
        **values: Any,
    ) -> None:
        with inside(tenant):
            member = session().scalars(select(Member).where(Member.login_id == login_id)).one()
            if values:
                session().execute(update(Member).where(Member.id == member.id).values(**values))
            if account:
                session().execute(
                    update(Account).where(Account.id == member.account_id).values(**account)
                )
            session().commit()

    return write


@pytest.fixture
def mailed_link(run: FlaskCliRunner, rows: Callable[..., list[Any]]) -> Callable[..., str]:
    """The operator mails a set-password link; returns its path."""

    def ask(who: str = "hanako", tenant: str = "facility") -> str:
        result = run.invoke(
            args=["members", "reset-password", who, "--tenant", tenant, "--operator", "監督"]
        )
        assert result.exit_code == 0, result.output
        found = re.search(r"https?://[^/\s]+(/set-password/\S+)", rows(OutboxMail, tenant)[-1].body)
        assert found
        return found[1]

    return ask


@pytest.fixture
def acts(rows: Callable[..., list[Any]]) -> Callable[..., list[AuditEvent]]:
    """The audit rows about members, newest last."""
    return lambda tenant="facility": [
        e for e in rows(AuditEvent, tenant) if e.action.startswith("member.")
    ]
