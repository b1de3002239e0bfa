"""設備のご予約: facilities, the week of one, the request, and the calendar of one's own reservations (FAC-11)."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

from flask import Response, flash, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from portal.blueprints.facility import booking, calendar, queries
from portal.blueprints.facility.booking import Booking
from portal.blueprints.facility.forms import BookingForm
from portal.blueprints.facility.models import Facility
from portal.blueprints.facility.routes import bp
from portal.blueprints.facility.slots import Slot, at_clock, monday_of
from portal.core import clock
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.core.files import Shelf
from portal.shared.auth.models import Account, Member
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind
from portal.web.confirm import ConfirmFlow
from portal.web.errors import refused
from portal.web.files import attachment
from portal.web.formatting import from_to
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import actor, link_base, member, public, tenant

_FORM = "facility/booking.html"


def _flow(code: str) -> ConfirmFlow:
    return ConfirmFlow("booking", f"/facilities/{code}/reservation")


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


@bp.route("/facilities/<code>/reservation", methods=["GET", "POST"])
def book(code: str) -> str | BaseResponse:
    """入力, with the time that was chosen in the week filled in."""
    found, flow = queries.facility(code), _flow(code)
    form = _form(flow.typed() or {name: request.args.get(name) for name in ("day", "starts", "ends")})
    if not form.is_submitted():
        return render(_FORM, form=form, facility=found)
    if not form.validate():
        return render_invalid(_FORM, form=form, facility=found)
    try:
        booking.check(tenant(), _booking(found, form))
    except RuleBroken as error:
        return refused(_FORM, form, error, facility=found)
    return flow.keep(form.kept())


def _form(data: dict[str, Any] | None) -> BookingForm:
    rules, addresses = booking.hours(tenant()), contacts.book(member().account_id, Kind.BILLING)
    billing = [(contacts.number_of(address), address.name) for address in addresses]
    return BookingForm.of(rules, billing, data)


def _booking(found: Facility, form: BookingForm) -> Booking:
    """What the form asks for, in the operations' words."""
    day, chosen = form.day.data, form.billing.data
    billing = contacts.find(member().account_id, Kind.BILLING, chosen) if chosen else None
    return Booking(
        found,
        at_clock(day, form.starts.data),
        at_clock(day, form.ends.data),
        purpose=form.purpose.data or "",
        remarks=form.remarks.data or "",
        headcount=form.headcount.data,
        options=form.options.data,
        billing=booking.address_copy(billing) if billing else {},
    )


@bp.get("/facilities/<code>/reservation/confirm")
def confirm_booking(code: str) -> str | BaseResponse:
    """内容確認, with what it will cost."""
    found, flow = queries.facility(code), _flow(code)
    review = flow.review()
    if review is None:
        return redirect(flow.form_href, 303)
    token, data = review
    form = _form(data)
    wanted = _booking(found, form)
    when = [(_("設備"), found.name), (_("ご利用日時"), from_to(wanted.starts_at, wanted.ends_at))]
    return render(
        "facility/booking_confirm.html",
        facility=found,
        rows=when + form.rows()[3:],
        price=booking.price(found, wanted.starts_at, wanted.ends_at),
        token=token,
        back=flow.back_href(token),
        here=flow.confirm_href,
    )


@bp.post("/facilities/<code>/reservation/confirm")
def save_booking(code: str) -> BaseResponse:
    """予約を申し込む: once; when somebody was quicker, back to the form with everything typed."""
    found, flow, typed = queries.facility(code), _flow(code), {}

    def do(data: dict[str, Any]) -> None:
        typed.update(data)
        account = session().get_one(Account, member().account_id)
        contact = session().get_one(Member, member().member_id)
        booking.request(tenant(), account, contact, _booking(found, _form(data)), by=actor())

    try:
        return flow.finish(do)
    except RuleBroken as error:
        session().rollback()
        return refused(_FORM, _form(typed), error, facility=queries.facility(code))


@bp.get("/facilities/<code>/reservation/done")
def booked(code: str) -> str:
    """完了, with the number of what was just taken in."""
    queries.facility(code)
    return render("facility/booking_done.html", number=queries.newest_number(member().account_id))


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
    session().commit()
    flash(_("カレンダーのアドレスを無効にしました。"), "ok")
    return redirect("/calendar", 303)


@bp.get("/calendar/<token>.ics")
@public
def calendar_feed(token: str) -> Response:
    """The feed itself, for calendar programs: its address is the secret; unchanged, it answers 304."""
    text = calendar.feed(tenant(), token, link_base().partition("://")[2].partition(":")[0])
    digest = hashlib.sha256(text.encode()).hexdigest()
    return attachment(text.encode(), "reservations.ics", "text/calendar", digest)
