"""COM-72: several hands on one bill at the same moment: no yen is counted twice, none is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Status
from portal.core import SYSTEM, RuleBroken, clock, session
from portal.shared.billing.lines import BillLine
from portal.shared.invoicing import operations as invoicing
from portal.shared.invoicing.models import Invoice, Payment, PaymentAllocation
from portal.shared.invoicing.operations import Remittance
from portal.shared.orders import closing
from tests.cast import NOW, Cast

Together = Callable[..., list[Any]]


def test_of_eight_payments_of_one_bill_no_more_than_it_is_allocated(
    app: Flask, together: Together, inside: Callable[[str], Any]
) -> None:
    """COM-72: ¥14,850 are owed; eight times ¥5,000 come in at once."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    money = Remittance(amount=5_000, received_on=NOW.date())

    def pay(_turn: int) -> str:
        found = queries.any_reservation(Cast.billed)
        operations.record_payment(tenant, found, by=SYSTEM, remittance=money)
        session().commit()
        return "paid"

    results = together(8, pay)
    assert all(one == "paid" or isinstance(one, RuleBroken) for one in results), results
    with inside("facility"):
        found = queries.any_reservation(Cast.billed)
        known = operations.money(found)
        assert known.received == sum(one.allocated for one in known.payments) == 14_850
        recorded = session().scalars(select(Payment)).all()
        assert sum(one.amount for one in recorded) == 5_000 * results.count("paid")
        rows = session().scalar(select(func.sum(PaymentAllocation.amount)))
        assert rows == 14_850
        assert (found.status, found.paid_at is not None) == (Status.PAID, True)


def test_all_that_is_owed_is_recorded_once(
    app: Flask, together: Together, inside: Callable[[str], Any]
) -> None:
    """COM-72: six hands record "all of it" at once; it came in once."""
    tenant = app.extensions["tenants"].current().by_key["facility"]

    def pay(_turn: int) -> str:
        operations.record_payment(tenant, queries.any_reservation(Cast.billed), by=SYSTEM)
        session().commit()
        return "paid"

    results = together(6, pay)
    assert results.count("paid") == 1, results
    assert all(one == "paid" or isinstance(one, RuleBroken) for one in results), results
    with inside("facility"):
        recorded = session().scalars(select(Payment)).all()
        assert [one.amount for one in recorded] == [14_850]


def test_what_is_left_of_a_payment_is_paid_back_once(
    app: Flask, together: Together, inside: Callable[[str], Any]
) -> None:
    """COM-72: six hands give the same ¥5,150 back."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        found = queries.any_reservation(Cast.billed)
        money = Remittance(amount=20_000, received_on=NOW.date())
        operations.record_payment(tenant, found, by=SYSTEM, remittance=money)
        session().commit()

    def pay_back(_turn: int) -> int:
        [payment] = operations.money(queries.any_reservation(Cast.billed)).payments
        amount = invoicing.pay_back(payment, 5_150, NOW.date(), by=SYSTEM)
        session().commit()
        return amount

    results = together(6, pay_back)
    assert results.count(5_150) == 1, results
    with inside("facility"):
        [payment] = operations.money(queries.any_reservation(Cast.billed)).payments
        assert (payment.refunded, payment.rest) == (5_150, 0)


def test_a_month_is_closed_once(
    app: Flask, together: Together, inside: Callable[[str], Any]
) -> None:
    """COM-71: four closing runs at the same moment make one invoice."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    terms = tenant.terms.model_copy(update={"invoicing": "closing"})
    monthly = tenant.model_copy(update={"terms": terms})
    monthly.live_at("portal.test", scheme="https", port=None)
    with inside("facility"):
        found = queries.any_reservation(Cast.requested)
        found.status = Status.USED
        found.held_until = None
        found.starts_at = clock.local(2026, 10, 7, 10)
        found.ends_at = clock.local(2026, 10, 7, 12)
        session().flush()
        lines = [BillLine("利用料", 1, "式", 105, 10)]
        operations.fix_amount(monthly, found, lines, by=SYSTEM)
        session().commit()

    def close(_turn: int) -> list[str]:
        made = closing.close(operations.BILLING, monthly, date(2026, 10, 31), by=SYSTEM)
        return [invoice.number for invoice in made]

    results = together(4, close)
    assert sum(map(len, results)) == 1, results
    with inside("facility"):
        closed = select(func.count(Invoice.id)).where(Invoice.closed_on.is_not(None))
        assert session().scalar(closed) == 1
