"""COM-80: `flask worker` and `flask mail` with a real mail server that takes, refuses, is silent or is away."""

from __future__ import annotations

import importlib
import json
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select, update

from portal import create_app
from portal.core import clock, jobs, outbox
from portal.core.audit import AuditEvent
from portal.core.db import db, session, tenant_scope
from portal.core.jobs import PAUSES, WorkStatus
from portal.core.outbox import OutboxMail
from portal.settings import ROOT, Settings
from portal.shared import drafts
from portal.shared.accounts.models import Member
from portal.shared.auth import throttling
from portal.shared.auth.models import OneTimeLink, Throttle
from portal.shared.drafts import Draft
from tests.cast import NOW, PASSWORD, Cast
from tests.races.processes import environment
from tests.support.job_kinds import job_kind
from tests.support.smtp import SmtpServer

worker = importlib.import_module("portal.cli.worker")  # the package's own name is the command
BRAND = ["--tenant", "facility"]


class Picky(SmtpServer):
    """Refuses recipients in `unknown` for good, and hangs up after each mail when `rude`."""

    unknown: frozenset[str] = frozenset()
    rude = False

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.unknown:
            return "550 no such person here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_QUIT(self, server: Any, _session: Any, _envelope: Any) -> str:
        if self.rude:
            server.transport.abort()
        return "221 Bye"


@pytest.fixture
def smtp() -> Iterator[Picky]:
    with Picky() as server:
        yield server


@pytest.fixture
def settings(
    database_url: str, make_settings: Callable[..., Settings], tmp_path: Path, smtp: Picky
) -> Settings:
    return make_settings(database_url, home=tmp_path / "home", smtp_url=smtp.url)


@pytest.fixture(autouse=True)
def _only_our_mail(app: Flask) -> None:
    with app.app_context():
        for key in ("facility", "studio"):
            with tenant_scope(key):
                session().execute(update(OutboxMail).values(status=WorkStatus.DONE))
                session().commit()


@pytest.fixture
def once(run: FlaskCliRunner) -> Callable[..., None]:
    """One round of `flask worker`, some time after `NOW`."""

    def work(after: timedelta = timedelta(0)) -> None:
        with clock.freeze(NOW + after):
            result = run.invoke(args=["worker", "--once"])
        assert (result.exit_code, result.output) == (0, "")

    return work


@pytest.fixture
def say(run: FlaskCliRunner) -> Callable[..., str]:
    """What a command prints."""

    def command(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=[*words, *BRAND])
        assert result.exit_code == expect, result.output
        return str(result.output)

    return command


@pytest.fixture
def write(inside: Callable[[str], Any]) -> Callable[..., int]:
    def store(recipient: str = "hanako@one.example", key: str = "facility", **changes: Any) -> int:
        values: dict[str, Any] = {
            "sender": f"noreply@{key}.example",
            "sender_name": "試験設備",
            "subject": "件名",
            "body": "本文",
            "html": "<p>本文</p>",
        }
        with inside(key):
            mail = outbox.enqueue("test", recipient=recipient, **(values | changes))
            session().flush()
            mail_id = mail.id
            session().commit()
        return mail_id

    return store


@pytest.fixture
def mails(say: Callable[..., str]) -> Callable[..., list[dict[str, Any]]]:
    """The mails as `flask mail list --json` tells them."""
    return lambda *words: json.loads(say("mail", "list", "--json", *words))


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content())


def test_com_81_a_mail_is_japanese_text_and_html_from_the_brands_address(
    say: Callable[..., str], once: Callable[..., None], smtp: Picky, inside: Callable[[str], Any]
) -> None:
    """COM-81: what a mail reader needs is in its headers; both bodies say the same."""
    say("facility", "confirm", Cast.requested)
    once()
    (mail,) = smtp.wait_for(1)
    assert smtp.recipients == [["hanako@one.example"]]
    assert mail["To"] == "hanako@one.example"
    assert parseaddr(str(mail["From"])) == ("試験設備", "noreply@facility.example")
    assert mail["Subject"] == "【試験設備】ご予約確定のお知らせ（FR000001）"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    with inside("facility"):
        assert mail["Message-ID"] == outbox.newest(1)[0].message_id
    plain, html = part(mail, "plain"), part(mail, "html")
    for body in (plain, html):
        assert "ご予約が確定しました。" in body
        assert "FR000001" in body
        assert "03-0000-0001" in body
    assert "<" not in plain
    wire = mail.as_bytes()
    assert wire.isascii()
    assert max(map(len, wire.splitlines())) <= 998
    assert {p.get_content_charset() for p in mail.walk() if p.get_content_maintype() == "text"} == {
        "utf-8"
    }


def test_com_81_no_mail_ever_holds_a_password(
    say: Callable[..., str], visit: Callable[..., Any], once: Callable[..., None], smtp: Picky
) -> None:
    """COM-81: neither a new one nor an old one, nor what is kept of it."""
    new = "blue-Rain-over-31-roofs"
    form = {"old_password": PASSWORD, "password": new, "again": new}
    assert visit("facility", "hanako").post("/account/password", form).status_code == 303
    say("members", "reset-password", "kenichi")
    once()
    for mail in smtp.wait_for(2):
        text = str(mail) + part(mail, "plain") + part(mail, "html")
        assert all(secret not in text for secret in (PASSWORD, new, "argon2"))


def test_com_81_a_one_time_link_is_hashed_at_rest_expires_and_works_once(
    say: Callable[..., str],
    once: Callable[..., None],
    smtp: Picky,
    visit: Callable[..., Any],
    inside: Callable[[str], Any],
) -> None:
    """COM-81: only the mail has the link; the newest one lives, until it is used or three days have passed."""
    say("members", "reset-password", "hanako")
    say("members", "reset-password", "hanako")
    say("members", "reset-password", "kenichi")
    once()
    first, second, expired = (
        re.findall(r"http://facility\.localhost(/set-password/(\S+))", part(mail, "plain"))[0]
        for mail in smtp.wait_for(3)
    )
    with inside("facility"):
        kept = session().scalars(select(OneTimeLink.token_digest)).all()
    assert len(kept) == 3
    assert not {token for _path, token in (first, second, expired)} & set(kept)
    reader = visit("facility")
    new = {"password": "blue-Rain-over-31-roofs", "again": "blue-Rain-over-31-roofs"}
    assert reader.get(first[0]).status_code == 422
    assert reader.post(second[0], new).status_code == 303
    assert reader.get(second[0]).status_code == 422
    with clock.freeze(NOW + timedelta(days=3) - timedelta(seconds=1)):
        assert visit("facility").get(expired[0]).status_code == 200
    with clock.freeze(NOW + timedelta(days=3)):
        assert visit("facility").get(expired[0]).status_code == 422


def test_com_81_any_brands_name_and_any_long_line_arrive_whole(app: Flask, smtp: Picky) -> None:
    """COM-81: signs that mean something in a From line are part of the name; no line is too long for the wire."""
    names = ["試験, 設備", 'A "B" C', "設備 (本店)", "a@b", "Plain", "back\\slash; x"]
    for name in names:
        mail = OutboxMail(
            sender="noreply@facility.example",
            sender_name=name,
            recipient="hanako@one.example",
            subject="長い件名です。" * 20,
            body="長" * 2000,
            html=f"<p>{'長' * 2000}</p>",
            message_id="<1@facility.example>",
            created_at=NOW,
        )
        with app.app_context():
            worker.send(mail)
    for name, sent in zip(names, smtp.wait_for(len(names)), strict=True):
        (sender,) = sent["From"].addresses
        assert (sender.display_name, sender.addr_spec) == (name, "noreply@facility.example")
        assert sent["Subject"] == "長い件名です。" * 20
        assert part(sent, "plain").strip() == "長" * 2000
        assert max(map(len, sent.as_bytes().splitlines())) <= 998


def test_a_mail_waits_while_the_server_is_away_and_goes_with_the_same_identity_when_it_is_back(
    write: Callable[..., int],
    once: Callable[..., None],
    smtp: Picky,
    mails: Callable[..., list[Any]],
) -> None:
    write()
    smtp.answer = "451 come back later"
    once()
    assert (mails()[0]["status"], mails()[0]["tries"]) == ("waiting", 1)
    assert "451" in mails()[0]["error"]
    smtp.stop()
    once(PAUSES[0])
    assert (mails()[0]["status"], mails()[0]["tries"]) == ("waiting", 2)
    assert "refused" in mails()[0]["error"].lower()
    smtp.answer = "250 OK"
    smtp.start()
    once(PAUSES[0] + PAUSES[1] - timedelta(seconds=1))
    assert smtp.messages == []
    once(PAUSES[0] + PAUSES[1])
    assert len(smtp.wait_for(1)) == 1
    told = mails()[0]
    assert (told["status"], told["tries"], told["error"]) == ("done", 3, "")


def test_a_refused_recipient_is_told_given_up_at_last_and_sent_again_on_request(
    write: Callable[..., int],
    once: Callable[..., None],
    smtp: Picky,
    say: Callable[..., str],
    mails: Callable[..., list[Any]],
    inside: Callable[[str], Any],
) -> None:
    """OPS-14: listed for operators, who can send it again; COM-90: on the record."""
    smtp.unknown = frozenset({"gone@one.example"})
    lost, after = write("gone@one.example"), timedelta(0)
    write("hanako@one.example")
    for pause in (*PAUSES, PAUSES[-1], PAUSES[-1]):
        once(after)
        after += pause
    assert smtp.recipients == [["hanako@one.example"]]
    (told,) = mails("--status", "failed")
    assert (told["id"], told["to"], told["tries"]) == (lost, "gone@one.example", len(PAUSES) + 1)
    assert "no such person here" in told["error"]
    assert "gone@one" in say("mail", "list", "--status", "failed")
    assert "gone@one" not in say("mail", "list", "--status", "done")

    smtp.unknown = frozenset()
    say("mail", "retry", str(lost), "--dry-run")
    assert len(mails("--status", "failed")) == 1
    assert str(lost) in say("mail", "retry", str(lost))
    assert mails("--status", "failed") == []
    once(after)
    smtp.wait_for(2)
    assert smtp.recipients[1] == ["gone@one.example"]
    with inside("facility"):
        events = select(func.count(AuditEvent.id)).where(AuditEvent.action == "mail.retry")
        assert session().scalar(events) == 1


def test_com_02_a_mail_of_another_brand_is_neither_listed_nor_sent_again(
    write: Callable[..., int], say: Callable[..., str], mails: Callable[..., list[Any]]
) -> None:
    """COM-02"""
    theirs = write("reader@studio.example", key="studio")
    assert "reader@studio.example" not in {mail["to"] for mail in mails()}
    assert len(say("mail", "retry", str(theirs), expect=2).strip().splitlines()) == 1


def test_a_server_that_hangs_up_after_taking_a_mail_gets_it_once(
    write: Callable[..., int],
    once: Callable[..., None],
    smtp: Picky,
    mails: Callable[..., list[Any]],
) -> None:
    write()
    smtp.rude = True
    once()
    once(PAUSES[0])
    assert len(smtp.messages) == 1
    assert mails()[0]["status"] == "done"


def test_a_silent_server_does_not_hold_up_the_worker(
    app: Flask,
    write: Callable[..., int],
    once: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    mails: Any,
) -> None:
    monkeypatch.setattr(worker, "ANSWER_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(app.extensions["mail"], "port", silent.getsockname()[1])
        write()
        once()
    assert "timed out" in mails()[0]["error"]
    assert socket.getdefaulttimeout() is None


def test_every_brand_is_worked_for_and_one_brands_trouble_never_stops_the_others(
    write: Callable[..., int],
    once: Callable[..., None],
    smtp: Picky,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for key in ("facility", "studio"):
        write(f"reader@{key}.example", key=key)
    real = worker.jobs.run_due

    def run_due(**options: Any) -> int:
        if session().tenant == "facility":
            raise OSError("disk full")
        return real(**options)

    monkeypatch.setattr(worker.jobs, "run_due", run_due)
    once()
    assert sorted(to for (to,) in smtp.recipients) == [
        "reader@facility.example",
        "reader@studio.example",
    ]
    assert {str(m["From"].addresses[0].domain) for m in smtp.messages} == {
        "facility.example",
        "studio.example",
    }
    assert "worker round for facility failed" in caplog.text


def test_com_82_the_demo_without_a_mail_server_delivers_to_its_mailbox(
    database_url: str,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    write: Callable[..., int],
    mails: Any,
    inside: Callable[[str], Any],
) -> None:
    """COM-82: nothing leaves the machine, and what was mailed stays readable there."""
    mail_id = write()
    demo = create_app(make_settings(database_url, home=tmp_path / "demo", demo=True))
    assert demo.test_cli_runner().invoke(args=["worker", "--once"]).exit_code == 0
    with demo.app_context():
        db.engine.dispose()
    assert (mails()[0]["status"], mails()[0]["error"]) == ("done", "")
    with inside("facility"):
        assert session().get_one(OutboxMail, mail_id).body == "本文"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_told_to_stop_ends_cleanly_and_soon(
    settings: Settings,
    smtp: Picky,
    inside: Callable[[str], Any],
    write: Callable[..., int],
    number: signal.Signals,
) -> None:
    """It goes on until it is told; what it has begun is settled."""
    with clock.freeze(datetime.now(clock.TOKYO)):
        write()
    env = environment(settings, PORTAL_SMTP_URL=smtp.url)
    command = [str(ROOT / ".venv" / "bin" / "flask"), "worker", "--pause", "30"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    killer = threading.Timer(15, process.kill)
    killer.start()
    try:
        smtp.wait_for(1)
        assert process.poll() is None
        process.send_signal(number)
        _out, said = process.communicate(timeout=5)
    finally:
        killer.cancel()
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    with inside("facility"):
        assert (
            session().scalar(
                select(func.count(OutboxMail.id)).where(OutboxMail.status == "waiting")
            )
            == 0
        )


def test_the_worker_removes_what_is_past_its_time(app: Flask, cast: Cast, inside) -> None:
    """security.md §4.5, COM-22: drafts hold personal data, and tries say who came from where."""
    with inside("facility"):
        hanako = (
            session().scalars(select(Member).where(Member.login_id == cast.representative)).one().id
        )
        key = drafts.DraftKey(kind="profile", subject="hanako", member_id=hanako)
        drafts.keep(key, {"family_name": "古"})
        throttling.count("sign-in", "somebody", limit=9, window=timedelta(minutes=5))
        session().commit()
    for days, left in ((0, 1), (2, 0)):
        with clock.freeze(NOW + timedelta(days=days)), app.app_context():
            worker.round_of_work(tidy=True)
        with inside("facility"):
            counts = [
                session().scalar(select(func.count()).select_from(kind))
                for kind in (Draft, Throttle)
            ]
        assert counts == [left, left]


def test_headers_of_a_mail_go_with_it_whole(write, once, smtp: Picky, inside) -> None:
    """SUP-15, RFC 8058: a long address is neither folded nor encoded, or mail programs would not know it."""
    stop = f"<https://a-long-name-of-a-brand.example.jp/knowledge/unfollow/123456-KB000123-{'0123456789abcdef' * 4}>"
    mail_id = write(subject="長い件名" * 20, sender_name="名前の長い設備の予約窓口" * 5)
    with inside("facility"):
        one_click = {
            "List-Unsubscribe": stop,
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        session().get_one(OutboxMail, mail_id).headers = one_click
        session().commit()
    once()
    (mail,) = smtp.wait_for(1)
    assert (mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"]) == (
        stop,
        "List-Unsubscribe=One-Click",
    )
    as_it_came = dict(mail.raw_items())
    assert as_it_came["List-Unsubscribe"] == stop
    words = re.findall(r"=\?\S+?\?=", f"{as_it_came['Subject']} {as_it_came['From']}")
    assert max(map(len, words)) <= 76
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_worker_of_one_kind_does_nothing_else(
    app: Flask,
    run: FlaskCliRunner,
    write: Callable[..., int],
    smtp: Picky,
    inside: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """COM-80: neither mail nor what is done once in a while."""
    tidied: list[object] = []
    monkeypatch.setattr(worker, "_upkeep", tidied.append)
    done: list[str] = []
    write()
    with (
        job_kind(app, "test.one", lambda _payload: done.append("one")),
        job_kind(app, "test.two", lambda _payload: done.append("two")),
    ):
        with inside("facility"):
            for kind in ("test.one", "test.two"):
                jobs.enqueue(kind, {})
            session().commit()
        assert run.invoke(args=["worker", "--once", "--kind", "test.two"]).exit_code == 0
        assert (done, smtp.messages, tidied) == (["two"], [], [])
        kinds = ["--kind", "test.one", "--kind", "mail"]
        assert run.invoke(args=["worker", "--once", *kinds]).exit_code == 0
    assert (done, len(smtp.messages), tidied) == (["two", "one"], 1, [])
    assert run.invoke(args=["worker", "--once"]).exit_code == 0
    assert tidied


def test_a_kind_that_nobody_does_is_refused_with_those_that_there_are(run: FlaskCliRunner) -> None:
    """OPS-10: a worker for it would wait for ever."""
    refused = run.invoke(args=["worker", "--once", "--kind", "documents.drew"])
    assert refused.exit_code == 2
    assert "documents.draw" in refused.stderr
    assert "mail" in refused.stderr
