"""Documents of what is billed, whatever it is: issued once, corrected, given back (COM-71, COM-72).

Each is made from the rows of money as they stand, numbered and stored in the running transaction,
and drawn by a job afterwards. The caller commits.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from portal.config import Tenant
from portal.core import Actor, RuleBroken, clock, gettext_noop, session
from portal.core.jobs import Job
from portal.shared.billing.lines import BillLine
from portal.shared.documents import operations as documents
from portal.shared.documents.content import Content, Correction
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.documents.parties import recipient_of
from portal.shared.documents.typefaces import check_drawable
from portal.shared.invoicing import contents, operations, queries
from portal.shared.invoicing.items import (
    check_lines,
    lines_of_items,
    lines_of_notes,
    replace_lines,
    store_credited_lines,
    totals_of,
)
from portal.shared.invoicing.models import CreditNote, Invoice, InvoiceItem, Payment

_NOT_AT_RATE = gettext_noop(
    "税率%(rate)s%%の請求がないため、返還できません。請求時の税率（%(known)s）を指定してください。"
)
_MORE_AT_RATE = gettext_noop("税率%(rate)s%%の返還金額の合計が、請求した金額を超えます。")
_BELOW_CREDITED = gettext_noop("すでに返還した金額を下回るご請求には訂正できません。")
_NOTHING_CHANGED = gettext_noop("請求明細が変わっていません。")
_MORE_THAN_BILLED = gettext_noop("返還金額の合計が、ご請求金額を超えます。")
_NOTHING_GIVEN_BACK = gettext_noop("返還金額は1円以上にしてください。")
_CORRECT_INSTEAD = gettext_noop("ご入金の前は、返還ではなく訂正をしてください。")
NOTHING_ISSUED = gettext_noop("請求書がまだ発行されていません。")


def issue_invoice(
    tenant: Tenant, invoice: Invoice, *, by: Actor, corrects: Correction | None = None
) -> Job:
    """Issue the document of a locked invoice; the invoice is known by its number from now on."""
    content = replace(contents.invoice_content(tenant, invoice), corrects=corrects)
    document, job = _issue(
        tenant,
        DocumentKind.INVOICE,
        content,
        account_id=invoice.account_id,
        about=about(queries.items_on(invoice)),
        transaction_date=content.transaction_date,
        total=invoice.total,
        by=by,
    )
    invoice.number = document.number
    session().flush()
    return job


def issue_receipt(
    tenant: Tenant, payment: Payment, *, by: Actor, corrects: Correction | None = None
) -> Job:
    """Issue the receipt of a locked payment that is allocated: for what was received."""
    content = replace(contents.receipt_content(tenant, payment), corrects=corrects)
    invoices = queries.invoices_of_payment(payment)
    document, job = _issue(
        tenant,
        DocumentKind.RECEIPT,
        content,
        account_id=payment.account_id,
        about=about([item for invoice in invoices for item in queries.items_on(invoice)]),
        transaction_date=content.transaction_date,
        total=payment.amount,
        by=by,
    )
    payment.receipt_number = document.number
    session().flush()
    return job


def about(items: Sequence[InvoiceItem]) -> str:
    """The order that a document is filed under: none where it is about several."""
    numbers = {item.about for item in items}
    return numbers.pop() if len(numbers) == 1 else ""


def _issue(
    tenant: Tenant,
    kind: DocumentKind,
    content: Content,
    *,
    account_id: int,
    about: str,
    transaction_date: date,
    total: int,
    by: Actor,
) -> tuple[Document, Job]:
    return documents.issue(
        kind,
        content,
        style=tenant.numbers[kind.value],
        account_id=account_id,
        counterparty=content.recipient.name,
        about=about,
        transaction_date=transaction_date,
        total=total,
        by=by,
    )


def correct(
    tenant: Tenant,
    item: InvoiceItem,
    lines: Sequence[BillLine],
    reason: str,
    *,
    billing: dict[str, str],
    by: Actor,
) -> list[Job]:
    """Bill other lines of an item, or to another address: its invoice is issued anew, naming the
    one that it replaces (COM-72).

    Earlier documents stay as they are; the due date does not move. Receipts say what was received
    and stay too, unless the address changed. Raises RuleBroken before an invoice was issued, when
    nothing differs, below what was given back, and for what cannot be printed.
    """
    # Before anything is locked: what no typeface draws is for the operator to mend.
    check_drawable(reason, "reason")
    invoice = _locked_invoice(item)
    check_lines(tenant, lines)
    is_moved = recipient_of(billing, item.contact) != recipient_of(item.billing, item.contact)
    if list(lines) == lines_of_items([item])[item.id] and not is_moved:
        raise RuleBroken(_NOTHING_CHANGED, field="lines")
    replace_lines(item, lines)
    item.billing = billing
    invoice.billing = billing
    session().flush()
    total = _total_over_notes(tenant, invoice)
    # Before the document, which says what is owed by then.
    operations.claim(invoice, total=total)
    old = documents.find(invoice.account_id, DocumentKind.INVOICE, invoice.number)
    jobs = [issue_invoice(tenant, invoice, by=by, corrects=_replacing(old, reason))]
    # The invoice bears its new number by now.
    old.replaced_by = invoice.number
    if is_moved:
        jobs += _reissue_receipts(tenant, invoice, reason, by=by)
    return jobs


def _total_over_notes(tenant: Tenant, invoice: Invoice) -> int:
    """What an invoice asks for by its present lines, in yen with tax.

    Raises RuleBroken below what was given back of it, in all or at a rate.
    """
    # Of all orders on the invoice: tax is rounded once per rate over them together.
    everything = _lines_of(invoice)
    _require_covered(everything, lines_of_notes(invoice.id), _BELOW_CREDITED)
    total = totals_of(tenant, everything).total
    if total < invoice.credited:
        raise RuleBroken(_BELOW_CREDITED, field="lines")
    return total


def _locked_invoice(item: InvoiceItem) -> Invoice:
    """The invoice that an item is on, locked.

    Raises RuleBroken while it is on none, or on one without a document.
    """
    if item.invoice_id is None:
        raise RuleBroken(NOTHING_ISSUED)
    [invoice] = operations.lock_invoices([session().get_one(Invoice, item.invoice_id)])
    if not invoice.number:
        raise RuleBroken(NOTHING_ISSUED)
    return invoice


def _replacing(old: Document, reason: str) -> Correction:
    return Correction(old.number, documents.issued_on(old.issued_at), reason)


def _reissue_receipts(tenant: Tenant, invoice: Invoice, reason: str, *, by: Actor) -> list[Job]:
    """Issue the receipts of an invoice anew, for the same money to the right name."""
    jobs = []
    for payment in queries.payments_of({invoice.id}):
        if not payment.receipt_number or invoice.id not in queries.allocated(payment):
            continue
        old = documents.find(payment.account_id, DocumentKind.RECEIPT, payment.receipt_number)
        jobs.append(issue_receipt(tenant, payment, by=by, corrects=_replacing(old, reason)))
        old.replaced_by = payment.receipt_number
    return jobs


def _lines_of(invoice: Invoice) -> list[BillLine]:
    found = lines_of_items(queries.items_on(invoice))
    return [line for lines in found.values() for line in lines]


def give_back(
    tenant: Tenant, item: InvoiceItem, lines: Sequence[BillLine], reason: str, *, by: Actor
) -> tuple[CreditNote, Job]:
    """Ask for less of an invoice after its payment: 適格返還請求書, which names it (COM-71,
    COM-72).

    What was received beyond the rest goes back to its payments. Raises RuleBroken before a
    payment, for more than was billed, in all or at a rate, and for a reason that cannot be printed.
    """
    check_drawable(reason, "reason")
    invoice = _locked_invoice(item)
    amount = _can_give_back(tenant, invoice, lines)
    content = contents.credit_note_content(tenant, invoice, lines, reason)
    document, job = _issue(
        tenant,
        DocumentKind.CREDIT_NOTE,
        content,
        account_id=invoice.account_id,
        about=about(queries.items_on(invoice)),
        transaction_date=content.transaction_date,
        # Filed as a negative amount, so that the documents of a period add up.
        total=-amount,
        by=by,
    )
    note = CreditNote(
        account_id=invoice.account_id,
        invoice_id=invoice.id,
        number=document.number,
        reason=reason,
        total=amount,
        credited_at=clock.now(),
    )
    session().add(note)
    session().flush()
    store_credited_lines(note, lines)
    operations.claim(invoice, credited=invoice.credited + amount)
    return note, job


def _can_give_back(tenant: Tenant, invoice: Invoice, lines: Sequence[BillLine]) -> int:
    """How much these lines give back of an invoice, in yen with tax. Raises RuleBroken."""
    # As long as nothing was paid, one corrected invoice is clearer than two documents that have to
    # be read together.
    if not invoice.received + invoice.credited:
        raise RuleBroken(_CORRECT_INSTEAD)
    amount = check_lines(tenant, lines)
    if not amount:
        raise RuleBroken(_NOTHING_GIVEN_BACK, field="lines")
    if invoice.credited + amount > invoice.total:
        raise RuleBroken(_MORE_THAN_BILLED, field="lines")
    everything = _lines_of(invoice)
    _require_known_rates(everything, lines)
    _require_covered(everything, [*lines_of_notes(invoice.id), *lines], _MORE_AT_RATE)
    return amount


def _require_known_rates(billed: Sequence[BillLine], given_back: Sequence[BillLine]) -> None:
    """What is given back bears rates that were billed. Raises RuleBroken at the lines."""
    # Tax goes back at the rate at which it was charged, whatever the rate is by now.
    rates = {(line.rate, line.reduced) for line in billed}
    for line in given_back:
        if (line.rate, line.reduced) not in rates:
            known = "、".join(f"{rate}%" for rate in sorted({rate for rate, _reduced in rates}))
            raise RuleBroken(_NOT_AT_RATE, field="lines", rate=line.rate, known=known)


def _require_covered(
    billed: Iterable[BillLine], given_back: Iterable[BillLine], refusal: str
) -> None:
    """No more of a rate is given back than was billed of it. Raises RuleBroken at the lines."""
    # Rate by rate: the total may be covered where one of its rates is not.
    left: Counter[tuple[int, bool]] = Counter()
    for line in billed:
        left[line.rate, line.reduced] += line.amount
    for line in given_back:
        left[line.rate, line.reduced] -= line.amount
    for (rate, _is_reduced), amount in left.items():
        if amount < 0:
            raise RuleBroken(refusal, field="lines", rate=rate)
