"""お問い合わせ: the form by category, the list, one thread, and the form of who is not signed in (COM-50 … COM-53).

What a guest typed goes along in the form: there is nobody to keep it for.
"""

from dataclasses import asdict, replace
from functools import partial
from typing import Any

from flask import redirect, request
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField

from portal.blueprints.auth.forms import email_field
from portal.blueprints.inquiries import subjects
from portal.blueprints.inquiries.forms import (
    SearchForm,
    answers,
    inquiry_form,
    message_form,
    writer_field,
)
from portal.core import InquiryCategory, NotFound, msgid, session
from portal.shared.auth.models import Right
from portal.shared.inquiries import files, guests, operations, queries
from portal.shared.inquiries.files import Kept
from portal.shared.inquiries.models import Status
from portal.shared.inquiries.operations import Asked, Writer
from portal.web import lists
from portal.web.brand import Attention, brands_of
from portal.web.formatting import at_time, first_line
from portal.web.forms import line
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import attachment, render
from portal.web.requests import (
    Pages,
    actor,
    afterwards,
    feature,
    link_base,
    member,
    needs,
    public,
    takes_files,
    tenant,
)
from portal.web.submit import Answer, ConfirmFlow, Steps, add_steps, done, submit

bp = Pages("inquiries", __name__, feature("inquiries"))
FLOW = ConfirmFlow(kind="inquiry", subject="new", form_href="/inquiries/new")
_NEWEST = lists.Sort("newest", "新しい順", queries.UPDATED, queries.TIE)


def category_named(key: Any) -> InquiryCategory:
    """The category that the address names, or the one for everything else."""
    return tenant().inquiries.category(key) or tenant().inquiries.categories[-1]


def writers() -> list[str]:
    """Who may be writing from this sign-in, where several share it (SUP-07)."""
    return [name for brand in brands_of(tenant()) for name in brand.writers(member())]


def writer(typed: dict[str, Any]) -> Writer:
    """The member, by the name that was chosen."""
    return replace(Writer.of(member()), name=typed.get("writer") or member().name)


def _steps() -> Steps:
    """Asking. Links lead here with category and number filled in (FAC-05)."""

    def category(typed: dict[str, Any] | None) -> InquiryCategory:
        return category_named(request.values.get("category") or (typed or {}).get("category"))

    def make(typed: dict[str, Any] | None) -> Any:
        chosen = category(typed)
        number = subjects.named(typed, chosen)
        asked = {**(typed or {}), "about": number}
        more = writer_field(writers()) | subjects.kept_field(chosen, number)
        return inquiry_form(chosen, asked, more, subjects.choices())

    def collect(form: Any) -> dict[str, Any]:
        kept = [asdict(file) for file in files.keep(tenant(), form.uploaded(), by=actor())]
        before = files.still_kept((FLOW.typed() or {}).get("attached", []))
        typed: dict[str, Any] = form.typed()
        chosen = category(None)
        if chosen.about or typed.get("about"):
            typed["about"] = subjects.check(chosen, typed.get("about") or "")
        return typed | {"category": category(None).key, "attached": kept or before, "files": None}

    def save(data: dict[str, Any]) -> None:
        chosen, kept = category(data), [Kept(**file) for file in data["attached"]]
        asked = Asked(
            chosen.key, data["body"], data.get("about") or "", answers(chosen, data), kept
        )
        operations.ask(tenant(), writer(data), asked, by=actor(), link_base=link_base())

    def shown(typed: dict[str, Any]) -> dict[str, Any]:
        attached = [Kept(**file) for file in typed.get("attached", ())]
        return {
            "category": category(typed),
            "facts": subjects.facts(category(typed), subjects.named(typed, category(typed))),
            "categories": tenant().inquiries.categories,
            "attached": attached,
        }

    pages = "inquiries/form.html", "inquiries/confirm.html", "inquiries/done.html"
    return Steps(FLOW, pages, make=make, save=save, collect=collect, shown=shown, result=_newest)


def _newest() -> dict[str, Any]:
    """The number of what was just received."""
    rows = lists.paginate(queries.mine(tenant(), member()), _NEWEST, path="", state={}, size=1).rows
    return {"number": rows[0].number if rows else ""}


add_steps(bp, "/inquiries/new", "inquiry", _steps, needs(Right.SUPPORT), taking=[takes_files])


def about(number: str) -> dict[str, Any]:
    """What the page of an order shows of the talk about it (FAC-03)."""
    page = lists.paginate(
        queries.mine(tenant(), member(), about=number), _NEWEST, path="", state={}
    )
    statuses, may = lists.badges(Status), member().may(Right.SUPPORT)
    return {
        "contacts": page.rows,
        "contact_total": page.total,
        "contact_statuses": statuses,
        "may_write": may,
    }


_LIST = lists.Listing(
    "/inquiries",
    ("inquiries/index.html", "inquiries/_list.html"),
    SearchForm,
    lambda asked: queries.mine(tenant(), member(), **asked),
    [_NEWEST],
    Status,
    {
        msgid("受付番号"): "number",
        msgid("件名"): lambda row: first_line(row.subject),
        msgid("お問合せ区分"): "label",
        msgid("対象"): "about",
        msgid("ステータス"): "status",
        msgid("更新日時"): lambda row: at_time(row.updated_at),
    },
    lambda: {"may": member().may(Right.SUPPORT)},
)
_LIST.hang(bp, "index")


def unread_answers() -> Attention:
    """The card of the top page for answers that the member has not read (COM-20)."""
    return _LIST.attention(msgid("未読の回答"), unread="1")


@bp.route("/inquiries/<number>", methods=["GET", "POST"])
@takes_files
def thread(number: str) -> Answer:
    """One thread, and a further message. Opening it takes its mark away, in a short write behind the read."""
    found = queries.find(tenant(), member(), number)
    form, messages, may = (
        message_form(writers()),
        queries.thread(found),
        member().may(Right.SUPPORT),
    )
    read = partial(operations.mark_read, found.id, member().member_id)

    def write() -> Answer:
        may.require()
        kept = files.keep(tenant(), form.uploaded(), by=actor())
        name = form.writer.data if "writer" in form else ""
        operations.write(found, form.body.data, kept, by=actor(), name=name)
        return done(_("メッセージを送信しました。"), f"/inquiries/{number}")

    page = submit("inquiries/thread.html", form, write, inquiry=found, messages=messages, may=may)
    if not form.is_submitted():
        afterwards(read)
    return page


@bp.get("/inquiries/<number>/files/<sha256>")
def file(number: str, sha256: str) -> Response:
    """A file of the thread, to keep: never shown inside the page."""
    found = queries.find_file(queries.find(tenant(), member(), number), sha256)
    try:
        return attachment(files.read(found.sha256), found.name, found.media_type, found.sha256)
    except FileNotFoundError:
        raise NotFound("ファイルが見つかりません。") from None


class TrapField(StringField):  # type: ignore[misc]
    """What people do not see and programs fill in."""


def _form(category: Any) -> Any:
    """The category's form with who writes before it."""
    mine = {
        "name": line(_l("お名前"), required=True),
        "email": email_field(_l("メールアドレス")),
        "stamp": HiddenField(),
        "website": TrapField(),
        "files": None,
        "filled_in": lambda _form: request.form.get("step") == "edit",
    }
    return inquiry_form(category, None, mine)


@bp.route("/inquiries/guest", methods=["GET", "POST"])
@public
def guest() -> Answer:
    """入力 and 内容確認 at one address; 戻る and 送信する are its buttons."""
    if not tenant().inquiries.guests:
        raise NotFound("ページが見つかりません")
    category = category_named(request.values.get("category"))
    form = _form(category)
    shown: dict[str, Any] = {"category": category, "categories": tenant().inquiries.categories}
    form.stamp.data = form.stamp.data or guests.stamp()

    def go_on() -> Answer:
        if request.form.get("step") == "send":
            return _send(form, category)
        hidden = {
            name: value
            for name, value in request.form.items()
            if name not in ("csrf_token", "step")
        }
        return render("inquiries/guest_confirm.html", rows=form.rows(), hidden=hidden, **shown)

    return submit("inquiries/guest.html", form, go_on, **shown)


def _send(form: Any, category: Any) -> Answer:
    """Once; what filled in the unseen field is thanked and forgotten."""
    if not form.website.data:
        typed = form.typed()
        asked = Asked(
            category.key, typed["body"], typed.get("about") or "", answers(category, typed)
        )
        writer, address = Writer(typed["name"], typed["email"]), request.remote_addr or ""
        form.stamp.data = guests.stamp()  # for the form that what is refused goes back to
        guests.ask(tenant(), writer, asked, typed["stamp"], address=address, link_base=link_base())
        session().commit()
    return redirect("/inquiries/guest/done", 303)


@bp.get("/inquiries/guest/done")
@public
def guest_done() -> str:
    """完了: the number is in the mail."""
    return render("inquiries/guest_done.html")
