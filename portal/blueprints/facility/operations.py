"""What can be done with a reservation, and what its documents say (FAC-04, FAC-10).

Each operation has its question `can_…`, asked by page, route and CLI alike.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select

from portal.blueprints.facility.billing_items import charge_item, use_item
from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.models import MOVES, REOPENED, Reservation, Status
from portal.blueprints.facility.work_reports import work_report_content
from portal.config import Tenant
from portal.core import (
    ALLOWED,
    SYSTEM,
    Actor,
    Decision,
    RuleBroken,
    Stale,
    audit,
    clock,
    gettext_noop,
    session,
    states,
)
from portal.shared.billing.lines import BillLine
from portal.shared.documents.models import DocumentKind
from portal.shared.documents.typefaces import check_drawable
from portal.shared.invoicing.models import CreditNote
from portal.shared.invoicing.operations import Remittance
from portal.shared.invoicing.queries import OrderMoney
from portal.shared.invoicing.reminders import remind_overdue
from portal.shared.orders.billing import OrderBilling
from portal.shared.orders.closing import close_due
from portal.shared.orders.workflow import OrderWorkflow, Step, set_once

NOT_BEFORE_BILLED = gettext_noop("ご利用後、ご請求金額が確定するとダウンロードできます。")
_BEFORE_THE_DAY = gettext_noop("ご利用日より前に開始することはできません。")
_TOO_LATE = gettext_noop("ご利用前のご予約に限り、お申し込みいただけます。")
_ONLY_REQUESTS = gettext_noop("お断りできるのは、予約受付のご予約に限ります。")
_NOT_YET = gettext_noop("%(at)sはまだ先の日時です。現在までの日時を指定してください。")
_ENDS_FIRST = gettext_noop(
    "終了日時（%(until)s）は、ご利用の開始日時（%(since)s）より後にしてください。"
)
_LONGER_THAN_USE = gettext_noop(
    "作業時間（%(minutes)s分）が、ご利用時間（%(since)sから%(until)sまでの%(used)s分）を超えています。"
    "作業時間を確認するか、実際の終了日時を指定してください。"
)
NOT_BEFORE_CLOSED = gettext_noop("締め日に、ほかのご利用分とあわせて請求書を発行します。")
NOT_BEFORE_PAID = gettext_noop("ご入金の確認後にダウンロードできます。")
ONLY_USED = gettext_noop("キャンセルされたご予約には作業完了報告書がありません。")
NOT_FROM_HERE = gettext_noop(
    "以前のシステムでお取り扱いしたご予約のため、マイページでは発行していません。必要な場合はお問い合わせください。"
)
_BILLED = "ご請求金額が確定しました。帳票の準備ができ次第、マイページからダウンロードできます。"
_PAID = "ご入金を確認しました。ありがとうございました。"
_PARTLY_PAID = "ご入金を確認しました。残りのご請求金額は、マイページでご確認ください。"
_STEPS = {
    Status.REQUESTED: Step(
        "booked_at",
        "ご予約受付のお知らせ",
        "ご予約を受け付けました。確定しましたら、あらためてメールでお知らせします。",
    ),
    Status.CONFIRMED: Step(
        "confirmed_at",
        "ご予約確定のお知らせ",
        "ご予約が確定しました。ご来場をお待ちしております。\n"
        "変更・キャンセルは、ご予約の詳細のページからお申し込みいただけます。",
    ),
    Status.IN_USE: Step("started_at", "ご利用開始のお知らせ", "ご利用を開始しました。"),
    Status.USED: Step(
        "finished_at",
        "ご利用終了のお知らせ",
        "ご利用が終了しました。ご請求金額が確定しましたら、あらためてお知らせします。",
    ),
    Status.BILLED: Step("billed_at", "ご請求金額確定のお知らせ", _BILLED),
    Status.PAID: Step("paid_at", "ご入金確認のお知らせ", _PAID),
    Status.CANCELLED: Step(
        "cancelled_at", "ご予約キャンセルのお知らせ", "ご予約をキャンセルしました。"
    ),
}
LIFE = OrderWorkflow(MOVES, _STEPS, "reservation_status", endpoint="facility.reservation")


def can_move(reservation: Reservation, to: Status) -> Decision:
    """Whether the reservation can go to `to` now (FAC-10)."""
    return LIFE.can(reservation, to)


def confirm(tenant: Tenant, reservation: Reservation, *, by: Actor) -> None:
    """予約受付 → 予約確定. Raises RuleBroken, and Stale when somebody was quicker."""
    LIFE.move(tenant, reservation, Status.CONFIRMED, by=by)


@dataclass(frozen=True, slots=True)
class WorkReport:
    """What was done, by whom, with what, and how long (FAC-12).

    `minutes` is None where the work took as long as the use.
    """

    done: str
    worker: str
    minutes: int | None = None
    materials: str = ""


def can_ask(reservation: Reservation) -> Decision:
    """Whether a change or a cancellation can still be asked for: before the use (FAC-05)."""
    if reservation.status in (Status.REQUESTED, Status.CONFIRMED):
        return ALLOWED
    return Decision(_TOO_LATE)


def can_start(reservation: Reservation, at: datetime | None = None) -> Decision:
    """Whether the use can begin `at` (now): from the day of use on, counted in Tokyo (FAC-12)."""
    # By days and not by hours: who comes early in the morning is let in.
    day = clock.to_local(at or clock.now()).date()
    is_early = day < clock.to_local(reservation.starts_at).date()
    return Decision(_BEFORE_THE_DAY) if is_early else ALLOWED


def start(
    tenant: Tenant,
    reservation: Reservation,
    *,
    by: Actor,
    even_so: str = "",
    at: datetime | None = None,
) -> None:
    """予約確定 → ご利用中, from the day of use on; earlier only for a reason, `even_so`, kept in
    the trail.

    The use began `at` that instant (UTC); otherwise as booked, because a desk records it when it
    finds the time, or now where that is earlier. Raises RuleBroken, and Stale when somebody else
    moved the reservation first.
    """
    LIFE.can(reservation, Status.IN_USE).require()
    _require_past(at, "at")
    allow_even_so(reservation, can_start(reservation, at), even_so, by=by)
    began_at = at or min(clock.now(), reservation.starts_at)
    LIFE.move(tenant, reservation, Status.IN_USE, by=by, used_from=began_at)


def _written(at: datetime) -> str:
    return f"{clock.to_local(at):%Y-%m-%d %H:%M}"


def _require_past(at: datetime | None, field: str) -> None:
    if at and at > clock.now():
        raise RuleBroken(_NOT_YET, field=field, at=_written(at))


def allow_even_so(reservation: Reservation, decision: Decision, reason: str, *, by: Actor) -> None:
    """Let an operator pass a refusal by giving a reason, and record both; without one raise
    RuleBroken.
    """
    if decision:
        return
    if not reason:
        decision.require()
    audit.record("reservation.even_so", reservation, by=by, refused=decision.reason, reason=reason)


def cancellation_percent(tenant: Tenant, reservation: Reservation) -> int:
    """What a cancellation would cost now, in percent of the price, by days before the use in Tokyo
    (FAC-05).
    """
    config: FacilityConfig = tenant.section("facility")
    return config.cancellation_percent(
        (clock.to_local(reservation.starts_at).date() - clock.today()).days
    )


def cancellation_charge(tenant: Tenant, reservation: Reservation) -> int | None:
    """What a cancellation costs now, in whole yen (FAC-05).

    None where there is a charge and no price is known.
    """
    percent = cancellation_percent(tenant, reservation)
    if reservation.price is None:
        return None if percent else 0
    return reservation.price * percent // 100


def decline(tenant: Tenant, reservation: Reservation, *, by: Actor) -> None:
    """Decline a request: without a charge. Raises RuleBroken once it is confirmed."""
    LIFE.can(reservation, Status.CANCELLED).require()
    if reservation.status is not Status.REQUESTED:
        raise RuleBroken(_ONLY_REQUESTS)
    cancel(tenant, reservation, by=by, charge=0)


def cancel(
    tenant: Tenant, reservation: Reservation, *, by: Actor, charge: int | None = None
) -> None:
    """Cancel before the use, for `charge` yen or by the tenant's table; a loss made good bears no
    tax (FAC-05).
    """
    LIFE.can(reservation, Status.CANCELLED).require()
    if charge is None:
        charge = cancellation_charge(tenant, reservation)
    if charge is None:
        raise RuleBroken(
            "料金が記録されていないため、キャンセル料を金額で指定してください。", field="charge"
        )
    # Free for others from the same UPDATE on.
    changes: dict[str, object] = {"held_until": None}
    if charge:
        # Bears no tax: it makes good a loss, and nothing was supplied for it
        # (消費税法基本通達5-5-2).
        line = BillLine("キャンセル料", 1, "式", charge, 0, day=clock.today())
        bill = BILLING.bill(tenant, charge_item(reservation), [line], by=by)
        changes["total"] = bill.total
        changes["due_date"] = bill.due_date
        changes["billed_at"] = clock.now()
        changes["documents_due_at"] = clock.now()
    LIFE.move(tenant, reservation, Status.CANCELLED, by=by, **changes)


def finish(
    tenant: Tenant,
    reservation: Reservation,
    report: WorkReport,
    *,
    by: Actor,
    ended_at: datetime | None = None,
) -> None:
    """ご利用中 → ご利用済, with the work report. Raises RuleBroken at the field that is wrong.

    The use ended at the instant `ended_at` (UTC); otherwise as booked, or now where that is
    earlier. Nobody worked longer than it took: the paper says both.
    """
    LIFE.can(reservation, Status.USED).require()
    until = _end_of_use(reservation, ended_at)
    minutes = _minutes_worked(reservation.began_at, until, report.minutes)
    # Checked now: the report is drawn by a worker, when nobody is there to mend it.
    for name in ("done", "worker", "materials"):
        check_drawable(getattr(report, name), name)
    kept = asdict(replace(report, minutes=minutes))
    LIFE.move(tenant, reservation, Status.USED, by=by, work_report=kept, used_until=until)


def _end_of_use(reservation: Reservation, ended_at: datetime | None) -> datetime:
    """When a use that is finished now ended.

    Raises RuleBroken for what is to come or before its beginning.
    """
    _require_past(ended_at, "ended_at")
    began_at = reservation.began_at
    if ended_at is None:
        return max(min(clock.now(), reservation.ends_at), began_at)
    if ended_at <= began_at:
        times = {"since": _written(began_at), "until": _written(ended_at)}
        raise RuleBroken(_ENDS_FIRST, field="ended_at", **times)
    return ended_at


def _minutes_worked(since: datetime, until: datetime, minutes: int | None) -> int:
    """`minutes`, or as many as the use took, of which a begun one counts.

    Raises RuleBroken for none and for more.
    """
    # Negated twice, since // rounds down and a begun minute counts.
    used = max(1, -((since - until) // timedelta(minutes=1)))
    if minutes is None:
        return used
    if minutes <= 0:
        raise RuleBroken("作業時間は1分以上で入力してください。", field="minutes")
    if minutes > used:
        span = {"since": _written(since), "until": _written(until), "used": used}
        raise RuleBroken(_LONGER_THAN_USE, field="minutes", minutes=minutes, **span)
    return minutes


def fix_amount(
    tenant: Tenant, reservation: Reservation, lines: Sequence[BillLine], *, by: Actor
) -> None:
    """ご利用済 → 請求確定: the lines are fixed, tax is reckoned once per rate, the due date follows
    from the terms.
    """
    LIFE.can(reservation, Status.BILLED).require()
    bill = BILLING.bill(tenant, use_item(reservation), lines, by=by)
    LIFE.move(
        tenant,
        reservation,
        Status.BILLED,
        by=by,
        total=bill.total,
        due_date=bill.due_date,
        documents_due_at=clock.now(),
    )


def can_issue(reservation: Reservation) -> Decision:
    """Whether documents can be issued: once the amount is fixed, that of a cancellation too
    (FAC-04).
    """
    is_cancellation = reservation.status is Status.CANCELLED and reservation.total
    if not is_cancellation and reservation.status not in (Status.BILLED, Status.PAID):
        return Decision(NOT_BEFORE_BILLED)
    # What was billed here says when; what an earlier system billed has nothing to print.
    return ALLOWED if reservation.billed_at else Decision(NOT_FROM_HERE)


def can_download(reservation: Reservation, kind: DocumentKind) -> Decision:
    """Whether there is such a document of it, and if not, why (FAC-04)."""
    if reservation.status is Status.CANCELLED and kind is DocumentKind.WORK_REPORT:
        return Decision(ONLY_USED)
    can = can_issue(reservation)
    if not can or kind is DocumentKind.WORK_REPORT:
        return can
    known = money(reservation)
    if kind is DocumentKind.RECEIPT:
        return ALLOWED if known.received else Decision(NOT_BEFORE_PAID)
    return Decision(NOT_BEFORE_CLOSED) if known.is_pending else ALLOWED


def money(reservation: Reservation) -> OrderMoney:
    """What is pending, billed, received and given back for the reservation."""
    return BILLING.money(reservation)


def owed(reservation: Reservation) -> int | None:
    """What the customer still has to pay, in yen with tax; None when nothing is billed, or all is
    paid.
    """
    return money(reservation).owed or None


def is_overdue(reservation: Reservation) -> bool:
    """Whether it is not paid though the due date, a day in Tokyo, is past."""
    due = reservation.due_date
    is_unpaid = bool(reservation.total) and reservation.paid_at is None
    return is_unpaid and due is not None and due < clock.today()


def record_payment(
    tenant: Tenant, reservation: Reservation, *, by: Actor, remittance: Remittance | None = None
) -> None:
    """Record what was received: by itself all that is owed, today.

    Once nothing is owed 請求確定 becomes お支払済, of a cancellation's charge only the instant is
    kept. Raises RuleBroken where nothing is owed.
    """
    is_charge = reservation.status is Status.CANCELLED and bool(reservation.total)
    # A cancelled reservation has no state that says it is paid: the instant does.
    if is_charge and reservation.paid_at:
        raise Stale("キャンセル料は入金済みです。")
    if not is_charge:
        LIFE.can(reservation, Status.PAID).require()
    if reservation.total == 0:
        # There is no payment of nothing: the order is settled as it is.
        LIFE.move(tenant, reservation, Status.PAID, by=by)
        return
    BILLING.pay(tenant, reservation, remittance, by=by)
    if money(reservation).owed:
        LIFE.notify(tenant, reservation, _PARTLY_PAID, subject="一部ご入金確認のお知らせ")


def settle(
    tenant: Tenant, order: Reservation, *, is_settled: bool, is_received: bool, by: Actor
) -> None:
    """Take the reservation where its money is: お支払済 when nothing is owed, back to 請求確定 when
    something is again, because its bill was corrected.
    """
    if order.status is Status.CANCELLED:
        _settle_charge(tenant, order, is_settled=is_settled, is_received=is_received, by=by)
    elif is_settled and is_received:
        LIFE.move(tenant, order, Status.PAID, by=by)
    elif is_settled:
        # No mail of a payment: a correction or a credit note settles it, and has sent its own.
        states.move(order, Status.PAID, MOVES, by=by, paid_at=clock.now())
    else:
        states.move(order, Status.BILLED, REOPENED, by=by, paid_at=None)


def _settle_charge(
    tenant: Tenant, reservation: Reservation, *, is_settled: bool, is_received: bool, by: Actor
) -> None:
    """A cancellation stays one, whether its charge is paid or not."""
    if not is_settled:
        reservation.paid_at = None
        session().flush()
        return
    if not set_once(reservation, "paid_at"):
        raise Stale("キャンセル料は入金済みです。")
    audit.record("reservation.pay_charge", reservation, by=by)
    if is_received:
        LIFE.notify(tenant, reservation, _PAID, subject="ご入金確認のお知らせ")


def remind(tenant: Tenant) -> int:
    """Mail a reminder of each confirmed use that comes near, once; returns how many.

    Index: ix_reservation_worklist.
    """
    config: FacilityConfig = tenant.section("facility")
    # Without hours (0) nothing lies between now and now: no reminders.
    until = clock.now() + timedelta(hours=config.reminder_hours)
    coming = select(Reservation).where(
        Reservation.status == Status.CONFIRMED, Reservation.reminded_at.is_(None)
    )
    coming = coming.where(Reservation.starts_at > clock.now(), Reservation.starts_at <= until)
    sentence = "ご利用日時が近づきましたので、お知らせします。"
    return LIFE.remind(tenant, coming, "reminded_at", sentence, "ご利用前のご案内")


def _reports_due(reservation: Reservation) -> set[DocumentKind]:
    """A use has a work report, a cancellation has none."""
    return set() if reservation.status is Status.CANCELLED else {DocumentKind.WORK_REPORT}


BILLING = OrderBilling(
    model=Reservation,
    workflow=LIFE,
    can_issue=can_issue,
    reports={DocumentKind.WORK_REPORT: work_report_content},
    reports_due=_reports_due,
    settle=settle,
)


def issue(tenant: Tenant, reservation: Reservation, *, by: Actor) -> list[int]:
    """Issue the documents that are due, each once; returns the jobs that draw.

    See `OrderBilling`.
    """
    return BILLING.issue(tenant, reservation, by=by)


def correct(
    tenant: Tenant, reservation: Reservation, lines: Sequence[BillLine], reason: str, *, by: Actor
) -> list[int]:
    """Bill other lines than were billed; what is owed follows (COM-72). See `OrderBilling`."""
    return BILLING.correct(tenant, reservation, lines, reason, by=by)


def refund(
    tenant: Tenant, reservation: Reservation, lines: Sequence[BillLine], reason: str, *, by: Actor
) -> tuple[CreditNote, list[int]]:
    """Ask for less after the payment, by a credit note (COM-71). See `OrderBilling`."""
    return BILLING.refund(tenant, reservation, lines, reason, by=by)


def issue_due(tenant: Tenant) -> int:
    """Issue the documents that are due and not issued yet; returns of how many reservations.
    Commits.

    Index: ix_reservation_documents_due.
    """
    return BILLING.issue_due(tenant)


def work(tenant: Tenant) -> None:
    """What the worker does for the tenant once in a while: reminders, closing, documents that are
    due.

    Commits.
    """
    remind(tenant)
    remind_overdue(tenant)
    session().commit()
    close_due(BILLING, tenant, by=SYSTEM)
    issue_due(tenant)
