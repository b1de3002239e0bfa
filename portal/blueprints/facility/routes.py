"""The pages of a facility brand: reservations, facilities and the week of one, the request, the calendar."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, request

from portal.blueprints import inquiries
from portal.blueprints.facility import booking, operations, queries
from portal.blueprints.facility.forms import BookingForm, SearchForm
from portal.blueprints.facility.models import Reservation, Status
from portal.blueprints.facility.slots import Slot, at_clock, monday_of
from portal.core import NotFound, Shelf, Tenant, clock, msgid, session
from portal.shared.auth.models import Account, Member, Right
from portal.shared.auth.sessions import SignedIn
from portal.shared.billing import lines as bill_lines
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind
from portal.shared.documents.models import DocumentKind
from portal.web import lists
from portal.web.brand import Attention
from portal.web.calendars import add_calendar
from portal.web.formatting import at_time, from_to
from portal.web.papers import PaperPages
from portal.web.render import attachment, render
from portal.web.requests import actor, member, needs, tenant
from portal.web.submit import ConfirmFlow, Steps, add_steps

bp = Blueprint("facility", __name__)

_R = Reservation.__table__
SORTS = (
    lists.Sort("newest", "予約完了日が新しい", _R.c.booked_at, _R.c.id),
    lists.Sort("oldest", "予約完了日が古い", _R.c.booked_at, _R.c.id, descending=False),
)
_LIST = lists.Listing(
    "/reservations",
    ("facility/reservations.html", "facility/_list.html"),
    SearchForm,
    lambda asked: queries.mine(member().account_id, **asked),
    SORTS,
    Status,
    {
        msgid("予約番号"): "number",
        msgid("設備"): "facility_name",
        msgid("ご利用日時"): lambda row: from_to(row.starts_at, row.ends_at),
        msgid("ステータス"): "status",
        msgid("ご請求金額"): "total",
        msgid("予約完了日時"): lambda row: at_time(row.booked_at),
    },
)
_LIST.hang(bp, "reservations")


def _own(number: str) -> Reservation:
    return queries.reservation(member().account_id, number)


_KINDS = {
    "work-report": DocumentKind.WORK_REPORT,
    "invoice": DocumentKind.INVOICE,
    "receipt": DocumentKind.RECEIPT,
}
_PAPERS = PaperPages(_own, operations.can_download, _KINDS)
_PAPERS.hang(bp, "/reservations")


def home(_tenant: Tenant, _member: SignedIn) -> dict[str, Any]:
    """The my page's own part: the list of reservations (FAC-01)."""
    return _LIST.shown()


def attention(_tenant: Tenant, who: SignedIn) -> Iterator[Attention]:
    """What is to be paid (COM-20)."""
    yield Attention(
        msgid("お支払い待ちのご予約"), queries.unpaid(who.account_id), "/reservations?status=billed"
    )


@bp.get("/reservations/<number>")
def reservation(number: str) -> str:
    """One reservation (FAC-03)."""
    found = _own(number)
    return render(
        "facility/reservation.html",
        reservation=found,
        may_ask=member().may(Right.SUPPORT) and operations.can_ask(found),
        percent=operations.cancellation_percent(tenant(), found),
        charge=operations.cancellation_charge(tenant(), found),
        lines=bill_lines.from_json(found.lines),
        papers=_PAPERS.shown(found),
        track=[status for status in Status if status is not Status.CANCELLED],
        **inquiries.about(number),
    )


def _steps(code: str) -> Steps:
    """Asking for a use of this facility, for the account of the signed-in member."""
    found, who = queries.facility(code), member()

    def make(data: dict[str, Any] | None) -> BookingForm:
        addresses = contacts.book(who.account_id, Kind.BILLING)
        chosen = {name: request.args[name] for name in ("day", "starts") if name in request.args}
        return BookingForm.of(booking.hours(tenant()), found, addresses, data or chosen)

    def save(data: dict[str, Any]) -> None:
        account, contact = (
            session().get_one(Account, who.account_id),
            session().get_one(Member, who.member_id),
        )
        booking.request(tenant(), account, contact, make(data).booking(), by=actor())

    def check(data: dict[str, Any]) -> None:
        booking.check(tenant(), make(data).booking())

    return Steps(
        ConfirmFlow(
            kind="booking", subject=found.code, form_href=f"/facilities/{code}/reservation"
        ),
        ("facility/booking.html", "facility/booking_confirm.html", "facility/booking_done.html"),
        make=make,
        save=save,
        check=check,
        shown=lambda _typed: {"facility": found},
        result=lambda: {"number": queries.newest_number(who.account_id)},
    )


add_steps(bp, "/facilities/<code>/reservation", "booking", _steps, needs(Right.ORDERS))


@bp.get("/facilities")
def facilities() -> str:
    """設備のご予約: what there is (FAC-11)."""
    return render("facility/facilities.html", facilities=queries.facilities())


@bp.get("/facilities/<code>")
def facility(code: str) -> str:
    """One facility and its week."""
    found, rules = queries.facility(code), booking.hours(tenant())
    asked = request.args.get("week", clock.today(), type=date.fromisoformat)
    first, last = monday_of(clock.today()), monday_of(rules.last_day())
    monday = min(max(monday_of(asked), first), last)
    held = queries.held(
        found.id, at_clock(monday, "00:00"), at_clock(monday + timedelta(days=8), "00:00")
    )
    turns = {name: monday + timedelta(days=days) for name, days in (("previous", -7), ("next", 7))}
    return render(
        "facility/facility.html",
        fragment="facility/_week.html",
        facility=found,
        week=rules.week(monday, held),
        starts=rules.starts(),
        Slot=Slot,
        may=member().may(Right.ORDERS),
        turns={name: day for name, day in turns.items() if first <= day <= last},
    )


@bp.get("/facilities/<code>/photo")
def photo(code: str) -> Response:
    """The facility's picture."""
    found = queries.facility(code)
    try:
        return attachment(
            Shelf.files.get(found.photo), f"{found.code}.png", "image/png", found.photo
        )
    except FileNotFoundError:
        raise NotFound("画像が見つかりません。") from None


add_calendar(bp, "facility/calendar.html", queries.calendar, "reservations.ics")
