"""The money and the documents of an order: billed, paid, corrected, given back (COM-33, COM-71).

A brand says in one `OrderBilling` what its orders are billed for and what becomes of them when they
are paid; everything else is the same for all brands. The caller commits, but for `issue_due`.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import select

from portal.config import Tenant
from portal.core import (
    SYSTEM,
    Actor,
    Decision,
    RuleBroken,
    audit,
    clock,
    gettext_noop,
    session,
    update_where,
)
from portal.core.jobs import Job
from portal.shared.billing.lines import BillLine
from portal.shared.documents import operations as documents
from portal.shared.documents.content import Content
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.invoicing import issuing, operations, queries
from portal.shared.invoicing.items import ItemDraft, add_item, lines_of_items, totals_of
from portal.shared.invoicing.models import CreditNote, Invoice, InvoiceItem, Payment
from portal.shared.invoicing.operations import Remittance
from portal.shared.invoicing.queries import OrderMoney
from portal.shared.orders.models import OrderMixin
from portal.shared.orders.workflow import OrderWorkflow

log = logging.getLogger(__name__)
M = TypeVar("M", bound=OrderMixin)
Order_contra = TypeVar("Order_contra", bound=OrderMixin, contravariant=True)
PER_ORDER = "per_order"
_CORRECTED = "ご請求内容を訂正しました。訂正後の帳票は、マイページからダウンロードできます。"
_REFUNDED = (
    "ご請求金額の一部を返還いたします。返金明細書は、マイページの「帳票」からダウンロードできます。"
)
_NOT_CLOSED = gettext_noop("締め日の請求書を発行してから、ご入金を記録してください。")
_NOTHING_OWED = gettext_noop("未入金のご請求はありません。")


@dataclass(frozen=True, slots=True)
class Billed:
    """What the order repeats of its bill: its total (yen with tax) and when that is due."""

    total: int
    due_date: date


class Settle(Protocol[Order_contra]):
    """What a brand does with an order when its money has changed."""

    def __call__(
        self, tenant: Tenant, order: Order_contra, *, is_settled: bool, is_received: bool, by: Actor
    ) -> None:
        """Take the order where its money is.

        Only where money `is_received` is the customer told of a payment: what a correction or a
        credit note settles has its own mail.
        """


@dataclass(frozen=True)
class OrderBilling(Generic[M]):
    """How the orders of a kind are billed.

    `reports` are the brand's own documents,
    `reports_due` those that can be issued now; `can_issue` whether anything can. `settle` is told
    when nothing is owed any more (True) or something is again (False), and takes the order there.
    """

    model: type[M]
    workflow: OrderWorkflow[Any]
    can_issue: Callable[[M], Decision]
    reports: Mapping[DocumentKind, Callable[[Tenant, M], Content]]
    reports_due: Callable[[M], Collection[DocumentKind]]
    settle: Settle[M]

    def money(self, order: M) -> OrderMoney:
        """What is pending, billed, received and given back for the order."""
        return queries.money_of(self.model.__tablename__, order.number)

    def lines(self, order: M) -> list[BillLine]:
        """What the order is billed for, line by line."""
        items = queries.items_of(self.model.__tablename__, order.number)
        found = lines_of_items(items)
        return [line for item in items for line in found[item.id]]

    def bill(
        self, tenant: Tenant, draft: ItemDraft, lines: Sequence[BillLine], *, by: Actor
    ) -> Billed:
        """Bill these lines of an order: as an invoice of its own, or with the next closing date.

        Raises RuleBroken for lines that cannot be billed.
        """
        item = add_item(tenant, draft, lines)
        total = totals_of(tenant, lines).total
        if tenant.terms.invoicing == PER_ORDER:
            operations.make_invoice(tenant, [item], by=by)
        return Billed(total, operations.due_on(tenant, item.traded_on))

    def pay(self, tenant: Tenant, order: M, money: Remittance | None, *, by: Actor) -> Payment:
        """Record what was received for an order: by itself all that is owed, today.

        Raises RuleBroken while its invoice is to come, and where nothing is owed.
        """
        known = self.money(order)
        if known.is_pending:
            # What it will be with the account's other orders nobody knows before the closing day.
            raise RuleBroken(_NOT_CLOSED)
        # Locked before it is asked what is owed: of two hands at once, the second finds nothing.
        invoices = operations.lock_invoices(known.invoices)
        owed = sum(invoice.balance for invoice in invoices)
        if not owed:
            raise RuleBroken(_NOTHING_OWED)
        if money is None:
            money = Remittance(amount=None, received_on=clock.today())
        if money.amount is None:
            money = replace(money, amount=owed)
        payment = operations.receive(tenant, order.account_id, money, known.invoices, by=by)
        self.follow(tenant, known.invoices, by=by)
        return payment

    def follow(
        self, tenant: Tenant, invoices: Iterable[Invoice], *, by: Actor, is_received: bool = True
    ) -> None:
        """Take the orders on these invoices where their money is: settled, or owing again.

        `is_received` says whether it is money that came in that they follow.
        """
        kind = self.model.__tablename__
        numbers = {
            item.about
            for invoice in invoices
            for item in queries.items_on(invoice)
            if item.order_kind == kind
        }
        orders = select(self.model).where(self.model.number.in_(numbers))
        for order in session().scalars(orders.order_by(self.model.id)).all():
            known = self.money(order)
            # Only where the order says otherwise: each change is mailed once.
            if known.is_settled != (order.paid_at is not None):
                self.settle(
                    tenant, order, is_settled=known.is_settled, is_received=is_received, by=by
                )
            if known.lacks_receipt and self.can_issue(order):
                # Since when they are due, not when that was seen last: the oldest is issued first.
                order.documents_due_at = order.documents_due_at or clock.now()
        session().flush()

    def issue(self, tenant: Tenant, order: M, *, by: Actor) -> list[int]:
        """Issue what is due, each once; returns the jobs that draw.

        Raises RuleBroken while nothing can be issued.
        """
        # The worker issues by itself: locked, so that a command at the same moment issues nothing
        # twice. Invoices first: who follows a payment changes orders while it holds the invoice.
        operations.lock_invoices(self.money(order).invoices)
        session().refresh(order, with_for_update=True)
        self.can_issue(order).require()
        jobs = self._issue_money(tenant, order, by=by)
        issued = documents.about(order.account_id, order.number)
        for kind, make in self.reports.items():
            if kind in self.reports_due(order) and kind not in issued:
                jobs.append(self._issue_report(tenant, order, kind, make(tenant, order), by=by))
        order.documents_due_at = None
        return [job.id for job in jobs]

    def _issue_money(self, tenant: Tenant, order: M, *, by: Actor) -> list[Job]:
        """The invoices and receipts of an order that are not issued yet."""
        jobs = []
        known = self.money(order)
        # Locked before their payments, as everywhere, so that no two transactions wait for each
        # other.
        for invoice in operations.lock_invoices(known.invoices):
            # What an earlier system billed has no lines, and so nothing to print.
            has_lines = any(lines_of_items(queries.items_on(invoice)).values())
            if not invoice.number and has_lines:
                jobs.append(issuing.issue_invoice(tenant, invoice, by=by))
        for payment in known.payments:
            session().refresh(payment, with_for_update=True)
            if not payment.receipt_number and payment.allocated:
                jobs.append(issuing.issue_receipt(tenant, payment, by=by))
        return jobs

    def _issue_report(
        self, tenant: Tenant, order: M, kind: DocumentKind, content: Content, *, by: Actor
    ) -> Job:
        _document, job = documents.issue(
            kind,
            content,
            style=tenant.numbers[kind.value],
            account_id=order.account_id,
            counterparty=order.billing["name"],
            about=order.number,
            transaction_date=content.transaction_date,
            total=0,
            by=by,
        )
        return job

    def issue_due(self, tenant: Tenant, *, limit: int = 100) -> int:
        """Issue what is due, each order in a transaction of its own; returns of how many.

        One that cannot be issued is logged and tried again the next time; operators see it in their
        worklist.
        """
        model = self.model
        due = select(model.id).where(model.documents_due_at.is_not(None))
        waiting = session().scalars(due.order_by(model.documents_due_at, model.id).limit(limit))
        issued = 0
        for order_id in waiting.all():
            order = session().get_one(model, order_id)
            try:
                self.issue(tenant, order, by=SYSTEM)
                session().commit()
                issued += 1
            except RuleBroken:
                session().rollback()
                log.exception("documents of %s %s are not issued", model.__tablename__, order_id)
        return issued

    def take_due_date(self, invoice: Invoice) -> None:
        """Let the orders on an invoice say when it is due."""
        numbers = [item.about for item in queries.items_on(invoice)]
        update_where(self.model, self.model.number.in_(numbers), due_date=invoice.due_on)

    def readdress(self, order: M) -> None:
        """Bill to the order's present copy of its address where no document is issued yet."""
        known = self.money(order)
        # What is issued keeps its address: only a correction, which says so, changes it (COM-72).
        issued = {invoice.id for invoice in known.invoices if invoice.number}
        for item in known.items:
            if item.invoice_id not in issued:
                item.billing = order.billing
        for invoice in known.invoices:
            if invoice.id not in issued:
                invoice.billing = order.billing
        session().flush()

    def issued(self, order: M) -> dict[DocumentKind, Document]:
        """The newest document of each kind about the order, also an invoice over several."""
        found = documents.about(order.account_id, order.number)
        if DocumentKind.INVOICE not in found:
            known = self.money(order)
            numbers = [invoice.number for invoice in known.invoices]
            numbers += [payment.receipt_number for payment in known.payments]
            # An invoice over several orders is filed under none of them: its number leads to it.
            shared = documents.numbered(order.account_id, [number for number in numbers if number])
            found = {document.kind: document for document in shared} | found
        return found

    def correct(
        self, tenant: Tenant, order: M, lines: Sequence[BillLine], reason: str, *, by: Actor
    ) -> list[int]:
        """Bill other lines than were billed; what is owed follows (COM-72).

        The invoice is issued anew, to the order's present billing address. Returns the jobs that
        draw. Raises RuleBroken; see `issuing.correct`.
        """
        item = self._item(order)
        jobs = issuing.correct(tenant, item, lines, reason, billing=order.billing, by=by)
        # The trail keeps both amounts; the old document keeps what it said.
        before = order.total
        order.total = totals_of(tenant, lines).total
        session().flush()
        audit.record(
            f"{order.__tablename__}.correct",
            order,
            by=by,
            reason=reason,
            total=[before, order.total],
        )
        self.workflow.notify(tenant, order, _CORRECTED, subject="ご請求内容訂正のお知らせ")
        self.follow(tenant, self._invoices(item), by=by, is_received=False)
        return [job.id for job in jobs]

    def refund(
        self, tenant: Tenant, order: M, lines: Sequence[BillLine], reason: str, *, by: Actor
    ) -> tuple[CreditNote, list[int]]:
        """Ask for less after the payment, by a credit note: 適格返還請求書 (COM-71, COM-72).

        What was received beyond the rest waits with its payment to be paid back. Returns the note
        and the jobs that draw it. Raises RuleBroken; see `issuing.give_back`.
        """
        item = self._item(order)
        note, job = issuing.give_back(tenant, item, lines, reason, by=by)
        audit.record(f"{order.__tablename__}.refund", order, by=by, reason=reason, total=note.total)
        self.workflow.notify(tenant, order, _REFUNDED, subject="ご請求金額返還のお知らせ")
        self.follow(tenant, self._invoices(item), by=by, is_received=False)
        return note, [job.id]

    def _item(self, order: M) -> InvoiceItem:
        """What the order was billed for last. Raises RuleBroken before it was billed."""
        items = queries.items_of(self.model.__tablename__, order.number)
        if not items:
            raise RuleBroken(issuing.NOTHING_ISSUED)
        return items[-1]

    def _invoices(self, item: InvoiceItem) -> list[Invoice]:
        if item.invoice_id is None:
            return []
        return [session().get_one(Invoice, item.invoice_id)]
