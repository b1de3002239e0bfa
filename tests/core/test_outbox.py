"""COM-80: a mail is a row of the transaction that caused it, sent once, kept until it is sent, given up in the open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Status
from portal.core import clock, outbox
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.core.jobs import PAUSES, WorkStatus
from portal.core.outbox import OutboxMail
from tests.cast import CANARY, NOW, PASSWORD, Cast
from tests.support.client import Visitor
from tests.support.raw import superuser

Inside = Callable[[str], Any]


def settle_all() -> None:
    """The cast's own mails are out of the way."""
    session().execute(update(OutboxMail).values(status=WorkStatus.DONE))
    session().commit()


def write(recipient: str = "hanako@one.example", **changes: Any) -> OutboxMail:
    """A mail in the running transaction."""
    values = {"sender": "noreply@facility.example", "sender_name": "試験設備", "subject": "件名"}
    values |= {"body": "本文", "html": "<p>本文</p>"}
    return outbox.enqueue("test", recipient=recipient, **(values | changes))


def waiting() -> list[str]:
    """Whom the waiting mails of the brand in scope are for."""
    found = (
        select(OutboxMail.recipient)
        .where(OutboxMail.status == WorkStatus.WAITING)
        .order_by(OutboxMail.id)
    )
    return list(session().scalars(found))


def stored() -> OutboxMail:
    """The youngest mail as the database has it now."""
    youngest = select(OutboxMail).order_by(OutboxMail.id.desc()).limit(1)
    return session().scalars(youngest.execution_options(populate_existing=True)).one()


@pytest.fixture
def here(inside: Inside) -> Iterator[None]:
    with inside("facility"):
        settle_all()
        yield


class Post:
    """Takes mails in place of a mail server; refuses those for the people in `refused`."""

    def __init__(self, *refused: str) -> None:
        self.refused, self.taken = set(refused), list[str]()

    def __call__(self, mail: OutboxMail) -> None:
        if mail.recipient in self.refused:
            raise ConnectionRefusedError("nobody listens")
        self.taken.append(mail.recipient)


def test_what_is_rolled_back_sends_no_mail(app: Flask, here: None) -> None:
    """The act and its mail are one transaction."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    operations.confirm(tenant, queries.any_reservation(Cast.requested), by=SYSTEM)
    session().flush()
    assert waiting() == ["hanako@one.example"]
    session().rollback()
    assert waiting() == []
    assert queries.any_reservation(Cast.requested).status is Status.REQUESTED
    operations.confirm(tenant, queries.any_reservation(Cast.requested), by=SYSTEM)
    session().commit()
    assert waiting() == ["hanako@one.example"]


def test_a_refused_act_sends_no_mail(run: Any, inside: Inside) -> None:
    """FAC-10: what the table of moves refuses is not mailed; nor is a dry run (OPS-10)."""
    with inside("facility"):
        settle_all()
    brand = ["--tenant", "facility"]
    assert run.invoke(args=["facility", "confirm", Cast.cancelled, *brand]).exit_code == 2
    assert (
        run.invoke(args=["facility", "confirm", Cast.requested, "--dry-run", *brand]).exit_code == 0
    )
    with inside("facility"):
        assert waiting() == []


def test_a_page_that_failed_sends_no_mail(visit: Callable[..., Visitor], inside: Inside) -> None:
    """A wrong old password changes nothing and mails nobody; the right one mails once."""
    member = visit("facility", "hanako")
    with inside("facility"):
        settle_all()
    new = {"password": "blue-Rain-over-31-roofs", "again": "blue-Rain-over-31-roofs"}
    assert (
        member.post("/account/password", {"old_password": "not-this-One-00"} | new).status_code
        == 422
    )
    with inside("facility"):
        assert waiting() == []
    assert member.post("/account/password", {"old_password": PASSWORD} | new).status_code == 303
    with inside("facility"):
        assert waiting() == ["hanako@one.example"]


def test_a_mail_is_sent_once_and_says_when(here: None) -> None:
    post = Post()
    write()
    session().commit()
    assert outbox.deliver(post) == 1
    assert outbox.deliver(post) == 0
    assert post.taken == ["hanako@one.example"]
    mail = stored()
    assert (mail.status, mail.done_at, mail.tries, mail.last_error) == (WorkStatus.DONE, NOW, 1, "")
    assert (mail.done_at or mail.due_at) == NOW


def test_one_failure_never_stops_the_rest(here: None) -> None:
    for name in ("a@x.example", "b@x.example", "c@x.example"):
        write(name)
    session().commit()
    post = Post("b@x.example")
    assert outbox.deliver(post) == 3
    assert post.taken == ["a@x.example", "c@x.example"]
    assert waiting() == ["b@x.example"]


def test_a_failure_is_logged_without_the_readers_address(
    here: None, caplog: pytest.LogCaptureFixture
) -> None:
    """security.md: logs hold no personal data; the row keeps what the server said."""
    write("b@x.example")
    session().commit()
    with caplog.at_level(logging.WARNING):
        outbox.deliver(Post("b@x.example"))
    assert "ConnectionRefusedError" in caplog.text
    assert "b@x.example" not in caplog.text
    mail = stored()
    assert mail.last_error == "ConnectionRefusedError: nobody listens"
    assert (mail.done_at or mail.due_at) == NOW + PAUSES[0]


def test_a_mail_is_tried_at_the_times_of_the_table_then_given_up(here: None) -> None:
    write("b@x.example")
    session().commit()
    mail, at, tried, refusing = stored(), NOW, [], Post("b@x.example")
    for minute in range(60 * 24 * 2):
        at = NOW + timedelta(minutes=minute)
        if mail.status is WorkStatus.WAITING and mail.due_at <= at:
            with clock.freeze(at):
                assert outbox.deliver(refusing) == 1
            tried.append(minute)
            mail = stored()
    assert mail.status is WorkStatus.FAILED
    assert tried == [0, 1, 2, 7, 37, 157, 517, 1237]
    refusing.refused.clear()
    with clock.freeze(at + timedelta(days=30)):
        assert outbox.deliver(refusing) == 0


def test_the_server_is_back_before_the_last_try_and_the_mail_goes(here: None) -> None:
    post = Post("b@x.example")
    write("b@x.example")
    session().commit()
    outbox.deliver(post)
    post.refused.clear()
    assert outbox.deliver(post) == 0
    with clock.freeze(NOW + PAUSES[0]):
        assert outbox.deliver(post) == 1
    mail = stored()
    assert (post.taken, mail.status, mail.last_error) == (["b@x.example"], WorkStatus.DONE, "")


def test_no_more_than_the_limit_is_claimed_at_a_time(here: None) -> None:
    for turn in range(5):
        write(f"r{turn}@x.example")
    session().commit()
    post = Post()
    assert [outbox.deliver(post, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert post.taken == [f"r{turn}@x.example" for turn in range(5)]


def test_a_slow_mail_holds_no_other_back_and_is_settled_by_who_sent_it(here: None) -> None:
    """One mail is claimed at a time: a worker that is slow, not dead, has no claim on the others."""
    for name in ("a@x.example", "b@x.example", "c@x.example"):
        write(name)
    session().commit()
    other, slow = Post(), Post()

    def dawdle(mail: OutboxMail) -> None:
        slow(mail)
        with tenant_scope("facility"):
            outbox.deliver(other)

    assert outbox.deliver(dawdle) == 1
    assert slow.taken == ["a@x.example"]
    assert other.taken == ["b@x.example", "c@x.example"]
    assert waiting() == []


def test_no_transaction_is_open_while_a_mail_is_on_the_wire(here: None) -> None:
    """STYLE 4: another writer is not kept waiting by a slow mail server."""
    write()
    session().commit()

    def send(_mail: OutboxMail) -> None:
        assert not session().in_transaction()

    assert outbox.deliver(send) == 1
    assert waiting() == []


def test_com_02_each_brand_sends_its_own_mail(inside: Inside) -> None:
    """COM-02: the rows of one brand are neither claimed nor listed in another."""
    for key in ("facility", "studio"):
        with inside(key):
            settle_all()
            write(f"reader@{key}.example", subject=CANARY[key])
            session().commit()
    with inside("studio"):
        post = Post()
        assert outbox.deliver(post) == 1
        assert post.taken == ["reader@studio.example"]
        assert CANARY["facility"] not in "".join(mail.subject for mail in outbox.newest())
    with inside("facility"):
        assert waiting() == ["reader@facility.example"]


def test_the_newest_mails_come_first_and_no_more_than_asked_for(here: None) -> None:
    """COM-82"""
    for minute in (1, 3, 2):
        with clock.freeze(NOW + timedelta(minutes=minute)):
            write(subject=f"m{minute}")
    session().commit()
    assert [mail.subject for mail in outbox.newest(2)] == ["m3", "m2"]


def test_a_subject_is_one_line_whatever_was_put_into_it(here: None) -> None:
    """security.md: a line break in a subject would begin a header of the writer's choice."""
    for line_break in ("\n", "\r\n", "\r", "\x0b", "\u2028"):
        written = write(subject=f" 件名{line_break}Bcc: thief@x.example ").subject
        assert written == "件名 Bcc: thief@x.example"


def test_com_81_each_mail_has_an_identity_of_its_own_at_the_brands_domain(here: None) -> None:
    """COM-81: fixed when the mail is stored."""
    ids = {write().message_id for _ in range(20)}
    assert len(ids) == 20
    assert all(id_.startswith("<") and id_.endswith("@facility.example>") for id_ in ids)


def test_a_mail_has_no_headers_of_its_own_unless_it_is_given_some(here: None) -> None:
    """SUP-15: kept with it, and read back as they were."""
    write()
    session().commit()
    assert stored().headers == {}
    mail = write()
    mail.headers = {"List-Unsubscribe": "<https://one.example/x>"}
    session().commit()
    assert stored().headers == {"List-Unsubscribe": "<https://one.example/x>"}


def test_what_a_mail_said_is_gone_once_it_is_sent(here: None) -> None:
    """security.md: a link in it opens an account, and rows end up in backups. Who got what when stays."""
    mail = write(headers={"List-Unsubscribe": "<https://x.example/unfollow/secret>"})
    session().commit()
    assert (stored().body, stored().blanked_at) == ("本文", None)
    assert outbox.deliver(Post()) == 1
    sent = stored()
    assert (sent.body, sent.html, sent.headers) == ("", "", {})
    assert sent.blanked_at == sent.done_at == NOW
    assert (sent.recipient, sent.subject, sent.message_id) == (
        "hanako@one.example",
        "件名",
        mail.message_id,
    )


def test_a_mail_that_was_not_sent_keeps_what_it_says(here: None) -> None:
    """COM-80: until it is."""
    write()
    session().commit()
    outbox.deliver(Post("hanako@one.example"))
    assert (stored().body, stored().blanked_at) == ("本文", None)


def test_the_demo_keeps_what_was_sent(here: None) -> None:
    """COM-82: its mailbox page is where mails are read."""
    write()
    session().commit()
    assert outbox.deliver(Post(), keep_texts=True) == 1
    assert (stored().status, stored().body) == (WorkStatus.DONE, "本文")


def test_a_mail_whose_link_is_dead_is_not_sent(here: None) -> None:
    """COM-15: a link that opens nothing helps nobody; it is told, and its text is gone."""
    write(expires_at=NOW + timedelta(minutes=30))
    session().commit()
    post = Post()
    with clock.freeze(NOW + timedelta(minutes=30)):
        assert outbox.deliver(post) == 1
    assert post.taken == []
    given_up = stored()
    assert (given_up.status, given_up.body) == (WorkStatus.FAILED, "")
    assert "expired" in given_up.last_error


@pytest.mark.parametrize(
    ("lifetime", "after", "is_blanked"),
    [
        (timedelta(days=3), timedelta(days=3), True),
        (timedelta(days=3), timedelta(days=2), False),
        (None, timedelta(days=29), False),
        (None, timedelta(days=31), True),
    ],
)
def test_a_mail_that_was_given_up_is_blanked_when_nobody_can_send_it_again(
    here: None, lifetime: timedelta | None, after: timedelta, is_blanked: bool
) -> None:
    """OPS-14: when its link is dead, or after thirty days."""
    write(status=WorkStatus.FAILED, expires_at=NOW + lifetime if lifetime else None)
    session().commit()
    with clock.freeze(NOW + after):
        assert outbox.blank_unsendable() == int(is_blanked)
        session().commit()
    assert (stored().body == "") is is_blanked


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_of_a_sent_mail_is_left_in_the_databases_file(app: Flask, here: None) -> None:
    """security.md: a copy of the file would hold it; blanked bytes are overwritten."""
    secret = "https://facility.localhost/set-password/" + "s3cr3t" * 9
    path = Path(app.extensions["settings"].database.removeprefix("sqlite:///"))
    write(body=f"{secret}\n" * 200, html=f"<p>{secret}</p>" * 200)
    session().commit()
    _checkpoint(app)
    assert secret.encode() in path.read_bytes()
    assert outbox.deliver(Post()) == 1
    _checkpoint(app)
    assert secret.encode() not in path.read_bytes()


def _checkpoint(app: Flask) -> None:
    """Bring everything from the write-ahead log into the file."""
    session().rollback()
    with superuser(app) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
