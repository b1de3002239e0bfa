"""What can be done with a reservation. Each operation has its question `can_…`, asked by page, route and CLI alike."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.models import MOVES, Reservation, Status
from portal.core import audit, clock, states
from portal.core.actor import Actor
from portal.core.db import change, session
from portal.core.errors import RuleBroken, Stale, msgid
from portal.core.tenancy.schema import Tenant
from portal.core.verdict import YES, Verdict
from portal.shared import notifications
from portal.shared.billing.lines import BillLine
from portal.shared.documents.billed import bill
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.notifications import Kind

NOT_BEFORE_BILLED = msgid("ご利用後、ご請求金額が確定するとダウンロードできます。")
_TOO_LATE = msgid("ご利用前のご予約に限り、お申し込みいただけます。")
_ONLY_REQUESTS = msgid("お断りできるのは、予約受付のご予約に限ります。")
NOT_BEFORE_PAID = msgid("ご入金の確認後にダウンロードできます。")
ONLY_USED = msgid("キャンセルされたご予約には作業完了報告書がありません。")
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
class WorkReport:
    """What was done (FAC-12): by whom, how long (minutes) and with what."""

    done: str
    worker: str
    minutes: int
    materials: str = ""


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
    states.move(reservation, to, MOVES, by=by, **changes)
    tell(tenant, reservation)


def confirm(tenant: Tenant, reservation: Reservation, *, by: Actor) -> None:
    """予約受付 → 予約確定."""
    _move(tenant, reservation, Status.CONFIRMED, by=by, confirmed_at=clock.now())


def cancellation_charge(tenant: Tenant, reservation: Reservation) -> int | None:
    """What a cancellation would cost now, in yen: percent of the price, a part of a yen dropped (FAC-05).

    None when it would cost something and the price is not known, as with reservations from before.
    """
    percent = cancellation_percent(tenant, reservation)
    if reservation.price is None:
        return None if percent else 0
    return reservation.price * percent // 100


def decline(tenant: Tenant, reservation: Reservation, *, by: Actor) -> None:
    """Decline a request: without a charge. Raises RuleBroken once it is confirmed."""
    can_move(reservation, Status.CANCELLED).require()
    if reservation.status is not Status.REQUESTED:
        raise RuleBroken(_ONLY_REQUESTS)
    cancel(tenant, reservation, by=by, charge=0)


def cancel(tenant: Tenant, reservation: Reservation, *, by: Actor, charge: int | None = None) -> None:
    """Cancel before the use, for `charge` yen, by the tenant's table when None (FAC-05).

    The charge makes good a loss and buys nothing, so there is no consumption tax in it; it is billed like a use.
    """
    can_move(reservation, Status.CANCELLED).require()
    if charge is None:
        charge = cancellation_charge(tenant, reservation)
    if charge is None:
        raise RuleBroken("料金が記録されていないため、キャンセル料を金額で指定してください。", field="charge")
    now = clock.now()
    billed: dict[str, Any] = {}
    if charge:
        line = BillLine("キャンセル料", 1, "式", charge, 0, day=clock.today())
        billed = bill(tenant, [line], clock.today()) | {"billed_at": now}
    _move(tenant, reservation, Status.CANCELLED, by=by, cancelled_at=now, held_until=None, **billed)


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
    billed = bill(tenant, lines, clock.to_local(reservation.finished_at or reservation.ends_at).date())
    _move(tenant, reservation, Status.BILLED, by=by, billed_at=clock.now(), **billed)


def can_issue(reservation: Reservation) -> Verdict:
    """Whether documents can be issued: once the amount is fixed, that of a cancellation too (FAC-04)."""
    is_billed = reservation.status in (Status.BILLED, Status.PAID) or (
        reservation.status is Status.CANCELLED and reservation.total
    )
    return YES if is_billed else Verdict(NOT_BEFORE_BILLED)


def can_download(reservation: Reservation, kind: DocumentKind, document: Document | None) -> Verdict:
    """Whether the page offers this document, and if not, why (FAC-04)."""
    if reservation.status is Status.CANCELLED and kind is DocumentKind.WORK_REPORT:
        return Verdict(ONLY_USED)
    if not can_issue(reservation):
        return Verdict(NOT_BEFORE_BILLED)
    if kind is DocumentKind.RECEIPT and not reservation.paid_at:
        return Verdict(NOT_BEFORE_PAID)
    return YES if document is not None and document.sha256 else Verdict(_BEING_DRAWN)


def record_payment(tenant: Tenant, reservation: Reservation, *, by: Actor) -> None:
    """請求確定 → お支払済; of a cancellation's charge only that and when it was paid."""
    if reservation.status is not Status.CANCELLED or not reservation.total:
        return _move(tenant, reservation, Status.PAID, by=by, paid_at=clock.now())
    if not _once(reservation, "paid_at"):
        raise Stale("キャンセル料は入金済みです。")
    audit.record("reservation.pay_charge", reservation, by=by)
    return tell(tenant, reservation, _SENTENCES[Status.PAID], label="ご入金の確認")


def remind(tenant: Tenant) -> int:
    """Mail a reminder of each confirmed use that comes near, once; returns how many. Index: ix_reservation_worklist."""
    config: FacilityConfig = tenant.section("facility")
    now = clock.now()
    coming = select(Reservation).where(
        Reservation.status == Status.CONFIRMED,
        Reservation.starts_at > now,
        Reservation.starts_at <= now + timedelta(hours=config.reminder_hours),
        Reservation.reminded_at.is_(None),
    )
    found = [r for r in session().scalars(coming.limit(500)) if _once(r, "reminded_at")]
    for reservation in found:
        sentence, label = "ご利用日時が近づきましたので、お知らせします。", "ご利用前のご案内"
        tell(tenant, reservation, sentence, label=label, kind=Kind.REMINDERS)
    session().commit()
    return len(found)


def _once(reservation: Reservation, instant: str) -> bool:
    """Set an instant that is set once; False when somebody was quicker."""
    unset = Reservation.id == reservation.id, getattr(Reservation, instant).is_(None)
    was_first = change(Reservation, *unset, **{instant: clock.now()}) == 1
    session().refresh(reservation)
    return was_first


def tell(
    tenant: Tenant, reservation: Reservation, sentence: str = "", *, label: str = "", kind: Kind = Kind.STATUS
) -> None:
    """Mail the contact person what became of their reservation, in the same transaction."""
    said = {"sentence": sentence or _SENTENCES[reservation.status], "label": label or reservation.status.label}
    to, account_id = reservation.contact["email"], reservation.account_id
    notifications.send(tenant, kind, "reservation_status", to, account_id=account_id, reservation=reservation, **said)
