"""What a reservation's documents say: its facts laid out as the content of an invoice and of a work report."""

from collections.abc import Sequence
from dataclasses import replace

from portal.blueprints.facility.models import Reservation
from portal.core import clock, text
from portal.core.tenancy.schema import Tenant
from portal.shared.billing import lines as bill_lines
from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import Rounding, totals_excluded
from portal.shared.documents.content import (
    InvoiceContent,
    Issuer,
    Labour,
    Material,
    Party,
    ReceiptContent,
    WorkReportContent,
)
from portal.shared.documents.models import Document


def issuer_of(tenant: Tenant) -> Issuer:
    """The tenant as the issuer of documents."""
    issuer = tenant.issuer
    return Issuer(
        name=issuer.name or tenant.company,
        registration_number=issuer.registration_number or "",
        postal_code=issuer.postal_code,
        address=issuer.address,
        telephone=issuer.telephone,
        person=issuer.person,
        bank=issuer.bank,
        seal=issuer.seal,
        accent=tenant.theme.brand_strong,
    )


def recipient_of(reservation: Reservation) -> Party:
    """Whom the documents are for: the billing address as it was copied at booking (COM-33)."""
    billing = reservation.billing
    return Party(
        name=billing["name"],
        honorific=billing.get("honorific", "御中"),
        postal_code=text.format_postal_code(billing.get("postal_code", "")),
        address=billing.get("address", ""),
        department=billing.get("department", ""),
        person=billing.get("person", ""),
    )


def invoice_content(tenant: Tenant, reservation: Reservation) -> InvoiceContent:
    """The invoice of a reservation whose amount is fixed."""
    first, last = (clock.to_local(at).date() for at in (reservation.starts_at, reservation.ends_at))
    what = "ご利用料金"
    if reservation.cancelled_at:
        first, last, what = reservation.traded_on, reservation.traded_on, "キャンセル料"
    return InvoiceContent(
        number="",
        issued_on=clock.today(),
        traded_on=first,
        traded_until=last if last != first else None,
        due_on=reservation.due_date,
        recipient=recipient_of(reservation),
        issuer=issuer_of(tenant),
        lines=tuple(bill_lines.from_json(reservation.lines)),
        subject=f"{reservation.facility_name} {what}",
        rounding=Rounding(tenant.tax.rounding),
        references=(("予約番号", reservation.number),),
    )


def credit_note_content(
    tenant: Tenant, reservation: Reservation, lines: Sequence[BillLine], invoice: Document, reason: str
) -> InvoiceContent:
    """What is given back of a paid reservation: it names the invoice and the day that it goes back on (COM-71)."""
    facts = (("元の請求書番号", invoice.number), ("予約番号", reservation.number))
    given_back = invoice_content(tenant, reservation)
    return replace(given_back, lines=tuple(lines), due_on=None, references=facts, remarks=f"返還の理由：{reason}")


def work_report_content(tenant: Tenant, reservation: Reservation) -> WorkReportContent:
    """The work report of a finished reservation."""
    report = reservation.work_report or {}
    done_on = clock.to_local(reservation.finished_at or reservation.ends_at).date()
    labour = (Labour(report["worker"], done_on, report["minutes"]),) if report.get("worker") else ()
    materials = tuple(
        Material(name.strip(), "1", "式") for name in report.get("materials", "").split("、") if name.strip()
    )
    return WorkReportContent(
        number="",
        issued_on=clock.today(),
        reservation_number=reservation.number,
        facility=reservation.facility_name,
        used_from=reservation.starts_at,
        used_until=reservation.finished_at or reservation.ends_at,
        recipient=recipient_of(reservation),
        issuer=issuer_of(tenant),
        work=report.get("done", ""),
        labour=labour,
        materials=materials,
        subject=reservation.purpose,
    )


def receipt_content(tenant: Tenant, reservation: Reservation) -> ReceiptContent:
    """The receipt of a reservation that is paid, or of a cancellation's charge."""
    what = "キャンセル料" if reservation.cancelled_at else "ご利用料金"
    lines = [line.tax_line for line in bill_lines.from_json(reservation.lines)]
    return ReceiptContent(
        number="",
        issued_on=clock.today(),
        paid_on=clock.to_local(reservation.paid_at or clock.now()).date(),
        recipient=recipient_of(reservation),
        issuer=issuer_of(tenant),
        totals=totals_excluded(lines, Rounding(tenant.tax.rounding)),
        proviso=f"{reservation.facility_name} {what}（予約番号 {reservation.number}）",
    )
