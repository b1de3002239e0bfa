"""カレンダー連携, for every brand: the page of the secret address, and its feed (FAC-11)."""

from collections.abc import Callable

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as BaseResponse

from portal.core import session
from portal.shared import calendars
from portal.shared.calendars import Event
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import attachment, render
from portal.web.requests import actor, member, public, tenant
from portal.web.submit import done


def register_calendar(
    at: Blueprint, page: str, find_events: Callable[[int], list[Event]], name: str
) -> None:
    """Register the pages on a blueprint.

    `page` is the template of the address, `find_events` gives an account's events, `name` is what
    they are of: the feed's file is called so.
    """

    @at.route("/calendar", methods=["GET", "POST"])
    def my_calendar() -> str:
        """The secret address is shown once, when it is made."""
        form = Form()
        href = ""
        if form.validate_on_submit():
            token = calendars.renew(member().member_id, by=actor())
            href = f"{tenant().base_url}/calendar/{token}.ics"
            session().commit()
        return render(page, form=form, href=href, has_feed=calendars.has_feed(member().member_id))

    @at.post("/calendar/removal")
    def remove_calendar() -> BaseResponse:
        """アドレスを無効にする."""
        calendars.revoke(member().member_id, by=actor())
        return done(_("カレンダーのアドレスを無効にしました。"), "/calendar")

    @at.get("/calendar/<token>.ics")
    @public
    def calendar_feed(token: str) -> Response:
        """For calendar programs: its address is the secret; unchanged, it answers 304."""
        host = tenant().base_url.partition("://")[2].partition(":")[0]
        events = find_events(calendars.owner(token))
        digest = calendars.digest_events(events)
        if digest in request.if_none_match:
            return Response(status=304, headers={"ETag": f'"{digest}"'})
        content = calendars.write_calendar(tenant().name, events, host, name)
        return attachment(content, f"{name}.ics", "text/calendar", digest)
