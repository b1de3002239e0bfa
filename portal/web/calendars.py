"""カレンダー連携, for every brand: the page of the secret address, and the feed behind it (FAC-11)."""

import hashlib
from collections.abc import Callable

from flask import Blueprint, Response
from werkzeug.wrappers import Response as BaseResponse

from portal.core import Tenant, session
from portal.shared import calendars
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import attachment, render
from portal.web.requests import actor, link_base, member, public, tenant
from portal.web.submit import done


def add_calendar(
    at: Blueprint, page: str, feed: Callable[[Tenant, int, str], str], name: str
) -> None:
    """Hang the pages on a blueprint; `feed` writes an account's calendar for a host, `name` is its file's."""

    @at.route("/calendar", methods=["GET", "POST"])
    def my_calendar() -> str:
        """The secret address is shown once, when it is made."""
        form, href = Form(), ""
        if form.validate_on_submit():
            href = f"{link_base()}/calendar/{calendars.renew(member().member_id, by=actor())}.ics"
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
        host = link_base().partition("://")[2].partition(":")[0]
        text = feed(tenant(), calendars.owner(token), host).encode()
        return attachment(text, name, "text/calendar", hashlib.sha256(text).hexdigest())
