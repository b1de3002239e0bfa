"""`flask mail`: what waits, what failed, sending again (OPS-14)."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from sqlalchemy import select

from portal import create_app
from portal.core import clock, outbox
from portal.core.db import db, session
from portal.core.jobs import WorkStatus
from portal.core.outbox import OutboxMail
from portal.shared.auth import links
from tests.cast import NOW
from tests.support.smtp import SmtpServer

KEYS = ["id", "at", "status", "tries", "to", "subject", "error"]


@pytest.fixture
def do(run):
    """Run a command of `flask mail` at the facility brand."""

    def command(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=["mail", *words, "--tenant", "facility", "--operator", "監督"])
        assert result.exit_code == expect, result.output
        assert "Traceback" not in result.output
        return str(result.output)

    return command


@pytest.fixture
def given_up(inside) -> int:
    """The id of a mail that was tried too often."""
    with inside("facility"):
        mail = session().scalars(select(OutboxMail).order_by(OutboxMail.id)).first()
        assert mail is not None
        mail.status, mail.tries, mail.last_error = (
            WorkStatus.FAILED,
            8,
            "SMTPServerDisconnected: 切断",
        )
        session().commit()
        return int(mail.id)


def test_list_shows_the_newest_mails_of_this_brand_first(do) -> None:
    """OPS-10, OPS-14, COM-02."""
    found = json.loads(do("list", "--json"))
    assert {tuple(row) for row in found} == {tuple(KEYS)}
    assert [row["id"] for row in found] == sorted((row["id"] for row in found), reverse=True)
    assert {row["status"] for row in found} == {"waiting"}
    assert {row["to"] for row in found} == {"hanako@one.example", "yumi@two.example"}
    assert any("（FR000001）" in row["subject"] for row in found)
    assert not any("SR000001" in row["subject"] for row in found)
    assert "hanako@one" in do("list")


def test_list_gives_tokyo_time(do) -> None:
    """The cast's mails are of 14 October, 10:00 in Tokyo, 1:00 in UTC."""
    assert {row["at"] for row in json.loads(do("list", "--json"))} == {"10-14 10:00"}


def test_list_shows_only_what_is_asked_for_and_at_most_so_many(do, given_up) -> None:
    """OPS-14."""
    failed = json.loads(do("list", "--status", "failed", "--json"))
    assert [(row["id"], row["tries"], row["error"]) for row in failed] == [
        (given_up, 8, "SMTPServerDisconnected: 切断")
    ]
    assert given_up not in [
        row["id"] for row in json.loads(do("list", "--status", "waiting", "--json"))
    ]
    assert do("list", "--status", "done", "--json") == "[]\n"
    assert len(json.loads(do("list", "--limit", "2", "--json"))) == 2
    assert "'waiting', 'done', 'failed'" in do("list", "--status", "lost", expect=2)


def test_retry_gives_a_failed_mail_all_its_tries_again_at_once(do, given_up, inside) -> None:
    """OPS-14."""
    assert do("retry", str(given_up)) == f"mail {given_up} will be sent again\n"
    with inside("facility"):
        mail = session().get_one(OutboxMail, given_up)
        assert (mail.status, mail.tries, mail.due_at) == (WorkStatus.WAITING, 0, NOW)


def test_a_mail_that_is_not_there_is_a_mistake(do) -> None:
    """OPS-10: exit code 2, whatever a database would make of the number."""
    assert do("retry", "999999", expect=2) == "Error: no mail 999999\n"
    for wanted in ("0", "9223372036854775808", "x", "1.5"):
        assert "Invalid value for 'MAIL_ID'" in do("retry", wanted, expect=2)


def test_a_mail_of_another_brand_is_not_there(run, given_up) -> None:
    """COM-02."""
    result = run.invoke(args=["mail", "retry", str(given_up), "--tenant", "shop"])
    assert (result.exit_code, result.output) == (2, f"Error: no mail {given_up}\n")


def test_a_refused_mail_is_seen_by_its_reason_and_arrives_after_a_retry(
    settings, cheap_passwords
) -> None:
    """OPS-14, COM-80: through a real mail server that first says no."""
    with SmtpServer() as server:
        app = create_app(replace(settings, smtp_url=server.url))
        run = app.test_cli_runner().invoke
        with clock.freeze(NOW):
            run(args=["members", "reset-password", "kenichi", "--tenant", "facility"])
            server.answer = "554 refused"
            run(args=["worker", "--once"])
            newest = ["mail", "list", "--limit", "1", "--tenant", "facility", "--json"]
            row = json.loads(run(args=newest).stdout)[0]
            assert (row["to"], row["status"], row["tries"]) == ("kenichi@one.example", "waiting", 1)
            assert "554" in row["error"]
            server.answer = "250 OK"
            run(args=["worker", "--once"])
            assert server.messages == []
            run(args=["mail", "retry", str(row["id"]), "--tenant", "facility"])
            run(args=["worker", "--once"])
            row = json.loads(run(args=newest).stdout)[0]
            assert (row["status"], row["error"]) == ("done", "")
        assert [[str(to) for to in who] for who in server.recipients] == [["kenichi@one.example"]]
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def test_show_tells_of_a_mail_and_gives_no_link_away(do, inside) -> None:
    """OPS-14: who opens a mailed link acts for its reader."""
    with inside("facility"):
        mail = session().scalars(select(OutboxMail).order_by(OutboxMail.id)).first()
        assert mail is not None
        mail.body = (
            "こちらから設定してください。\nhttps://facility.example/set-password/secret\x1b[2J"
        )
        session().commit()
        mail_id = mail.id
    told = do("show", str(mail_id))
    assert "hanako@one.example" in told
    assert "こちらから設定してください。\n(address left out)" in told
    assert "secret" not in told
    assert "\x1b" not in told
    assert do("show", "999999", expect=2) == "Error: no mail 999999\n"


def test_a_sent_mail_says_that_its_text_is_gone_and_cannot_be_sent_again(do, inside) -> None:
    """OPS-14, security.md: subject, recipient and time stay."""
    with inside("facility"):
        mail = session().scalars(select(OutboxMail).order_by(OutboxMail.id)).first()
        assert mail is not None
        mail.status = WorkStatus.DONE
        mail.done_at = NOW
        outbox.blank(mail)
        session().commit()
        mail_id = mail.id
    told = do("show", str(mail_id))
    assert "the text is not kept" in told
    assert "FR000001" in told
    refused = do("retry", str(mail_id), expect=2)
    assert refused.startswith("Error: このメールの本文は保存されていないため、再送できません")


@pytest.mark.parametrize("state", [WorkStatus.WAITING, WorkStatus.FAILED, WorkStatus.DONE])
def test_a_mail_with_a_link_is_sent_again_with_a_new_link(run, do, inside, state) -> None:
    """OPS-14, COM-15: whatever became of the first; the link in it dies."""
    run.invoke(args=["members", "reset-password", "kenichi", "--tenant", "facility"])
    with inside("facility"):
        newest = select(OutboxMail).order_by(OutboxMail.id.desc()).limit(1)
        mail = session().scalars(newest).one()
        first = re.findall(r"/set-password/(\S+)", mail.body)[0]
        mail.status = state
        if state is WorkStatus.DONE:
            outbox.blank(mail)
        session().commit()
        mail_id = mail.id
    assert do("retry", str(mail_id)) == (
        "a new mail with a new link will be sent to kenichi@one.example\n"
    )
    with inside("facility"):
        old = session().get_one(OutboxMail, mail_id)
        assert (old.body, old.status == WorkStatus.WAITING) == ("", False)
        again = session().scalars(newest).one()
        assert (again.event, again.recipient) == ("set_password", "kenichi@one.example")
        second = re.findall(r"/set-password/(\S+)", again.body)[0]
        with pytest.raises(links.DeadLink):
            links.peek(first, links.Purpose.SET_PASSWORD)
        assert links.peek(second, links.Purpose.SET_PASSWORD).used_at is None


def test_a_link_is_not_sent_again_to_who_may_not_sign_in(run, do, inside) -> None:
    """COM-15: a locked member's mail stays as it is."""
    run.invoke(args=["members", "reset-password", "kenichi", "--tenant", "facility"])
    run.invoke(args=["members", "lock", "kenichi", "--reason", "紛失", "--tenant", "facility"])
    with inside("facility"):
        newest = select(OutboxMail).order_by(OutboxMail.id.desc())
        mail_id = session().scalars(newest.where(OutboxMail.event == "set_password")).all()[0].id
    do("retry", str(mail_id), expect=2)
