"""カレンダー連携: the page of the member's secret, and the feeds behind it (FAC-11).

There is one feed of each module that has events.
"""

from flask import Blueprint, Response, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.core import NotFound, require, session
from portal.shared import calendars
from portal.web.brand import Brand, CalendarSource, brands_of
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import attachment, render
from portal.web.requests import actor, member, public, tenant
from portal.web.submit import done

bp = Blueprint("calendars", __name__)


def _brands() -> list[Brand]:
    """The modules of this tenant whose events a calendar shows; where there are none, no page."""
    found = [brand for brand in brands_of(tenant()) if brand.calendar is not None]
    if not found:
        raise NotFound("ページが見つかりません")
    return found


def _source(brand: Brand) -> CalendarSource:
    """What of a module is shown. Raises NotFound for one that has no events."""
    return require(brand.calendar, NotFound("カレンダーが見つかりません。"))


@bp.route("/calendar", methods=["GET", "POST"])
def my_calendar() -> str:
    """The secret addresses are shown once, when they are made: all feeds of a member share it."""
    brands = _brands()
    form = Form()
    token = ""
    if form.validate_on_submit():
        token = calendars.renew(member().member_id, by=actor())
        session().commit()
    return render(
        "calendars/calendar.html",
        form=form,
        labels=[_(_source(brand).label) for brand in brands],
        addresses=[_address(brand, token) for brand in brands] if token else [],
        has_feed=calendars.has_feed(member().member_id),
    )


def _address(brand: Brand, token: str) -> tuple[str, str]:
    """What the feed of a module shows, and its whole address."""
    return _source(brand).label, tenant().url_to("calendars.feed", module=brand.key, token=token)


@bp.post("/calendar/removal")
def remove_calendar() -> BaseResponse:
    """アドレスを無効にする."""
    _brands()
    calendars.revoke(member().member_id, by=actor())
    return done(_("カレンダーのアドレスを無効にしました。"), url_for("calendars.my_calendar"))


@bp.get("/calendar/<token>.ics")
@public
def first_feed(token: str) -> Response:
    """The feed at its address of before each module had one: calendars still ask there."""
    return _feed(_brands()[0], token)


@bp.get("/calendar/<module>/<token>.ics")
@public
def feed(module: str, token: str) -> Response:
    """For calendar programs: its address is the secret; unchanged, it answers 304."""
    brand = next((brand for brand in _brands() if brand.key == module), None)
    if brand is None:
        raise NotFound("カレンダーが見つかりません。")
    return _feed(brand, token)


def _feed(brand: Brand, token: str) -> Response:
    source = _source(brand)
    host = tenant().base_url.partition("://")[2].partition(":")[0]
    events = source.find_events(calendars.owner(token))
    digest = calendars.digest_events(events)
    if digest in request.if_none_match:
        return Response(status=304, headers={"ETag": f'"{digest}"'})
    content = calendars.write_calendar(_name(source.label), events, host, source.name)
    return attachment(content, f"{source.name}.ics", "text/calendar", digest)


def _name(label: str) -> str:
    """What calendars call the feed: the brand, and what it shows where there are several."""
    name = tenant().name
    return f"{name} {_(label)}" if len(_brands()) > 1 else name
