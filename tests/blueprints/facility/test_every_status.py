"""Every status against every operation: the table of moves decides, and a refusal changes nothing (FAC-10)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.blueprints.facility import booking, operations, queries
from portal.blueprints.facility.models import MOVES, Reservation, Status
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.billing.lines import BillLine
from portal.shared.invoicing.models import (
    Invoice,
    InvoiceItem,
    InvoiceLine,
    Payment,
    PaymentAllocation,
)
from tests.support.bills import billed_for

NUMBER = "FR000001"
LATER = clock.local(2026, 12, 10, 13)
LINE = BillLine("利用料", 3, "時間", 4500, 10)
REPORT = operations.WorkReport("切削", "大森", 60)
OPERATIONS: dict[Status, Callable[..., Any]] = {
    Status.CONFIRMED: operations.confirm,
    Status.IN_USE: operations.start,
    Status.USED: lambda t, r, by: operations.finish(t, r, REPORT, by=by),
    Status.BILLED: lambda t, r, by: operations.fix_amount(t, r, [LINE], by=by),
    Status.PAID: operations.record_payment,
    Status.CANCELLED: operations.cancel,
}


@pytest.fixture
def tenant(app):
    return app.extensions["tenants"].current().by_key["facility"]


def stand(status: Status) -> Reservation:
    """The cast's reservation, standing at `status`."""
    reservation = queries.any_reservation(NUMBER)
    reservation.status = status
    if status in (Status.BILLED, Status.PAID):
        reservation.billed_at = LATER
    session().commit()
    return queries.any_reservation(NUMBER)


def facts() -> tuple[dict[str, object], int, int]:
    """What an operation that is allowed changes: the row, its audit rows, the mails."""
    session().expire_all()
    row = session().execute(select(Reservation.__table__).where(Reservation.number == NUMBER)).one()
    # What the move writes of money has rows of its own: those are of invoices and payments.
    own = select(func.count(AuditEvent.id)).where(AuditEvent.subject == f"reservation:{NUMBER}")
    mails = select(func.count(OutboxMail.id))
    return dict(row._mapping), session().scalar(own) or 0, session().scalar(mails) or 0


def everything() -> tuple[object, ...]:
    """All that an operation could have changed, money and the whole trail too."""
    counted = (AuditEvent, Invoice, InvoiceItem, InvoiceLine, Payment, PaymentAllocation)
    return *facts(), *(session().scalar(select(func.count(model.id))) for model in counted)


def test_each_status_but_the_first_has_its_operation():
    """FAC-10: no status can be added without an operation that these tests try."""
    assert set(OPERATIONS) == set(Status) - {Status.REQUESTED} == set().union(*MOVES.values())


@pytest.mark.parametrize("to", OPERATIONS)
@pytest.mark.parametrize("present", Status)
def test_an_operation_does_its_move_or_changes_nothing(inside, tenant, present, to):
    """FAC-10, COM-80: a move has one audit row and one mail; a refusal gives its reason and leaves no trace."""
    with inside("facility"):
        reservation = stand(present)
        if present is Status.BILLED:
            billed_for(tenant, reservation, [LINE])
            session().commit()
        _row, audits, mails = facts()
        before = everything()
        if to in MOVES[present]:
            OPERATIONS[to](tenant, reservation, by=SYSTEM)
            session().commit()
            moved, audits_after, mails_after = facts()
            assert moved["status"] is to
            assert (audits_after, mails_after) == (audits + 1, mails + 1)
        else:
            with pytest.raises(RuleBroken) as refused:
                OPERATIONS[to](tenant, reservation, by=SYSTEM)
            assert present.label in str(refused.value)
            assert to.label in str(refused.value)
            session().commit()
            assert everything() == before


@pytest.mark.parametrize(
    ("lines", "total"),
    [
        ([LINE], 14_850),
        ([BillLine("無料", 1, "式", 0, 10)], 0),
        ([LINE, BillLine("お値引き", 1, "式", -13_500, 10)], 0),
        ([LINE, BillLine("お飲み物", 3, "本", 111, 8, reduced=True)], 14_850 + 333 + 26),
        ([BillLine("a", 1, "式", 5, 10), BillLine("b", 1, "式", 5, 10)], 11),
    ],
    ids=["plain", "nothing", "discount to zero", "two rates", "tax once per rate"],
)
def test_the_amount_is_the_lines_with_tax_once_per_rate(inside, tenant, lines, total):
    """FAC-12, COM-71: zero is an amount, and a discount may reach it."""
    with inside("facility"):
        reservation = stand(Status.USED)
        operations.fix_amount(tenant, reservation, lines, by=SYSTEM)
        assert (reservation.status, reservation.total) == (Status.BILLED, total)
        assert reservation.due_date is not None


@pytest.mark.parametrize(
    "lines", [[], [BillLine("返金", 1, "式", -1, 10)]], ids=["no line", "below zero"]
)
def test_a_wrong_bill_is_refused_at_its_field_and_nothing_is_kept(inside, tenant, lines):
    """FAC-12: an amount needs a line and is never negative."""
    with inside("facility"):
        reservation = stand(Status.USED)
        before = everything()
        with pytest.raises(RuleBroken) as refused:
            operations.fix_amount(tenant, reservation, lines, by=SYSTEM)
        assert refused.value.field == "lines"
        session().commit()
        assert everything() == before


@pytest.mark.parametrize("minutes", [0, -1])
def test_a_work_report_needs_at_least_a_minute(inside, tenant, minutes):
    """FAC-12: the boundary of the work report."""
    with inside("facility"):
        reservation = stand(Status.IN_USE)
        before = everything()
        with pytest.raises(RuleBroken) as refused:
            operations.finish(
                tenant, reservation, operations.WorkReport("x", "大森", minutes), by=SYSTEM
            )
        assert refused.value.field == "minutes"
        assert everything() == before
        operations.finish(tenant, reservation, operations.WorkReport("x", "大森", 1), by=SYSTEM)
        assert reservation.work_report == {
            "done": "x",
            "worker": "大森",
            "minutes": 1,
            "materials": "",
        }


BESIDES: dict[str, tuple[frozenset[Status], Callable[..., Any]]] = {
    "decline": (frozenset({Status.REQUESTED}), operations.decline),
    "reschedule": (
        frozenset({Status.REQUESTED, Status.CONFIRMED}),
        lambda t, r, by: booking.reschedule(t, r, LATER, LATER + timedelta(hours=1), by=by),
    ),
    "issue": (frozenset({Status.BILLED, Status.PAID}), operations.issue),
}


@pytest.mark.parametrize("name", BESIDES)
@pytest.mark.parametrize("present", Status)
def test_what_is_no_move_of_its_own_has_its_statuses_too(inside, tenant, present, name):
    """FAC-04, FAC-05, FAC-12: declining, moving to another time, issuing; a refusal leaves no trace."""
    allowed, operation = BESIDES[name]
    with inside("facility"):
        reservation = stand(present)
        if present is not Status.USED:
            billed_for(tenant, reservation, [LINE])  # wherever the test has put it
        reservation.documents_due_at = LATER
        session().commit()
        before = everything()
        if present in allowed:
            operation(tenant, reservation, by=SYSTEM)
            session().commit()
            assert everything() != before
        else:
            with pytest.raises(RuleBroken):
                operation(tenant, reservation, by=SYSTEM)
            session().commit()
            assert everything() == before
