"""チャット: begun in business hours, read as it is written, a plain thread without scripts
(SUP-11).

News come one way only: `news`, asked for what came after the last message that is there. The stream
says no more than that there is something, so a line that breaks loses nothing and doubles nothing;
without it the page asks by itself.
"""

import secrets
from collections.abc import Iterator
from typing import Any

from flask import Response, current_app, redirect, request, url_for

from portal.core.db import session
from portal.pages.inquiries import FLOW as INQUIRY
from portal.pages.inquiries import may_ask, offer, require_may_ask, writer
from portal.pages.inquiries.forms import chat_form
from portal.shared.accounts.models import Right
from portal.shared.chats import operations
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries import queries
from portal.shared.inquiries.operations import Asked
from portal.web.chat_notifier import ChatNotifier
from portal.web.forms import Form, TokenField, body_field
from portal.web.i18n import lazy as _l
from portal.web.query import number_in_query
from portal.web.render import render, wants_fragment
from portal.web.requests import (
    FlaggedBlueprint,
    actor,
    afterwards,
    asked_by_itself,
    member,
    require_feature,
    require_right,
    tenant,
)
from portal.web.submit import Answer, submit

bp = FlaggedBlueprint("chats", __name__, require_feature("chat"), require_right(Right.SUPPORT))
BEAT_SECONDS = 15.0
BEATS = 20
"""A stream shows that it lives, and ends after five minutes: the browser comes again, with a
session that still is.
"""


class LineForm(Form):
    """One line of a chat; `key` is the line's own, so that it is said once however often it is
    sent.
    """

    body = body_field(_l("メッセージ"), longest=operations.LONGEST)
    key = TokenField(longest=32)


@bp.route("/chat", methods=["GET", "POST"])
def start() -> Answer:
    """Begin one, go on with one, or read when there will be somebody."""
    require_may_ask()
    form = chat_form(
        tenant().inquiries.categories,
        offer(),
        operations.LONGEST,
        about_is_needed=len(tenant().modules) < 2,
    )
    if request.form.get("step") == "form":  # what was typed here goes along to the form
        return redirect(INQUIRY.back_href(INQUIRY.remember(form.typed())), 303)

    def begin() -> Answer:
        typed = form.typed()
        asked = Asked(typed["category"], typed["body"], about=typed.get("about") or "")
        made = operations.start(
            tenant(), writer(typed), asked, by=actor(), key=typed["key"] or None
        )
        session().commit()
        return redirect(url_for("chats.chat", number=made.number), 303)

    return submit(
        "chats/start.html",
        form,
        begin,
        opens=operations.opens(tenant()),
        mine=operations.open_of(member().member_id),
    )


@bp.route("/chat/<number>", methods=["GET", "POST"])
def chat(number: str) -> Answer:
    """The chat, and the member's next line; htmx gets an empty form back, and the line with the
    news.
    """
    found = queries.find(tenant(), member(), number)
    form = LineForm()

    def say() -> Answer:
        key = form.key.data or None
        operations.send_message(tenant(), found, form.body.data, side="member", by=actor(), key=key)
        session().commit()
        if not wants_fragment():
            return redirect(url_for("chats.chat", number=number), 303)
        fresh = LineForm(formdata=None, data={"key": secrets.token_hex(16)})
        return Response(render("chats/_line.html", form=fresh, number=number, wants_focus=True))

    form.key.data = form.key.data or secrets.token_hex(16)
    news = operations.news(found, 0, of="operator")
    if news.has_ended and not form.is_submitted():
        return redirect(url_for("inquiries.thread", number=number), 303)
    live = tenant().chat.stream and chat_notifier().has_room()
    inquiry_id = found.id
    may = may_ask(found.about, found.category)
    page = submit(
        "chats/chat.html",
        form,
        say,
        inquiry=found,
        number=number,
        news=news,
        live=live,
        changed=False,
        may=may,
    )
    if not form.is_submitted():
        _mark_read(inquiry_id, news)
    return page


@bp.get("/chat/<number>/news")
@asked_by_itself
def news(number: str) -> str:
    """What came after the last message that the page has, and how the chat stands now."""
    found = queries.find(tenant(), member(), number)
    news = operations.news(found, number_in_query("after"), of="operator")
    inquiry_id = found.id
    page = render(
        "chats/_news.html",
        news=news,
        number=number,
        live=bool(number_in_query("live")),
        changed=news.pulse != number_in_query("pulse"),
        closes=news.has_ended and bool(may_ask(found.about, found.category)),
    )
    _mark_read(inquiry_id, news)
    return page


def _mark_read(inquiry_id: int, news: operations.News) -> None:
    """A short write behind the read, where there was something of the operator's to read."""
    if any(message.by_kind == "operator" for message in news.messages):
        afterwards(lambda: inquiries.mark_read(inquiry_id, member().member_id))


@bp.get("/chat/<number>/stream")
@asked_by_itself
def stream(number: str) -> Response:
    """Rings at each news.

    Where no thread is free for it, it rings once and ends, and the page comes again soon.
    """
    inquiry_id = queries.find(tenant(), member(), number).id
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    return Response(
        _rings(tenant().key, inquiry_id, chat_notifier()),
        mimetype="text/event-stream",
        headers=headers,
    )


def _rings(tenant_key: str, inquiry_id: int, at: ChatNotifier) -> Iterator[bytes]:
    with at.reader(tenant_key, inquiry_id) as news:
        if news is None:
            yield b"retry: 3000\nevent: pulse\ndata:\n\n"
            return
        # Something may have come while nobody listened.
        yield b"retry: 500\nevent: pulse\ndata:\n\n"
        for _beat in range(BEATS):
            if news.wait(BEAT_SECONDS):
                # Only what was heard: what comes just after the wait is for the next turn.
                news.clear()
                yield b"event: pulse\ndata:\n\n"
            else:
                yield b":\n\n"


@bp.post("/chat/<number>/typing")
@asked_by_itself
def typing(number: str) -> Response:
    """The member is typing."""
    operations.typing(queries.find(tenant(), member(), number).id, "member")
    session().commit()
    return Response(status=204)


@bp.post("/chat/<number>/end")
def end(number: str) -> Any:
    """The member has what they need."""
    operations.end(tenant(), queries.find(tenant(), member(), number), by=actor())
    session().commit()
    return redirect(url_for("inquiries.thread", number=number), 303)


def chat_notifier() -> ChatNotifier:
    """The bell of this process."""
    found: ChatNotifier = current_app.extensions["chat_notifier"]
    return found
