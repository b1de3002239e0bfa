"""What can be done with a reservation. Each operation has its question `can_…`, asked by page, route and CLI alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.models import MOVES, Facility, Reservation, Status
from portal.blueprints.facility.papers import invoice_content, work_report_content
from portal.core import audit, clock, numbering, states
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.core.verdict import YES, Verdict
from portal.shared import mailing
from portal.shared.auth.models import Account, Member
from portal.shared.billing import lines as bill_lines
from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import Rounding, totals_excluded
from portal.shared.billing.terms import Shift, due_date
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind
from portal.shared.documents import operations as documents
from portal.shared.documents.models import Document, DocumentKind

NOT_BEFORE_BILLED = msgid("ご利用後、ご請求金額が確定するとダウンロードできます。")
_TOO_LATE = msgid("ご利用前のご予約に限り、お申し込みいただけます。")
_BEING_DRAWN = msgid("帳票を準備しています。しばらくお待ちください。")
_SENTENCES = {
    Status.REQUESTED: "ご予約を受け付けました。確定まで今しばらくお待ちください。",
    Status.CONFIRMED: "ご予約が確定しました。ご来場をお待ちしております。",
    Status.IN_USE: "ご利用を開始しました。",
    Status.USED: "ご利用が終了しました。ご請求金額が確定しましたら、あらためてお知らせします。",
    Status.BILLED: "ご請求金額が確定しました。帳票の準備ができ次第、マイページからダウンロードできます。",
    Status.PAID: "ご入金を確認しました。ありがとうございました。",
    Status.CANCELLED: "ご予約をキャンセルしました。",
}


@dataclass(frozen=True, slots=True)
class Booking:
    """What a reservation is made of. Instants are aware UTC."""

    facility: Facility
    starts_at: datetime
    ends_at: datetime
    purpose: str = ""
    remarks: str = ""
    headcount: int = 1
    options: Sequence[str] = field(default_factory=list)
    billing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkReport:
    """What was done (FAC-12): by whom, how long (minutes) and with what."""

    done: str
    worker: str
    minutes: int
    materials: str = ""


def book(tenant: Tenant, account: Account, contact: Member, booking: Booking, *, by: Actor) -> Reservation:
    """Take a reservation in as 予約受付. The caller commits.

    Raises RuleBroken when the times are the wrong way round or the facility is not to be had.
    """
    if booking.ends_at <= booking.starts_at:
        raise RuleBroken("終了日時は開始日時より後にしてください。", field="ends_at")
    if not booking.facility.is_active:
        raise RuleBroken("この設備は現在ご予約いただけません。", field="facility")
    reservation = Reservation(
        number=numbering.next_number("reservation", tenant.numbers["reservation"], Reservation.number),
        account_id=account.id,
        facility_id=booking.facility.id,
        facility_name=booking.facility.name,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        options=list(booking.options),
        headcount=booking.headcount,
        purpose=booking.purpose,
        remarks=booking.remarks,
        contact=contact_copy(contact),
        billing=booking.billing or billing_copy(account, contact),
        booked_at=clock.now(),
    )
    session().add(reservation)
    session().flush()
    audit.record("reservation.book", reservation.subject, by=by, account_id=account.id)
    _tell(tenant, reservation)
    return reservation


def contact_copy(member: Member) -> dict[str, str]:
    """The contact person as they are today; later changes do not reach the reservation."""
    return {
        "name": member.name,
        "department": member.department,
        "telephone": member.telephone,
        "email": member.email,
    }


def billing_copy(account: Account, member: Member) -> dict[str, str]:
    """The billing address as it is today: the usual one of the book, else the account's own (COM-31, COM-33)."""
    usual = contacts.usual(account.id, Kind.BILLING)
    if usual:
        kept = {name: getattr(usual, name) for name in ("name", "department", "person", "postal_code")}
        return kept | {"address": usual.written}
    return {
        "name": account.name,
        "department": member.department,
        "person": member.name,
        "postal_code": account.postal_code,
        "address": account.address,
    }


def can_ask(reservation: Reservation) -> Verdict:
    """Whether a change or a cancellation can still be asked for: before the use (FAC-05)."""
    return YES if reservation.status in (Status.REQUESTED, Status.CONFIRMED) else Verdict(_TOO_LATE)


def cancellation_percent(tenant: Tenant, reservation: Reservation) -> int:
    """What a cancellation would cost now, in percent of the price, by days before the use in Tokyo (FAC-05)."""
    days = (clock.to_local(reservation.starts_at).date() - clock.to_local(clock.now()).date()).days
    config: FacilityConfig = tenant.section("facility")
    return config.cancellation_percent(max(days, 0))


def can_move(reservation: Reservation, to: Status) -> Verdict:
    """Whether the reservation can go to `to` now (FAC-10)."""
    if states.allowed(MOVES, reservation.status, to):
        return YES
    return Verdict(f"状態が「{reservation.status.label}」のため、「{to.label}」にはできません。")


def _move(tenant: Tenant, reservation: Reservation, to: Status, *, by: Actor, **changes: Any) -> None:
    can_move(reservation, to).require()
    states.move(reservation, to, MOVES, by=by, account_id=reservation.account_id, **changes)
    _tell(tenant, reservation)


def confirm(tenant: Tenant, reservation: Reservation, *, by: Actor) -> None:
    """予約受付 → 予約確定."""
    _move(tenant, reservation, Status.CONFIRMED, by=by, confirmed_at=clock.now())


def cancel(tenant: Tenant, reservation: Reservation, *, by: Actor) -> None:
    """Cancel, or decline a request: only before the use."""
    _move(tenant, reservation, Status.CANCELLED, by=by, cancelled_at=clock.now())


def start(tenant: Tenant, reservation: Reservation, *, by: Actor) -> None:
    """予約確定 → ご利用中."""
    _move(tenant, reservation, Status.IN_USE, by=by, started_at=clock.now())


def finish(tenant: Tenant, reservation: Reservation, report: WorkReport, *, by: Actor) -> None:
    """ご利用中 → ご利用済, with the work report."""
    if report.minutes <= 0:
        raise RuleBroken("作業時間は1分以上で入力してください。", field="minutes")
    _move(tenant, reservation, Status.USED, by=by, finished_at=clock.now(), work_report=asdict(report))


def fix_amount(tenant: Tenant, reservation: Reservation, lines: Sequence[BillLine], *, by: Actor) -> None:
    """ご利用済 → 請求確定: the lines are fixed, tax is reckoned once per rate, the due date follows from the terms."""
    if not lines:
        raise RuleBroken("請求明細を1行以上入力してください。", field="lines")
    total = totals_excluded([line.tax_line for line in lines], Rounding(tenant.tax.rounding)).total
    if total < 0:
        raise RuleBroken("ご請求金額がマイナスになります。", field="lines")
    used_on = clock.to_local(reservation.finished_at or reservation.ends_at).date()
    due = due_date(
        used_on,
        tenant.terms.closing_day,
        tenant.terms.months,
        Shift(tenant.terms.shift),
        tenant.calendar.is_open,
    )
    _move(
        tenant,
        reservation,
        Status.BILLED,
        by=by,
        billed_at=clock.now(),
        lines=bill_lines.to_json(lines),
        total=total,
        due_date=due,
    )


def can_issue(reservation: Reservation) -> Verdict:
    """Whether documents can be issued: once the amount is fixed (FAC-04)."""
    return YES if reservation.status in (Status.BILLED, Status.PAID) else Verdict(NOT_BEFORE_BILLED)


def issue(tenant: Tenant, reservation: Reservation, *, by: Actor) -> list[int]:
    """Issue invoice and work report, each once; returns the ids of the jobs that draw them."""
    can_issue(reservation).require()
    drawn: list[int] = []
    makers = {DocumentKind.INVOICE: invoice_content, DocumentKind.WORK_REPORT: work_report_content}
    for kind, make in makers.items():
        if documents.latest(reservation.account_id, reservation.number, kind):
            continue
        _, job = documents.issue(
            kind,
            make(tenant, reservation),
            style=tenant.numbers[kind.value],
            account_id=reservation.account_id,
            counterparty=reservation.billing["name"],
            about=reservation.number,
            transaction_date=clock.to_local(reservation.finished_at or reservation.ends_at).date(),
            total=reservation.total or 0,
            by=by,
        )
        drawn.append(job.id)
    return drawn


def can_download(reservation: Reservation, document: Document | None) -> Verdict:
    """Whether the page offers this document, and if not, why (FAC-04)."""
    if not can_issue(reservation):
        return Verdict(NOT_BEFORE_BILLED)
    return YES if document is not None and document.sha256 else Verdict(_BEING_DRAWN)


def record_payment(tenant: Tenant, reservation: Reservation, *, by: Actor) -> None:
    """請求確定 → お支払済."""
    _move(tenant, reservation, Status.PAID, by=by, paid_at=clock.now())


def _tell(tenant: Tenant, reservation: Reservation) -> None:
    """Mail the contact person what became of their reservation, in the same transaction."""
    mailing.compose(
        tenant,
        "reservation_status",
        reservation.contact["email"],
        account_id=reservation.account_id,
        reservation=reservation,
        sentence=_SENTENCES[reservation.status],
        label=reservation.status.label,
    )
