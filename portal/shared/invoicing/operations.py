"""Billing and being paid: invoices, payments and what they have of each other (COM-71, COM-72).

What is owed is total − credited − received of each invoice, and never below zero: what is paid
beyond it stays with the payment, as the account's money. Each of these columns changes by a guarded
UPDATE together with the row that says why, so that two at once cannot give one yen twice.

The caller commits. Rows are locked in one order, invoices before payments, each by id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select

from portal.config import Tenant
from portal.core import (
    LARGEST,
    Actor,
    RuleBroken,
    Stale,
    audit,
    clock,
    gettext_noop,
    numbering,
    session,
    update_where,
)
from portal.shared.billing.terms import Shift, due_date
from portal.shared.invoicing import queries
from portal.shared.invoicing.items import ItemDraft, item_of, lines_of_items, totals_of
from portal.shared.invoicing.models import (
    Invoice,
    InvoiceItem,
    Payment,
    PaymentAllocation,
    PaymentRefund,
)

BANK_TRANSFER = gettext_noop("銀行振込")
_CHANGED_MEANWHILE = gettext_noop(
    "別の処理が先に行われました。最新の状態を確認して、もう一度お試しください。"
)
_NOTHING_LEFT = gettext_noop("返金できる金額（%(rest)s円）を超えています。")
_NOTHING_OWED = gettext_noop("この請求書に未入金の金額はありません。")
_NOT_THAT_MUCH = gettext_noop("充当できる金額は%(most)s円までです。")


def due_on(tenant: Tenant, day: date) -> date:
    """When what was traded, or closed, on `day` is to be paid by the tenant's terms."""
    terms = tenant.terms
    return due_date(day, terms.closing_day, terms.months, Shift(terms.shift))


def make_invoice(
    tenant: Tenant, items: Sequence[InvoiceItem], *, by: Actor, closed_on: date | None = None
) -> Invoice:
    """Bill pending items of one account as one invoice; tax is reckoned once per rate over all.

    It is due by the terms from `closed_on`, or from the last day of trade. Raises Stale when an
    item is on an invoice by now.
    """
    # All have one billing address, but maybe several contact persons: that of the newest order is
    # written to.
    newest = items[-1]
    lines = lines_of_items(items)
    traded_on = max(item.traded_on for item in items)
    invoice = Invoice(
        account_id=newest.account_id,
        order_kind=newest.order_kind,
        billing=newest.billing,
        contact=newest.contact,
        traded_on=traded_on,
        closed_on=closed_on,
        due_on=due_on(tenant, closed_on or traded_on),
        total=totals_of(tenant, (line for item in items for line in lines[item.id])).total,
        billed_at=clock.now(),
    )
    session().add(invoice)
    session().flush()
    ids = [item.id for item in items]
    # Of two closing runs at once, one finds items that are on an invoice already.
    pending = (InvoiceItem.id.in_(ids), InvoiceItem.invoice_id.is_(None))
    if update_where(InvoiceItem, *pending, invoice_id=invoice.id) != len(ids):
        raise Stale(_CHANGED_MEANWHILE)
    for item in items:
        session().refresh(item)
    audit.record(
        "invoice.make", invoice, by=by, total=invoice.total, about=[item.about for item in items]
    )
    return invoice


def take_over(draft: ItemDraft, total: int, *, billed_at: datetime) -> Invoice:
    """Store what an earlier system billed as owed, in yen with tax; it has no lines and no
    document.
    """
    invoice = Invoice(
        account_id=draft.account_id,
        order_kind=draft.order_kind,
        billing=draft.billing,
        contact=draft.contact,
        traded_on=draft.traded_on,
        total=total,
        billed_at=billed_at,
    )
    session().add(invoice)
    session().flush()
    session().add(item_of(draft, invoice_id=invoice.id))
    session().flush()
    return invoice


@dataclass(frozen=True, kw_only=True)
class Remittance:
    """Money as an operator records it: how much (yen), on which day (Asia/Tokyo), and how.

    Where an order is paid, no `amount` means all that is owed for it.
    """

    amount: int | None
    received_on: date
    method: str = BANK_TRANSFER
    note: str = ""


def receive(
    tenant: Tenant, account_id: int, money: Remittance, invoices: Iterable[Invoice], *, by: Actor
) -> Payment:
    """Record a payment and allocate it to these invoices, first to what is due first.

    What they do not take stays with the payment. Raises RuleBroken at the field that is wrong.
    """
    amount = _checked_amount(money.amount)
    _check_day(money.received_on, "received_on")
    payment = Payment(
        account_id=account_id,
        number=numbering.next_number("payment", tenant.numbers["payment"], Payment.number),
        amount=amount,
        received_on=money.received_on,
        method=money.method,
        note=money.note,
        recorded_at=clock.now(),
    )
    session().add(payment)
    session().flush()
    audit.record(
        "payment.receive", payment, by=by, amount=amount, received_on=money.received_on.isoformat()
    )
    for invoice in sorted(lock_invoices(invoices), key=_due_first):
        part = min(payment.rest, invoice.balance)
        if part > 0:
            _allocate(payment, invoice, part)
    return payment


def _checked_amount(amount: int | None) -> int:
    if amount is None or not 0 < amount <= LARGEST:
        raise RuleBroken("金額は1円以上で入力してください。", field="amount")
    return amount


def _check_day(day: date, field: str) -> None:
    if day > clock.today():
        raise RuleBroken("今日までの日付を入力してください。", field=field)


def _due_first(invoice: Invoice) -> tuple[date, int]:
    # Without a due date (billed by an earlier system) it comes last.
    return invoice.due_on or date.max, invoice.id


def lock_invoices(invoices: Iterable[Invoice]) -> Sequence[Invoice]:
    """These invoices, locked and read anew, by id: the order in which everybody locks them."""
    ids = [invoice.id for invoice in invoices]
    statement = select(Invoice).where(Invoice.id.in_(ids)).order_by(Invoice.id)
    # Rows that the session holds already would come back as they were before the lock.
    locked = statement.with_for_update().execution_options(populate_existing=True)
    return session().scalars(locked).all()


def _lock_payment(payment: Payment) -> None:
    session().refresh(payment, with_for_update=True)


def allocate(payment: Payment, invoice: Invoice, amount: int | None = None, *, by: Actor) -> int:
    """Give an invoice of what is left of a payment: `amount` yen, or as much as it takes.

    Returns how much. Raises RuleBroken for more than is left or owed, and for another account's.
    """
    lock_invoices([invoice])
    _lock_payment(payment)
    if payment.account_id != invoice.account_id:
        raise RuleBroken("ほかのお客様の請求書には充当できません。", field="invoice")
    if not invoice.balance:
        raise RuleBroken(_NOTHING_OWED, field="invoice")
    possible = min(payment.rest, invoice.balance)
    if amount is None:
        amount = possible
    if not 0 < amount <= possible:
        raise RuleBroken(_NOT_THAT_MUCH, field="amount", most=possible)
    _allocate(payment, invoice, amount)
    audit.record("payment.allocate", payment, by=by, amount=amount, invoice=invoice.number)
    return amount


def _allocate(payment: Payment, invoice: Invoice, amount: int) -> None:
    """Move `amount` yen of a payment to an invoice; below zero, back to the payment."""
    # Reckoned and checked by the database itself: what is in memory may be old.
    after = Invoice.received + amount
    is_possible = (Invoice.id == invoice.id, after >= 0, Invoice.credited + after <= Invoice.total)
    if not update_where(Invoice, *is_possible, received=after):
        raise Stale(_CHANGED_MEANWHILE)
    taken = Payment.allocated + amount
    is_left = (Payment.id == payment.id, taken >= 0, taken + Payment.refunded <= Payment.amount)
    if not update_where(Payment, *is_left, allocated=taken):
        raise Stale(_CHANGED_MEANWHILE)
    row = PaymentAllocation(
        payment_id=payment.id, invoice_id=invoice.id, amount=amount, allocated_at=clock.now()
    )
    session().add(row)
    session().flush()
    session().refresh(invoice)
    session().refresh(payment)


def claim(invoice: Invoice, *, total: int | None = None, credited: int | None = None) -> None:
    """Ask for less or more of an invoice: another `total`, or more `credited`.

    What was received beyond that goes back to the payments it came from, the newest first, so that
    what is owed never falls below zero; what they still have left is taken when more is asked. The
    invoice is locked by the caller.
    """
    total = invoice.total if total is None else total
    credited = invoice.credited if credited is None else credited
    # Too much is taken back first: the database refuses a balance below zero at any moment.
    excess = invoice.received + credited - total
    if excess > 0:
        _release(invoice, excess)
    is_covered = Invoice.received + credited <= total
    if not update_where(
        Invoice, Invoice.id == invoice.id, is_covered, total=total, credited=credited
    ):
        raise Stale(_CHANGED_MEANWHILE)
    session().refresh(invoice)
    if excess < 0:
        _take_rests(invoice)


def _take_rests(invoice: Invoice) -> None:
    """Take what is left of an invoice's own payments: nobody owes what we have of theirs."""
    for payment in queries.payments_of({invoice.id}):
        _lock_payment(payment)
        part = min(payment.rest, invoice.balance)
        if part > 0:
            _allocate(payment, invoice, part)


def _release(invoice: Invoice, excess: int) -> None:
    """Take `excess` yen of what an invoice received back to its payments, the newest first."""
    part = func.sum(PaymentAllocation.amount)
    statement = (
        select(PaymentAllocation.payment_id, part)
        .where(PaymentAllocation.invoice_id == invoice.id)
        .group_by(PaymentAllocation.payment_id)
        # A payment may have given and taken back again: what counts is the sum of its rows.
        .having(part > 0)
    )
    parts = {payment_id: int(amount) for payment_id, amount in session().execute(statement)}
    # What came last is what was too much; what an earlier receipt stands for stays where it is.
    newest_first = sorted(queries.payments_of({invoice.id}), key=_received_first, reverse=True)
    for payment in newest_first:
        back = min(excess, parts.get(payment.id, 0))
        if back:
            _lock_payment(payment)
            _allocate(payment, invoice, -back)
            excess -= back


def _received_first(payment: Payment) -> tuple[date, int]:
    return payment.received_on, payment.id


def pay_back(payment: Payment, amount: int | None, refunded_on: date, *, by: Actor) -> int:
    """Record that `amount` yen of what is left of a payment, or all of it, was paid back.

    Returns how much. Raises RuleBroken for more than is left: what invoices have is given back by a
    credit note or a correction first.
    """
    _check_day(refunded_on, "refunded_on")
    _lock_payment(payment)
    if amount is None:
        amount = payment.rest
    if not 0 < amount <= payment.rest:
        raise RuleBroken(_NOTHING_LEFT, field="amount", rest=payment.rest)
    # Two refunds at once each fit into what they read; the WHERE lets one of them pass.
    refunded = Payment.refunded + amount
    is_left = (Payment.id == payment.id, Payment.allocated + refunded <= Payment.amount)
    if not update_where(Payment, *is_left, refunded=refunded):
        raise Stale(_CHANGED_MEANWHILE)
    row = PaymentRefund(
        payment_id=payment.id,
        amount=amount,
        refunded_on=refunded_on,
        method=BANK_TRANSFER,
        recorded_at=clock.now(),
    )
    session().add(row)
    session().flush()
    session().refresh(payment)
    audit.record("payment.pay_back", payment, by=by, amount=amount)
    return amount
