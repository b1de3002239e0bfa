"""設備のご予約: facilities, the week of one, the request, and the calendar of one's own reservations (FAC-11)."""

import hashlib
from datetime import date, timedelta
from typing import Any

from flask import Response, request
from werkzeug.wrappers import Response as BaseResponse

from portal.blueprints.facility import booking, calendar, queries
from portal.blueprints.facility.forms import BookingForm
from portal.blueprints.facility.routes import bp
from portal.blueprints.facility.slots import Slot, at_clock, monday_of
from portal.core import clock
from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.files import Shelf
from portal.shared.auth.models import Account, Member, Right
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import attachment, render
from portal.web.requests import actor, link_base, member, needs, public, tenant
from portal.web.submit import ConfirmFlow, Steps, add_steps, done


def _steps(code: str) -> Steps:
    """Asking for a use of this facility, for the account of the signed-in member."""
    found, who = queries.facility(code), member()

    def make(data: dict[str, Any] | None) -> BookingForm:
        addresses = contacts.book(who.account_id, Kind.BILLING)
        chosen = {name: request.args[name] for name in ("day", "starts") if name in request.args}
        return BookingForm.of(booking.hours(tenant()), found, addresses, data or chosen)

    def save(data: dict[str, Any]) -> None:
        account = session().get_one(Account, who.account_id)
        contact = session().get_one(Member, who.member_id)
        booking.request(tenant(), account, contact, make(data).booking(), by=actor())

    def collect(form: BookingForm) -> dict[str, Any]:
        booking.check(tenant(), form.booking())
        return form.typed()

    return Steps(
        ConfirmFlow("booking", f"/facilities/{code}/reservation"),
        ("facility/booking.html", "facility/booking_confirm.html", "facility/booking_done.html"),
        make=make,
        save=save,
        collect=collect,
        shown=lambda _typed: {"facility": found},
        result=lambda: {"number": queries.newest_number(who.account_id)},
    )


@bp.get("/facilities")
def facilities() -> str:
    """設備のご予約: what there is."""
    return render("facility/facilities.html", facilities=queries.facilities())


@bp.get("/facilities/<code>")
def facility(code: str) -> str:
    """One facility and its week."""
    found, rules = queries.facility(code), booking.hours(tenant())
    try:
        asked = date.fromisoformat(request.args.get("week", ""))
    except ValueError:
        asked = clock.today()
    first, last = monday_of(clock.today()), monday_of(rules.last_day())
    monday = min(max(monday_of(asked), first), last)
    held = queries.held(found.id, at_clock(monday, "00:00"), at_clock(monday + timedelta(days=8), "00:00"))
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
        return attachment(Shelf.files.get(found.photo), f"{found.code}.png", "image/png", found.photo)
    except FileNotFoundError:
        raise NotFound("画像が見つかりません。") from None


add_steps(bp, "/facilities/<code>/reservation", "booking", _steps, needs(Right.ORDERS))


@bp.route("/calendar", methods=["GET", "POST"])
def my_calendar() -> str:
    """カレンダー連携: the secret address is shown once, when it is made."""
    form, href = Form(), ""
    if form.validate_on_submit():
        href = f"{link_base()}/calendar/{calendar.renew(member().member_id, by=actor())}.ics"
        session().commit()
    has_feed = calendar.has_feed(member().member_id)
    return render("facility/calendar.html", form=form, href=href, has_feed=has_feed)


@bp.post("/calendar/removal")
def remove_calendar() -> BaseResponse:
    """アドレスを無効にする."""
    calendar.revoke(member().member_id, by=actor())
    return done(_("カレンダーのアドレスを無効にしました。"), "/calendar")


@bp.get("/calendar/<token>.ics")
@public
def calendar_feed(token: str) -> Response:
    """The feed itself, for calendar programs: its address is the secret; unchanged, it answers 304."""
    text = calendar.feed(tenant(), token, link_base().partition("://")[2].partition(":")[0])
    digest = hashlib.sha256(text.encode()).hexdigest()
    return attachment(text.encode(), "reservations.ics", "text/calendar", digest)
