"""What is owed by either side stands where operators look, and what is due is issued by itself (FAC-04, FAC-12)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from portal.blueprints.facility import booking, operations, queries
from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.cli.worker import round_of_work
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.shared.billing.lines import BillLine
from portal.shared.documents.models import Document
from portal.web.document_views import BEING_DRAWN, LATE, NOT_ISSUED
from tests.cast import NOW

START = clock.local(2026, 12, 10, 13)
Do = Callable[..., Result]
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def tenant(app: Flask) -> Tenant:
    """The facility brand."""
    found: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return found


@pytest.fixture
def do(run) -> Do:
    """Run a command of the facility brand."""

    def command(*words: str) -> Result:
        result: Result = run.invoke(args=["facility", *words, "--tenant", "facility"])
        return result

    return command


@pytest.fixture
def number(inside, tenant, cast) -> str:
    """The requested reservation, moved to 10 December, 13 to 16, and confirmed."""
    with inside("facility"):
        found = queries.any_reservation(cast.requested)
        booking.reschedule(tenant, found, START, START + timedelta(hours=3), by=SYSTEM)
        operations.confirm(tenant, found, by=SYSTEM)
        session().commit()
    return str(cast.requested)


def work(app: Flask, at: Any) -> None:
    """What the worker does from time to time, twice: issuing, then drawing what was issued."""
    for turn in range(2):
        with clock.freeze(at + timedelta(minutes=turn)), app.app_context():
            round_of_work(tidy=True)


def issued(inside, number: str) -> list[str]:
    with inside("facility"):
        found = session().scalars(select(Document).where(Document.about == number))
        return sorted(document.kind.value for document in found)


def test_what_is_due_is_issued_by_the_worker(app, inside, tenant, visit, number):
    """FAC-04: invoice and report once the amount is fixed, the receipt once it is paid; then nothing is due."""
    page = visit("facility", "hanako")
    path = f"/facility/reservations/{number}"
    with inside("facility"), clock.freeze(START):
        found = queries.any_reservation(number)
        operations.start(tenant, found, by=SYSTEM)
        operations.finish(tenant, found, operations.WorkReport("切削", "大森"), by=SYSTEM)
        operations.fix_amount(tenant, found, [BillLine("利用料", 3, "時間", 4500, 10)], by=SYSTEM)
        session().commit()
    assert issued(inside, number) == []
    with clock.freeze(START):
        page = visit("facility", "hanako")
        assert page.get(path).text.count(BEING_DRAWN) == 2
    work(app, START)
    assert issued(inside, number) == ["invoice", "work_report"]
    assert page.get(f"{path}/invoice.pdf").mimetype == "application/pdf"
    with inside("facility"), clock.freeze(START + timedelta(days=9)):
        operations.record_payment(tenant, queries.any_reservation(number), by=SYSTEM)
        session().commit()
    work(app, START + timedelta(days=9))
    assert issued(inside, number) == ["invoice", "receipt", "work_report"]
    assert BEING_DRAWN not in page.get(path).text
    with inside("facility"):
        due = select(Reservation.number).where(Reservation.documents_due_at.is_not(None))
        assert number not in session().scalars(due).all()


def test_a_cancellation_charge_is_invoiced_by_the_worker(app, inside, tenant, number):
    """FAC-04, FAC-05."""
    with inside("facility"):
        operations.cancel(tenant, queries.any_reservation(number), by=SYSTEM, charge=4500)
        session().commit()
    work(app, NOW)
    assert issued(inside, number) == ["invoice"]


@ONE
def test_one_that_cannot_be_issued_does_not_hold_up_the_others(app, inside, tenant, number, cast):
    """FAC-04: it stays due, and operators see it in their list."""
    with inside("facility"):
        operations.cancel(tenant, queries.any_reservation(number), by=SYSTEM, charge=4500)
        broken = queries.any_reservation(cast.billed)
        broken.billed_at = None  # as if an earlier system had billed it
        broken.documents_due_at = NOW - timedelta(days=9)
        session().commit()
    work(app, NOW)
    assert issued(inside, number) == ["invoice"]
    with inside("facility"):
        assert queries.any_reservation(cast.billed).documents_due_at is not None


@ONE
def test_the_page_says_what_a_document_waits_for(visit, inside, cast):
    """FAC-04: soon, longer than usual, never issued, or from a system before this one."""
    page = visit("facility", "hanako")

    def shown() -> str:
        return page.get(f"/facility/reservations/{cast.billed}").text

    states = (
        (NOW - timedelta(hours=1), BEING_DRAWN),
        (NOW - timedelta(days=2), LATE),
        (None, NOT_ISSUED),
    )
    for due_at, message in states:
        with inside("facility"):
            queries.any_reservation(cast.billed).documents_due_at = due_at
            session().commit()
        assert shown().count(message) == 2
    with inside("facility"):
        queries.any_reservation(cast.billed).billed_at = None
        session().commit()
    assert shown().count(operations.NOT_FROM_HERE) == 3


@ONE
def test_what_no_font_draws_is_refused_when_the_amount_is_fixed(inside, tenant, number):
    """COM-70: at once, while the operator is there; nothing is changed."""
    with inside("facility"), clock.freeze(START):
        found = queries.any_reservation(number)
        operations.start(tenant, found, by=SYSTEM)
        operations.finish(tenant, found, operations.WorkReport("切削", "大森"), by=SYSTEM)
        session().commit()
        with pytest.raises(RuleBroken):
            operations.fix_amount(tenant, found, [BillLine("𓀀", 3, "時間", 4500, 10)], by=SYSTEM)
        session().rollback()
        assert queries.any_reservation(number).status is Status.USED


def test_what_is_owed_stands_in_the_list_until_it_is_paid_and_issued(do, inside, tenant, number):
    """FAC-12: a cancellation awaits somebody while its charge is unpaid or its invoice not issued."""

    def listed() -> dict[str, dict[str, Any]]:
        return {row["number"]: row for row in json.loads(do("list", "--json").stdout)}

    with inside("facility"):
        operations.cancel(tenant, queries.any_reservation(number), by=SYSTEM, charge=4500)
        session().commit()
    row = listed()[number]
    assert (row["status"], row["owed"], row["issue"]) == ("キャンセル", 4500, "due")
    assert do("issue", number).exit_code == 0
    row = listed()[number]
    assert (row["owed"], row["issue"]) == (4500, "")
    assert do("pay", number).exit_code == 0
    row = listed()[number]
    assert (row["owed"], row["issue"]) == (None, "due")
    assert do("issue", number).exit_code == 0
    assert number not in listed()


def test_a_use_begins_before_its_day_only_for_a_reason(do, inside, number):
    """FAC-10, FAC-12: refused nine days early; with --even-so both refusal and reason stand in the trail."""
    with clock.freeze(START - timedelta(days=9)):
        refused = do("start", number)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "ご利用日より前に開始することはできません。" in refused.stderr
        assert do("start", number, "--even-so", "機械の試運転を兼ねる").exit_code == 0
    with inside("facility"):
        assert queries.any_reservation(number).status is Status.IN_USE
        trail = select(AuditEvent).where(AuditEvent.action == "reservation.even_so")
        event = session().scalars(trail.where(AuditEvent.subject.endswith(number))).one()
        assert event.changes["reason"] == "機械の試運転を兼ねる"
        assert "ご利用日より前" in event.changes["refused"]


@ONE
def test_a_use_begins_on_its_day_without_a_word(do, number):
    """FAC-12: at any hour of that day in Tokyo."""
    with clock.freeze(clock.local(2026, 12, 10, 0, 5)):
        assert do("start", number).exit_code == 0


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [
        ("2026-12-13T05:00", "2026-12-13T07:00", "休業日です"),
        ("2026-12-11T05:00", "2026-12-11T07:00", "分単位でお選びください"),
        ("2026-12-11T10:00", "2026-12-11T10:30", "分以上でお選びください"),
        ("2027-12-10T10:00", "2027-12-10T12:00", "までの日付をお選びください"),
    ],
)
@ONE
def test_a_use_is_moved_outside_the_rules_only_for_a_reason(do, inside, number, first, last, why):
    """FAC-05, FAC-11, FAC-12: closed days, clock times, length and how far ahead."""
    refused = do("reschedule", number, first, last)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert why in refused.stderr
    assert do("reschedule", number, first, last, "--even-so", "お客様のご都合").exit_code == 0
    with inside("facility"):
        trail = select(AuditEvent.changes).where(AuditEvent.action == "reservation.even_so")
        assert session().scalars(trail).all()[-1]["reason"] == "お客様のご都合"


@ONE
def test_no_reason_moves_a_use_into_anothers_time(do, inside, tenant, number, cast):
    """FAC-11: two never have one facility at once."""
    with inside("facility"):
        other = queries.any_reservation(cast.strangers)
        begin = START + timedelta(days=1)
        booking.reschedule(tenant, other, begin, begin + timedelta(hours=2), by=SYSTEM)
        session().commit()
    words = ("2026-12-11T14:00", "2026-12-11T16:00", "--even-so", "どうしても")
    refused = do("reschedule", number, *words)
    assert refused.exit_code == 2
    assert "重なっています" in refused.stderr


def test_a_price_changes_for_later_reservations_alone(do, inside, tenant, number):
    """FAC-11, COM-33: what is reserved keeps its price; the trail has before and after; the same again is nothing."""
    with inside("facility"):
        before = queries.any_reservation(number).price
    edit = do("edit", "LC-01", "--hourly", "5000", "--daily", "30000", "--place", "２階")
    assert (edit.exit_code, edit.stdout) == (0, "LC-01: hourly_price, daily_price, place changed\n")
    assert do("edit", "LC-01", "--hourly", "5000").stdout == "LC-01: nothing changed\n"
    with inside("facility"):
        facility = session().scalars(select(Facility)).one()
        assert (facility.hourly_price, facility.daily_price, facility.place) == (5000, 30000, "2階")
        assert queries.any_reservation(number).price == before
        event = (
            session().scalars(select(AuditEvent).where(AuditEvent.action == "facility.edit")).one()
        )
        assert event.changes["hourly_price"] == [4500, 5000]
    for wrong in (["--hourly", "-1"], ["--hourly", "3000000000"], ["--capacity", "0"]):
        assert do("edit", "LC-01", *wrong).exit_code == 2
    assert do("edit", "ZZ-99", "--hourly", "1").exit_code == 2


@ONE
def test_a_facility_is_taken_out_of_the_offer_and_back(do, visit):
    """FAC-11: no page offers it, operators still find it."""
    page = visit("facility", "hanako")
    assert do("edit", "LC-01", "--not-bookable").exit_code == 0
    assert page.get("/facility/facilities/LC-01").status_code == 404
    assert do("edit", "LC-01", "--bookable").exit_code == 0
    assert page.get("/facility/facilities/LC-01").status_code == 200
