"""What can be asked of invoices and payments. Amounts are whole yen.

A count is its list: what a page says is owed is summed up from the rows that it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Select, and_, func, select

from portal.core import get_or_404, gettext_noop, session
from portal.shared.invoicing.models import (
    CreditNote,
    Invoice,
    InvoiceItem,
    Payment,
    PaymentAllocation,
)

IS_OPEN: ColumnElement[bool] = Invoice.credited + Invoice.received < Invoice.total
"""The criterion of an invoice of which something is owed. Index: ix_invoice_open."""
HAS_REST: ColumnElement[bool] = Payment.allocated + Payment.refunded < Payment.amount
"""The criterion of a payment that was more than invoices took. Index: ix_payment_rest."""


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """Where an order stands: what is pending, billed, received and given back for it."""

    items: Sequence[InvoiceItem]
    invoices: Sequence[Invoice]
    notes: Sequence[CreditNote]
    payments: Sequence[Payment]

    @property
    def owed(self) -> int:
        """What its invoices still ask for."""
        return sum(invoice.balance for invoice in self.invoices)

    @property
    def received(self) -> int:
        """What its invoices got."""
        return sum(invoice.received for invoice in self.invoices)

    @property
    def overpaid(self) -> int:
        """What its payments were more than invoices took, and was not paid back."""
        return sum(payment.rest for payment in self.payments)

    @property
    def lacks_receipt(self) -> bool:
        """Whether a payment that invoices have something of has no receipt yet."""
        return any(payment.allocated and not payment.receipt_number for payment in self.payments)

    @property
    def is_pending(self) -> bool:
        """Whether something of it is on no invoice yet."""
        return any(item.invoice_id is None for item in self.items)

    @property
    def is_settled(self) -> bool:
        """Whether all of it was billed and nothing is owed."""
        return bool(self.invoices) and not self.is_pending and self.owed == 0


def money_of(order_kind: str, about: str) -> OrderMoney:
    """All rows of money about one order, in four queries. Index: ix_invoice_item_about."""
    items = items_of(order_kind, about)
    ids = {item.invoice_id for item in items if item.invoice_id is not None}
    invoices = _by_id(select(Invoice).where(Invoice.id.in_(ids)))
    return OrderMoney(
        items=items, invoices=invoices, notes=notes_of(ids), payments=payments_of(ids)
    )


def _by_id(statement: Select[Invoice]) -> Sequence[Invoice]:
    return session().scalars(statement.order_by(Invoice.id)).all()


def items_of(order_kind: str, about: str) -> Sequence[InvoiceItem]:
    """What an order is or was billed for, oldest first."""
    found = select(InvoiceItem).where(
        InvoiceItem.order_kind == order_kind, InvoiceItem.about == about
    )
    return session().scalars(found.order_by(InvoiceItem.id)).all()


def items_on(invoice: Invoice) -> Sequence[InvoiceItem]:
    """The orders' parts of an invoice, oldest first."""
    found = select(InvoiceItem).where(InvoiceItem.invoice_id == invoice.id)
    return session().scalars(found.order_by(InvoiceItem.traded_on, InvoiceItem.id)).all()


def notes_of(invoice_ids: set[int]) -> Sequence[CreditNote]:
    """The credit notes of these invoices, oldest first."""
    found = select(CreditNote).where(CreditNote.invoice_id.in_(invoice_ids))
    return session().scalars(found.order_by(CreditNote.id)).all()


def payments_of(invoice_ids: set[int]) -> Sequence[Payment]:
    """The payments of which these invoices ever got something, oldest first."""
    # Also those whose share was taken back since: their receipts and refunds are part of the story.
    got = select(PaymentAllocation.payment_id).where(PaymentAllocation.invoice_id.in_(invoice_ids))
    return session().scalars(select(Payment).where(Payment.id.in_(got)).order_by(Payment.id)).all()


def allocated(payment: Payment) -> dict[int, int]:
    """What each invoice has of a payment, by the invoice's id; those that have nothing are left
    out.
    """
    part = func.sum(PaymentAllocation.amount)
    statement = (
        select(PaymentAllocation.invoice_id, part)
        .where(PaymentAllocation.payment_id == payment.id)
        .group_by(PaymentAllocation.invoice_id)
        .having(part != 0)
    )
    return {invoice_id: int(amount) for invoice_id, amount in session().execute(statement)}


def invoices_of_payment(payment: Payment) -> Sequence[Invoice]:
    """The invoices that have something of a payment, oldest first."""
    return _by_id(select(Invoice).where(Invoice.id.in_(allocated(payment))))


def get_invoice(number: str) -> Invoice:
    """The invoice whose newest document has this number. Raises NotFound."""
    return get_or_404(
        Invoice,
        Invoice.number == number,
        # An empty number is that of every invoice without a document.
        Invoice.number != "",
        absent=gettext_noop("請求書が見つかりません: %(number)s"),
        number=number,
    )


def get_payment(number: str) -> Payment:
    """A payment by its number. Raises NotFound."""
    return get_or_404(
        Payment,
        Payment.number == number,
        absent=gettext_noop("入金が見つかりません: %(number)s"),
        number=number,
    )


def open_invoices(
    *, account_id: int | None = None, due_before: date | None = None, limit: int = 100
) -> Sequence[Invoice]:
    """Invoices of which something is owed, first those due first. Index: ix_invoice_open."""
    filters = [IS_OPEN]
    if account_id is not None:
        filters.append(Invoice.account_id == account_id)
    if due_before is not None:
        filters.append(Invoice.due_on < due_before)
    found = select(Invoice).where(and_(*filters)).order_by(Invoice.due_on, Invoice.id)
    return session().scalars(found.limit(limit)).all()


def newest_invoices(*, account_id: int | None = None, limit: int = 100) -> Sequence[Invoice]:
    """All invoices, newest first. Index: ix_invoice_mine for those of an account."""
    found = select(Invoice).order_by(Invoice.billed_at.desc(), Invoice.id.desc())
    if account_id is not None:
        found = found.where(Invoice.account_id == account_id)
    return session().scalars(found.limit(limit)).all()


def newest_payments(
    *, account_id: int | None = None, only_rest: bool = False, limit: int = 100
) -> Sequence[Payment]:
    """Payments, newest first; `only_rest` gives those of which something is the account's."""
    found = select(Payment).order_by(Payment.received_on.desc(), Payment.id.desc())
    if account_id is not None:
        found = found.where(Payment.account_id == account_id)
    if only_rest:
        found = found.where(HAS_REST)
    return session().scalars(found.limit(limit)).all()


def overpaid_orders(order_kind: str) -> Select[str]:
    """The numbers of orders whose payments were more than was owed: money to give back."""
    return (
        select(InvoiceItem.about)
        .join(PaymentAllocation, PaymentAllocation.invoice_id == InvoiceItem.invoice_id)
        .join(Payment, Payment.id == PaymentAllocation.payment_id)
        .where(InvoiceItem.order_kind == order_kind, HAS_REST)
    )


def pending_items(until: date, *, account_id: int | None = None) -> Sequence[InvoiceItem]:
    """What is on no invoice yet of trades up to a day, by account.

    Index: ix_invoice_item_pending.
    """
    found = select(InvoiceItem).where(
        InvoiceItem.invoice_id.is_(None), InvoiceItem.traded_on <= until
    )
    if account_id is not None:
        found = found.where(InvoiceItem.account_id == account_id)
    order = (InvoiceItem.account_id, InvoiceItem.traded_on, InvoiceItem.id)
    return session().scalars(found.order_by(*order)).all()
