"""What a reservation's documents say, and when they can be issued (FAC-04)."""

from portal.blueprints.facility.models import Reservation, Status
from portal.blueprints.facility.operations import LIFE, can_issue
from portal.core.clock import to_local
from portal.core.tenancy.schema import Tenant
from portal.shared.documents import billed
from portal.shared.documents.content import InvoiceContent, Labour, Material, ReceiptContent, WorkReportContent
from portal.shared.documents.models import DocumentKind


def _what(reservation: Reservation) -> str:
    return f"{reservation.facility_name} {'キャンセル料' if reservation.cancelled_at else 'ご利用料金'}"


def invoice_content(tenant: Tenant, reservation: Reservation) -> InvoiceContent:
    """The invoice of a reservation whose amount is fixed."""
    first, last = to_local(reservation.starts_at).date(), to_local(reservation.ends_at).date()
    if reservation.cancelled_at:
        first = last = reservation.traded_on
    days = {"traded_on": first, "traded_until": last if last != first else None}
    about = {"subject": _what(reservation), "references": (("予約番号", reservation.number),)}
    return billed.invoice(tenant, reservation, **days, **about)


def work_report_content(tenant: Tenant, reservation: Reservation) -> WorkReportContent:
    """The work report of a finished reservation."""
    report, ended = reservation.work_report or {}, reservation.finished_at or reservation.ends_at
    materials = [name.strip() for name in report.get("materials", "").split("、")]
    labour = (Labour(report["worker"], to_local(ended).date(), report["minutes"]),) if report.get("worker") else ()
    return WorkReportContent(
        **billed.heads(tenant, reservation),
        reservation_number=reservation.number,
        facility=reservation.facility_name,
        used_from=reservation.starts_at,
        used_until=ended,
        work=report.get("done", ""),
        labour=labour,
        materials=tuple(Material(name, "1", "式") for name in materials if name),
        subject=reservation.purpose,
    )


def receipt_content(tenant: Tenant, reservation: Reservation) -> ReceiptContent:
    """The receipt of a reservation that is paid, or of a cancellation's charge."""
    return billed.receipt(tenant, reservation, f"{_what(reservation)}（予約番号 {reservation.number}）")


def _due(reservation: Reservation) -> set[DocumentKind]:
    """The invoice, of a use the work report, once paid the receipt. Raises RuleBroken while nothing is billed."""
    can_issue(reservation).require()
    of_use = set() if reservation.status is Status.CANCELLED else {DocumentKind.WORK_REPORT}
    return {DocumentKind.INVOICE} | of_use | ({DocumentKind.RECEIPT} if reservation.paid_at else set())


_MAKERS = {
    DocumentKind.INVOICE: invoice_content,
    DocumentKind.WORK_REPORT: work_report_content,
    DocumentKind.RECEIPT: receipt_content,
}
PAPERS = billed.Papers(_MAKERS, due=_due, tell=LIFE.tell)
issue, correct, refund = PAPERS.issue, PAPERS.correct, PAPERS.refund
