"""COM-80, domain-facts.md: mails at once, once a day or not at all, as each member chooses; security always."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.cli.worker import round_of_work
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared import mailing, notifications
from portal.shared.accounts.models import Member
from portal.shared.notifications import DigestLine, How, Kind
from tests.cast import NOW

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def tenant(app):
    """The facility brand."""
    return app.extensions["tenants"].current().by_key["facility"]


@pytest.fixture
def letters(inside):
    """Subjects of the brand's stored mails of an event, oldest first."""

    def read(event: str) -> list[str]:
        with inside("facility"):
            stored = (
                select(OutboxMail.subject).where(OutboxMail.event == event).order_by(OutboxMail.id)
            )
            return list(session().scalars(stored))

    return read


def hanako() -> Member:
    return session().scalars(select(Member).where(Member.login_id == "hanako")).one()


def choose(inside, **kinds: How) -> None:
    with inside("facility"):
        notifications.choose(hanako(), {Kind(name): how for name, how in kinds.items()}, by=SYSTEM)
        session().commit()


def work(app) -> None:
    with app.app_context():
        round_of_work(tidy=True)


def confirm(inside, tenant, number: str) -> None:
    with inside("facility"):
        operations.confirm(tenant, queries.any_reservation(number), by=SYSTEM)
        session().commit()


@pytest.mark.parametrize(
    ("how", "mails", "lines"), [(How.AT_ONCE, 1, 0), (How.DAILY, 0, 1), (How.OFF, 0, 0)]
)
def test_what_became_of_a_reservation_comes_as_its_contact_chose(
    inside, tenant, cast, letters, how, mails, lines
):
    """COM-80: one mail now, one line for the morning, or nothing."""
    choose(inside, status=how)
    before = len(letters("reservation_status"))
    confirm(inside, tenant, cast.requested)
    assert len(letters("reservation_status")) - before == mails
    with inside("facility"):
        assert session().query(DigestLine).count() == lines


@ONE
def test_kinds_are_chosen_apart(inside, tenant, cast, letters):
    """One kind off leaves the others as they were; what nobody chose comes at once."""
    choose(inside, inquiries=How.OFF)
    with inside("facility"):
        ways = notifications.chosen(hanako())
        assert ways == {
            Kind.STATUS: How.AT_ONCE,
            Kind.REMINDERS: How.AT_ONCE,
            Kind.INQUIRIES: How.OFF,
        }
    confirm(inside, tenant, cast.requested)
    assert "予約確定" in letters("reservation_status")[-1]


@ONE
def test_security_mails_come_whatever_was_chosen(inside, tenant, letters):
    """security.md: nobody who got in can keep the owner from being told."""
    choose(inside, status=How.OFF, reminders=How.OFF, inquiries=How.OFF)
    with inside("facility"):
        mailing.notify(tenant, "password_changed", hanako())
        session().commit()
    assert len(letters("password_changed")) == 1


@ONE
def test_who_is_no_member_gets_it_at_once(inside, tenant, letters):
    """An address that nobody of the account has cannot have chosen anything; nor can another account's member."""
    choose(inside, inquiries=How.OFF)
    with inside("facility"):
        account = hanako().account_id
        inquiry = type("Asked", (), {"number": "IQ1", "name": "客", "label": "他"})
        said: dict[str, Any] = {"inquiry": inquiry, "link": "", "text": ""}
        for address, owner in (("guest@one.example", None), ("hanako@one.example", account + 1)):
            notifications.send(
                tenant, Kind.INQUIRIES, "inquiry_received", address, account_id=owner, **said
            )
        notifications.send(
            tenant,
            Kind.INQUIRIES,
            "inquiry_received",
            "hanako@one.example",
            account_id=account,
            **said,
        )
        session().commit()
    assert len(letters("inquiry_received")) == 2


def test_the_morning_brings_one_mail_with_all_that_waited(app, inside, tenant, cast, letters):
    """Before eight nothing; at eight one mail with each line once; what comes later waits a day."""
    choose(inside, status=How.DAILY)
    confirm(inside, tenant, cast.requested)
    with inside("facility"):
        reservation = queries.any_reservation(cast.requested)
        operations.LIFE.notify(tenant, reservation, "二通目", subject="お知らせ")
        session().commit()
    with clock.freeze(clock.local(2026, 11, 24, 7, 59)):
        work(app)
    assert letters("digest") == []
    with clock.freeze(clock.local(2026, 11, 24, 8)):
        work(app)
        work(app)
        assert letters("digest") == ["【試験設備】本日のお知らせ（2件）"]
        with inside("facility"):
            body = (
                session().scalars(select(OutboxMail.body).where(OutboxMail.event == "digest")).one()
            )
            assert body.count(f"（{cast.requested}）\nhttp") == 2
            operations.LIFE.notify(
                tenant, queries.any_reservation(cast.requested), "三通目", subject="お知らせ"
            )
            session().commit()
        work(app)
    assert len(letters("digest")) == 1
    with clock.freeze(NOW + timedelta(days=2)):
        work(app)
    assert len(letters("digest")) == 2


@ONE
def test_who_is_locked_or_gone_is_not_mailed_in_the_morning(inside, tenant, cast, run, letters):
    """COM-15: the lines go, nobody is told."""
    choose(inside, status=How.DAILY)
    confirm(inside, tenant, cast.requested)
    assert run.invoke(args=["members", "lock", "hanako", "--tenant", "facility"]).exit_code == 0
    with clock.freeze(NOW + timedelta(days=1)), inside("facility"):
        assert notifications.mail_digests(tenant) == 0
        session().commit()
        assert session().query(DigestLine).count() == 0


@ONE
def test_the_page_shows_and_takes_the_choice(inside, visit):
    """COM-22, COM-90: what is chosen is marked, saved, audited with before and after; what is no choice is refused."""
    page = visit("facility", "hanako")
    shown = page.get("/account/mail").text
    assert shown.count(" checked") == 3
    typed = {"status": "daily", "reminders": "off", "inquiries": "at_once"}
    assert page.post("/account/mail", typed).location == "/account/mail"
    with inside("facility"):
        assert hanako().mail_choices == typed
        event = (
            session()
            .scalars(select(AuditEvent).where(AuditEvent.action == "member.choose_mail"))
            .one()
        )
        assert event.changes == {"status": ["at_once", "daily"], "reminders": ["at_once", "off"]}
    assert page.post("/account/mail", typed | {"status": "hourly"}).status_code == 422
    assert re.search(r'<input[^>]*checked[^>]*value="daily"', page.get("/account/mail").text)
