"""Issuing a reservation's documents, correcting them, giving money back (FAC-04, COM-71, COM-72)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from portal.blueprints.facility.models import Reservation, Status
from portal.blueprints.facility.operations import bill, can_issue, tell
from portal.blueprints.facility.papers import credit_note_content, invoice_content, receipt_content, work_report_content
from portal.core import audit
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.shared.billing.lines import BillLine
from portal.shared.documents import operations as documents
from portal.shared.documents.content import Correction
from portal.shared.documents.models import DocumentKind

_CORRECTED = "ご請求内容を訂正しました。訂正後の帳票は、マイページからダウンロードできます。"
_REFUNDED = "ご請求金額の一部を返還いたします。返還請求書は、マイページの「帳票」からダウンロードできます。"
NOTHING_ISSUED = msgid("請求書がまだ発行されていません。")
_MAKERS: dict[DocumentKind, Callable[[Tenant, Reservation], Any]] = {
    DocumentKind.INVOICE: invoice_content,
    DocumentKind.WORK_REPORT: work_report_content,
    DocumentKind.RECEIPT: receipt_content,
}


def issue(tenant: Tenant, reservation: Reservation, *, by: Actor) -> list[int]:
    """Issue invoice, of a use the work report, once paid the receipt, each once; returns the jobs that draw them."""
    can_issue(reservation).require()
    due = {DocumentKind.INVOICE}
    due |= set() if reservation.status is Status.CANCELLED else {DocumentKind.WORK_REPORT}
    due |= {DocumentKind.RECEIPT} if reservation.paid_at else set()
    issued = documents.about(reservation.account_id, reservation.number)
    missing = [(kind, make) for kind, make in _MAKERS.items() if kind in due - issued.keys()]
    return [_issue(tenant, reservation, kind, make(tenant, reservation), by=by) for kind, make in missing]


def _issue(
    tenant: Tenant, reservation: Reservation, kind: DocumentKind, content: Any, *, by: Actor, total: int | None = None
) -> int:
    _document, job = documents.issue(
        kind,
        content,
        style=tenant.numbers[kind.value],
        account_id=reservation.account_id,
        counterparty=reservation.billing["name"],
        about=reservation.number,
        transaction_date=reservation.traded_on,
        total=(reservation.total or 0) if total is None else total,
        by=by,
    )
    return job.id


def correct(
    tenant: Tenant, reservation: Reservation, lines: Sequence[BillLine], reason: str, *, by: Actor
) -> list[int]:
    """Bill other lines than were billed: invoice and receipt are issued anew, naming what they replace (COM-72).

    The earlier documents stay as they are. The due date does not move. Returns the jobs that draw. Raises RuleBroken
    before an invoice was issued, or when nothing differs.
    """
    session().refresh(reservation, with_for_update=True)
    issued = documents.about(reservation.account_id, reservation.number)
    if DocumentKind.INVOICE not in issued:
        raise RuleBroken(NOTHING_ISSUED)
    billed = bill(tenant, lines, reservation.traded_on)
    if billed["lines"] == reservation.lines:
        raise RuleBroken("請求明細が変わっていません。", field="lines")
    before, reservation.lines, reservation.total = reservation.total, billed["lines"], billed["total"]
    audit.record("reservation.correct", reservation, by=by, reason=reason, total=[before, reservation.total])
    tell(tenant, reservation, _CORRECTED, label="ご請求内容の訂正")
    drawn = []
    for kind in (DocumentKind.INVOICE, DocumentKind.RECEIPT):
        if old := issued.get(kind):
            corrects = Correction(old.number, documents.issued_on(old.issued_at), reason)
            content = replace(_MAKERS[kind](tenant, reservation), corrects=corrects)
            drawn.append(_issue(tenant, reservation, kind, content, by=by))
    return drawn


def refund(tenant: Tenant, reservation: Reservation, lines: Sequence[BillLine], reason: str, *, by: Actor) -> list[int]:
    """Give a part of what was paid back: 適格返還請求書, which names the invoice (COM-71, COM-72).

    Returns the job that draws it. Raises RuleBroken before the payment, and for more than was paid.
    """
    session().refresh(reservation, with_for_update=True)
    issued = documents.of_thing(reservation.account_id, reservation.number)
    invoice = next((document for document in reversed(issued) if document.kind is DocumentKind.INVOICE), None)
    if invoice is None or not reservation.paid_at:
        raise RuleBroken("ご入金の前は、返還ではなく訂正をしてください。")
    amount = bill(tenant, lines, reservation.traded_on)["total"]
    before = -sum(document.total for document in issued if document.kind is DocumentKind.CREDIT_NOTE)
    if before + amount > (reservation.total or 0):
        raise RuleBroken("返還金額の合計が、お支払い金額を超えます。", field="lines")
    audit.record("reservation.refund", reservation, by=by, reason=reason, total=amount)
    tell(tenant, reservation, _REFUNDED, label="ご請求金額の返還")
    content = credit_note_content(tenant, reservation, lines, invoice, reason)
    return [_issue(tenant, reservation, DocumentKind.CREDIT_NOTE, content, by=by, total=-amount)]
