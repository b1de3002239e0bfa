"""What is to be billed of an order, and how its lines are kept as rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date

from sqlalchemy import select

from portal.config import Tenant
from portal.core import RuleBroken, clock, delete_where, session
from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import Rounding, Totals, totals_excluded
from portal.shared.documents.typefaces import check_drawable
from portal.shared.invoicing.models import CreditNote, InvoiceItem, InvoiceLine


@dataclass(frozen=True, kw_only=True)
class ItemDraft:
    """What an order says of itself where it is billed; see `InvoiceItem` for each of them."""

    account_id: int
    order_kind: str
    about: str
    title: str
    traded_on: date
    billing: dict[str, str]
    contact: dict[str, str]
    day_label: str = "納品日"
    facts: tuple[tuple[str, str], ...] = ()


def totals_of(tenant: Tenant, lines: Iterable[BillLine]) -> Totals:
    """Net, tax once per rate, and total, by the tenant's rounding (COM-71)."""
    return totals_excluded([line.tax_line for line in lines], Rounding(tenant.tax.rounding))


def check_lines(tenant: Tenant, lines: Sequence[BillLine]) -> int:
    """The total of these lines in yen with tax.

    Raises RuleBroken at the field `lines` for none, for a total below zero, and for what no
    document can print (COM-70).
    """
    if not lines:
        raise RuleBroken("請求明細を1行以上入力してください。", field="lines")
    check_drawable([[line.description, line.unit] for line in lines], "lines")
    total = totals_of(tenant, lines).total
    if total < 0:
        raise RuleBroken("ご請求金額がマイナスになります。", field="lines")
    return total


def add_item(tenant: Tenant, draft: ItemDraft, lines: Sequence[BillLine]) -> InvoiceItem:
    """Store what an order is to be billed for, pending. Raises RuleBroken; see `check_lines`."""
    check_lines(tenant, lines)
    item = item_of(draft)
    session().add(item)
    session().flush()
    _store(lines, item_id=item.id)
    return item


def item_of(draft: ItemDraft, *, invoice_id: int | None = None) -> InvoiceItem:
    """The row of a draft, on an invoice or pending; it is not stored yet."""
    columns = asdict(draft)
    # As JSON gives them back, so that a row is the same before and after it was stored.
    columns["facts"] = [list(fact) for fact in draft.facts]
    return InvoiceItem(**columns, invoice_id=invoice_id, created_at=clock.now())


def replace_lines(item: InvoiceItem, lines: Sequence[BillLine]) -> None:
    """Bill other lines of an item; what documents said stays in the documents."""
    # Removed and written anew: lines have no identity of their own, only an order.
    delete_where(InvoiceLine, InvoiceLine.item_id == item.id)
    _store(lines, item_id=item.id)


def store_credited_lines(note: CreditNote, lines: Sequence[BillLine]) -> None:
    """Store what a credit note gives back, line by line."""
    _store(lines, credit_note_id=note.id)


def _store(
    lines: Sequence[BillLine], *, item_id: int | None = None, credit_note_id: int | None = None
) -> None:
    for position, line in enumerate(lines, start=1):
        row = InvoiceLine(
            item_id=item_id,
            credit_note_id=credit_note_id,
            position=position,
            description=line.description,
            quantity=line.quantity,
            unit=line.unit,
            unit_price=line.unit_price,
            rate=line.rate,
            is_reduced=line.reduced,
            day=line.day,
        )
        session().add(row)
    session().flush()


def lines_of_items(items: Iterable[InvoiceItem]) -> dict[int, list[BillLine]]:
    """The lines of each item, by its id, in one query."""
    ids = [item.id for item in items]
    found: dict[int, list[BillLine]] = {item_id: [] for item_id in ids}
    statement = select(InvoiceLine).where(InvoiceLine.item_id.in_(ids))
    for row in session().scalars(statement.order_by(InvoiceLine.item_id, InvoiceLine.position)):
        if row.item_id is not None:
            found[row.item_id].append(row.bill_line)
    return found


def lines_of_notes(invoice_id: int) -> Iterator[BillLine]:
    """What was given back of an invoice so far, line by line."""
    statement = (
        select(InvoiceLine)
        .join(CreditNote, CreditNote.id == InvoiceLine.credit_note_id)
        .where(CreditNote.invoice_id == invoice_id)
    )
    for row in session().scalars(statement.order_by(InvoiceLine.id)):
        yield row.bill_line
