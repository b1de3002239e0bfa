"""The pages of a facility brand: reservations, facilities and the week of one, the request, the
calendar.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, request

from portal.blueprints.facility import booking, operations, queries, reservation_page
from portal.blueprints.facility.forms import BookingForm, DaySearchForm, SearchForm
from portal.blueprints.facility.models import Reservation, Status
from portal.blueprints.facility.slots import Slot, at_clock, monday_of
from portal.config import Tenant
from portal.core import NotFound, PageLink, clock, file_store, gettext_noop, session
from portal.pages import inquiries
from portal.shared.accounts.models import Account, Member, Right
from portal.shared.auth.sessions import SignedIn
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind
from portal.shared.documents.models import DocumentKind
from portal.web import amounts, lists
from portal.web.brand import Attention
from portal.web.document_views import DocumentViews
from portal.web.formatting import at_time, from_to
from portal.web.query import day_in_query
from portal.web.render import attachment, render, render_invalid
from portal.web.requests import actor, member, require_right, tenant
from portal.web.submit import ConfirmedForm, ConfirmFlow, register_confirmed_form

bp = Blueprint("facility", __name__)

_R = Reservation.__table__
SORTS = (
    lists.Sort("newest", "予約完了日が新しい", _R.c.booked_at, _R.c.id),
    lists.Sort("oldest", "予約完了日が古い", _R.c.booked_at, _R.c.id, descending=False),
)
_LIST = lists.Listing(
    "facility.reservations",
    ("facility/reservations.html", "facility/_list.html"),
    SearchForm,
    lambda asked: queries.mine(member().account_id, **asked),
    SORTS,
    Status,
    {
        gettext_noop("予約番号"): "number",
        gettext_noop("設備"): "facility_name",
        gettext_noop("ご利用日時"): lambda row: from_to(row.starts_at, row.ends_at),
        gettext_noop("ステータス"): "status",
        gettext_noop("ご請求金額"): lambda row: amounts.cell(row.total),
        gettext_noop("予約完了日時"): lambda row: at_time(row.booked_at),
    },
)
_LIST.register(bp, "/reservations")


def _own(number: str) -> Reservation:
    return queries.reservation(member().account_id, number)


_KINDS = {
    "work-report": DocumentKind.WORK_REPORT,
    "invoice": DocumentKind.INVOICE,
    "receipt": DocumentKind.RECEIPT,
}
_PAPERS = DocumentViews(
    find=_own, can=operations.can_download, issued=operations.BILLING.issued, kinds=_KINDS
)
_PAPERS.register(bp, "/reservations")


def home(_tenant: Tenant, _member: SignedIn) -> dict[str, Any]:
    """The my page's own part: the list of reservations (FAC-01)."""
    return _LIST.shown()


def attention(_tenant: Tenant, _member: SignedIn) -> Iterator[Attention]:
    """What is to be paid, first what should have been by now (COM-20)."""
    yield _LIST.attention(gettext_noop("お支払期限を過ぎたご予約"), payment="overdue")
    yield _LIST.attention(gettext_noop("お支払い待ちのご予約"), payment="unpaid")


@bp.get("/reservations/<number>")
def reservation(number: str) -> str:
    """One reservation (FAC-03)."""
    found = _own(number)
    return render(
        "facility/reservation.html",
        papers=_PAPERS.shown(found),
        back=_LIST.way_back(),
        **reservation_page.context(tenant(), member(), found),
        **inquiries.about(number),
    )


def _steps(code: str) -> ConfirmedForm:
    """Asking for a use of this facility, for the account of the signed-in member."""
    found = queries.facility(code)
    who = member()

    def make(data: dict[str, Any] | None) -> BookingForm:
        addresses = contacts.address_list(who.account_id, Kind.BILLING)
        chosen = {name: request.args[name] for name in ("day", "starts") if name in request.args}
        rules = booking.hours(tenant())
        return BookingForm.of(tenant(), rules, found, addresses, data or chosen)

    def save(data: dict[str, Any]) -> None:
        account = session().get_one(Account, who.account_id)
        contact = session().get_one(Member, who.member_id)
        booking.request(tenant(), account, contact, make(data).booking(), by=actor())

    def check(data: dict[str, Any]) -> None:
        wanted = make(data).booking()
        booking.check(tenant(), wanted)
        booking.check_free(tenant(), wanted)

    return ConfirmedForm(
        ConfirmFlow(
            kind="booking",
            subject=found.code,
            form=PageLink("facility.booking_form", {"code": code}),
        ),
        ("facility/booking.html", "facility/booking_confirm.html", "facility/booking_done.html"),
        make=make,
        save=save,
        check=check,
        shown=lambda _typed: {"facility": found, "rules": booking.hours(tenant()).config},
        result=lambda: {"number": queries.newest_number(who.account_id)},
    )


register_confirmed_form(
    bp, "/facilities/<code>/reservation", "booking", _steps, require_right(Right.ORDERS)
)


@bp.get("/facilities")
def facilities() -> str | Response:
    """設備のご予約: what there is, and which of it is free on a day that is asked for (FAC-11)."""
    rules = booking.hours(tenant())
    form = DaySearchForm(rules, request.args)
    found = queries.facilities()
    context: dict[str, Any] = {
        "facilities": found,
        "form": form,
        "day": None,
        "free": {},
        "first_day": clock.today(),
        "last_day": rules.last_day(),
    }
    if not form.validate():
        return render_invalid("facility/facilities.html", **context)
    if form.day.data:
        context["day"] = form.day.data
        context["free"] = booking.free_times(tenant(), found, form.day.data)
    return render("facility/facilities.html", may=member().may(Right.ORDERS), **context)


@bp.get("/facilities/<code>")
def facility(code: str) -> str:
    """One facility and its week."""
    found = queries.facility(code)
    rules = booking.hours(tenant())
    asked = day_in_query("week") or clock.today()
    first = monday_of(clock.today())
    last = monday_of(rules.last_day())
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
        rules=rules.config,
        Slot=Slot,
        may=member().may(Right.ORDERS),
        turns={name: day for name, day in turns.items() if first <= day <= last},
    )


@bp.get("/facilities/<code>/photo")
def photo(code: str) -> Response:
    """The facility's picture."""
    found = queries.facility(code)
    try:
        data = file_store().open(found.photo)
    except FileNotFoundError:
        raise NotFound("画像が見つかりません。") from None
    picture = attachment(data, f"{found.code}.png", "image/png", found.photo)
    picture.headers["Cache-Control"] = "private, no-cache"  # the same for every member
    return picture
