"""FAC-05, FAC-10, FAC-12: cancelling with its charge, moving to another time, reminders."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select

from portal.blueprints.facility import booking, operations, queries, quotes
from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.blueprints.facility.slots import SlotTaken
from portal.cli.worker import round_of_work
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from tests.cast import NOW

START = clock.local(2026, 12, 10, 13)


@pytest.fixture
def tenant(app: Flask) -> Tenant:
    """The facility brand."""
    found: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return found


@pytest.fixture
def number(inside, tenant, cast) -> str:
    """The requested reservation, moved to 10 December, 13 to 16: ¥13,500."""
    with inside("facility"):
        found = queries.any_reservation(cast.requested)
        booking.reschedule(tenant, found, START, START + timedelta(hours=3), by=SYSTEM)
        session().commit()
    return str(cast.requested)


def mails(inside, word: str) -> list[OutboxMail]:
    with inside("facility"):
        return [mail for mail in session().scalars(select(OutboxMail)) if word in mail.subject]


@pytest.mark.parametrize(
    ("at", "charge"),
    [
        pytest.param(clock.local(2026, 12, 2, 23, 59), 0, id="eight days before"),
        pytest.param(clock.local(2026, 12, 3), 4050, id="seven days before, at midnight"),
        pytest.param(clock.local(2026, 12, 6, 23, 59), 4050, id="four days before"),
        pytest.param(clock.local(2026, 12, 7), 6750, id="three days before"),
        pytest.param(clock.local(2026, 12, 9, 23, 59), 6750, id="the day before"),
        pytest.param(clock.local(2026, 12, 10), 13500, id="the day itself"),
        pytest.param(clock.local(2026, 12, 11), 13500, id="afterwards"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_charge_is_that_of_the_table_on_the_day(inside, tenant, number, at, charge):
    """FAC-05, FAC-10: percent by days before the use in Tokyo, without tax; the slot is free again."""
    with inside("facility"), clock.freeze(at):
        found = queries.any_reservation(number)
        assert operations.cancellation_charge(tenant, found) == charge
        operations.cancel(tenant, found, by=SYSTEM)
        session().commit()
        kept = queries.any_reservation(number)
        assert (kept.status, kept.total, kept.held_until) == (
            Status.CANCELLED,
            charge or None,
            None,
        )
        assert [line.unit_price for line in operations.BILLING.lines(kept)] == (
            [charge] if charge else []
        )
        assert bool(kept.due_date) is bool(charge)
    (mail,) = (mail for mail in mails(inside, "キャンセル") if number in mail.subject)
    assert (f"¥{charge:,}" in mail.body) is bool(charge)


def test_an_operator_waives_or_names_the_charge(inside, run, number, cast):
    """FAC-12: --charge; a price that is not known is asked for and nothing is done."""

    def cancel(*words: str) -> Any:
        return run.invoke(args=["facility", "cancel", *words, "--tenant", "facility"])

    with inside("facility"):
        queries.any_reservation(cast.strangers).price = None
        session().commit()
    with clock.freeze(clock.local(2026, 12, 9, 10)):
        unknown = cancel(cast.strangers)
        assert (unknown.exit_code, unknown.stdout) == (2, "")
        assert "キャンセル料を金額で指定してください" in unknown.stderr
        named = cancel(cast.strangers, "--charge", "1000")
        assert named.stdout == f"{cast.strangers}: キャンセル ¥1,000\n"
        assert cancel(number, "--charge", "-1").exit_code == 2
        assert cancel(number, "--charge", "0").stdout == f"{number}: キャンセル\n"


def test_a_charge_is_invoiced_without_tax_and_paid_once(inside, tenant, visit, run, number):
    """FAC-04, FAC-10: the invoice can be had, a work report never; the status stays キャンセル."""
    with inside("facility"), clock.freeze(START - timedelta(days=1)):
        operations.cancel(tenant, queries.any_reservation(number), by=SYSTEM)
        session().commit()
    issued = run.invoke(args=["facility", "issue", number, "--tenant", "facility"])
    assert issued.stdout == f"{number}: documents issued: 1\n"
    page = visit("facility", "hanako")
    answer = page.get(f"/facility/reservations/{number}/invoice.pdf")
    assert answer.mimetype == "application/pdf"
    text = "".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(answer.data)).pages)
    assert "キャンセル料" in text
    assert "6,750" in text
    assert "675" not in text.replace("6,750", "").replace(",", "")
    assert page.get(f"/facility/reservations/{number}/work-report.pdf").status_code == 422
    shown = page.get(f"/facility/reservations/{number}").text
    assert "¥6,750" in shown
    assert "消費税（対象外 ¥6,750）" in shown
    assert "対象外" in text
    assert "0%" not in shown
    assert "お支払い待ち" in shown
    pay = ["facility", "pay", number, "--tenant", "facility"]
    assert run.invoke(args=pay).stdout == f"{number}: キャンセル ¥6,750\n"
    again = run.invoke(args=pay)
    assert (again.exit_code, again.stderr) == (2, "Error: キャンセル料は入金済みです。\n")
    assert "お支払済" in page.get(f"/facility/reservations/{number}").text
    assert len(mails(inside, "ご入金確認のお知らせ")) == 1


def test_a_charge_that_is_open_holds_up_a_withdrawal(inside, tenant, visit, number):
    """COM-16: it is money that is owed."""
    with inside("facility"), clock.freeze(START - timedelta(days=1)):
        operations.cancel(tenant, queries.any_reservation(number), by=SYSTEM)
        session().commit()
    page = visit("facility", "hanako").get("/account/withdrawal").text
    assert "お支払い待ちのご予約が2件あります。" in page


def test_a_use_is_moved_by_an_operator(inside, run, number, cast):
    """FAC-05, FAC-12: new times, price, mail and audit row; not into another's time, nor once it has begun."""

    def move(which: str, first: str, last: str) -> Any:
        words = ["facility", "reschedule", which, first, last, "--tenant", "facility"]
        return run.invoke(args=words)

    moved = move(number, "2026-12-11T09:00", "2026-12-11T17:00")
    assert (moved.exit_code, moved.stdout) == (0, f"{number}: 2026-12-11 09:00\n")
    with inside("facility"):
        found = queries.any_reservation(number)
        assert (found.starts_at, found.price) == (clock.local(2026, 12, 11, 9), 28000)
        assert found.held_until == clock.local(2026, 12, 11, 17, 15)
        acts = select(AuditEvent.action).where(AuditEvent.subject == found.subject)
        assert session().scalars(acts).all().count("reservation.reschedule") == 2
    assert len(mails(inside, "ご利用日時変更のお知らせ")) == 2
    for which, first, last, why in (
        (cast.strangers, "2026-12-11T16:00", "2026-12-11T18:00", "重なっています"),
        (cast.billed, "2026-12-12T10:00", "2026-12-12T12:00", "ご利用前のご予約に限り"),
        (number, "2026-12-12T12:00", "2026-12-12T10:00", "終了日時は開始日時より後"),
        (number, "12日", "2026-12-12T10:00", "does not match"),
    ):
        refused = move(which, first, last)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert why in refused.stderr
    assert move(number, "2026-12-11T10:00", "2026-12-11T12:00").exit_code == 0, (
        "its own time is no hindrance"
    )


def test_a_cancelled_time_can_be_booked_again(inside, tenant, number):
    """FAC-11: a reservation that is gone holds nothing."""
    with inside("facility"):
        found = queries.any_reservation(number)
        with pytest.raises(SlotTaken):
            booking._take(tenant, found.facility_id, START, START + timedelta(hours=1))
        operations.cancel(tenant, found, charge=0, by=SYSTEM)
        assert booking._take(tenant, found.facility_id, START, START + timedelta(hours=1)) > START


def test_a_price_is_by_the_hour_and_at_most_the_day(inside):
    """FAC-11: yen without tax; a part of a yen is dropped."""
    machine = Facility(hourly_price=4501, daily_price=28000)
    for minutes, yen in (
        (60, 4501),
        (90, 6751),
        (30, 2250),
        (360, 27006),
        (375, 28000),
        (540, 28000),
    ):
        assert quotes.price_of(machine, START, START + timedelta(minutes=minutes)) == yen


def test_only_a_request_can_be_declined(inside, tenant, number):
    """FAC-12: what was confirmed is cancelled, with a charge or with its waiver."""
    with inside("facility"):
        found = queries.any_reservation(number)
        operations.confirm(tenant, found, by=SYSTEM)
        with pytest.raises(RuleBroken, match="予約受付のご予約に限ります"):
            operations.decline(tenant, found, by=SYSTEM)
        assert found.status is Status.CONFIRMED


def test_a_reminder_goes_out_once_the_day_before(app: Flask, inside, tenant, number, cast):
    """FAC-12: confirmed uses alone, by the worker, one mail however many rounds; a moved one is reminded anew."""
    with inside("facility"):
        operations.confirm(tenant, queries.any_reservation(number), by=SYSTEM)
        session().commit()
    for at, sent in (
        (START - timedelta(hours=25), 0),
        (START - timedelta(hours=24), 1),
        (START - timedelta(hours=1), 1),
    ):
        with clock.freeze(at), app.app_context():
            round_of_work(tidy=True)
        assert len(mails(inside, "ご利用前のご案内")) == sent
    with inside("facility"), clock.freeze(START - timedelta(hours=1)):
        found = queries.any_reservation(number)
        booking.reschedule(
            tenant, found, START + timedelta(hours=3), START + timedelta(hours=4), by=SYSTEM
        )
        assert operations.remind(tenant) == 1
        session().commit()
    assert NOW < START
    with inside("facility"):
        assert session().scalars(
            select(Reservation.number).where(Reservation.reminded_at.is_not(None))
        ).all() == [number]
