"""What invoices, credit notes and receipts say, made from the rows of money (COM-71)."""

from collections.abc import Sequence

from portal.config import Tenant
from portal.core import yen
from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import Rounding, Totals
from portal.shared.documents.content import InvoiceContent, ReceiptContent
from portal.shared.documents.parties import heads
from portal.shared.invoicing import queries
from portal.shared.invoicing.items import lines_of_items, totals_of
from portal.shared.invoicing.models import Invoice, InvoiceItem, Payment


def invoice_content(tenant: Tenant, invoice: Invoice) -> InvoiceContent:
    """請求書 of an invoice as it stands: over one order with that order's facts, or over many."""
    items = queries.items_on(invoice)
    lines = _lines(items)
    first = min(item.traded_on for item in items)
    day_labels = {item.day_label for item in items}
    return InvoiceContent(
        **heads(tenant, invoice.billing, invoice.contact),
        traded_on=first,
        traded_until=invoice.traded_on if invoice.traded_on != first else None,
        due_on=invoice.due_on,
        lines=lines,
        subject=_title(invoice, items),
        rounding=Rounding(tenant.tax.rounding),
        references=_facts(invoice, items),
        day_label=day_labels.pop() if len(day_labels) == 1 else "取引日",
    )


def _lines(items: Sequence[InvoiceItem]) -> tuple[BillLine, ...]:
    """All lines; on an invoice over several orders each begins with its order's number."""
    found = lines_of_items(items)
    if len(items) == 1:
        return tuple(found[items[0].id])
    return tuple(_numbered(item, line) for item in items for line in found[item.id])


def _numbered(item: InvoiceItem, line: BillLine) -> BillLine:
    return BillLine(
        description=f"{item.about} {line.description}",
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        rate=line.rate,
        reduced=line.reduced,
        # Over several orders each line needs its day: the head of the invoice names only the span.
        day=line.day or item.traded_on,
    )


def _title(invoice: Invoice, items: Sequence[InvoiceItem]) -> str:
    # An order that is alone on a closing invoice is called what it is.
    if len(items) == 1 or invoice.closed_on is None:
        return items[0].title
    closed = invoice.closed_on
    return f"{closed.year}年{closed.month}月{closed.day}日締め ご請求分（{len(items)}件）"


def _facts(invoice: Invoice, items: Sequence[InvoiceItem]) -> tuple[tuple[str, str], ...]:
    facts: list[tuple[str, str]] = []
    if invoice.closed_on is not None:
        closed = invoice.closed_on
        facts.append(("締め日", f"{closed.year}年{closed.month}月{closed.day}日"))
    if len(items) == 1:
        facts += [(label, value) for label, value in items[0].facts]
    return tuple(facts)


def credit_note_content(
    tenant: Tenant, invoice: Invoice, lines: Sequence[BillLine], reason: str
) -> InvoiceContent:
    """返金明細書（適格返還請求書） of these lines, which names the invoice and the day of the
    original trade.
    """
    billed = invoice_content(tenant, invoice)
    return InvoiceContent(
        **heads(tenant, invoice.billing, invoice.contact),
        traded_on=billed.traded_on,
        traded_until=billed.traded_until,
        lines=tuple(lines),
        subject=billed.subject,
        rounding=billed.rounding,
        # 適格返還請求書 says of which trade it gives something back (消費税法第57条の4第3項).
        references=(("元の請求書番号", invoice.number), *billed.references),
        day_label=billed.day_label,
        remarks=f"返還の理由：{reason}",
    )


def receipt_content(tenant: Tenant, payment: Payment) -> ReceiptContent:
    """領収書 of a payment: what was received, never what was billed.

    Rates stand on it where it pays exactly one invoice as billed; of a part nobody can say which
    rates it bears.
    """
    invoices = queries.invoices_of_payment(payment)
    # Without rates, which a receipt need not name where its invoice does.
    totals = Totals((), payment.amount, 0, payment.amount)
    first = invoices[0]
    if len(invoices) == 1 and first.total == payment.amount and not first.credited:
        lines = lines_of_items(queries.items_on(first))
        billed = totals_of(tenant, (line for found in lines.values() for line in found))
        # What an earlier system billed has no lines, and so no rates.
        totals = billed if billed.total == payment.amount else totals
    return ReceiptContent(
        **heads(tenant, first.billing, first.contact),
        paid_on=payment.received_on,
        paid_by=payment.method,
        traded_on=first.traded_on if len(invoices) == 1 else None,
        totals=totals,
        proviso=_proviso(payment, invoices),
    )


def _proviso(payment: Payment, invoices: Sequence[Invoice]) -> str:
    """What the money was for: the order where there is one, otherwise the invoices."""
    billed = sum(invoice.total for invoice in invoices)
    remark = ""
    if payment.amount < billed:
        remark = f"、ご請求金額 {yen(billed)}の一部"
    elif payment.amount > billed:
        remark = f"、ご請求金額 {yen(billed)}を超える分を含む"
    items = [item for invoice in invoices for item in queries.items_on(invoice)]
    if len(items) > 1:
        numbers = "、".join(invoice.number for invoice in invoices)
        return f"ご請求分（請求書 {numbers}{remark}）"
    item = items[0]
    label, number = item.facts[0] if item.facts else ("番号", item.about)
    return f"{item.title}（{label} {number}{remark}）"
