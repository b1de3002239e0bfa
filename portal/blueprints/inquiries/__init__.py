"""お問い合わせ: the form by category, the list, one thread (COM-50, COM-51)."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, flash, redirect, request
from werkzeug.wrappers import Response

from portal.blueprints.inquiries.forms import MessageForm, answers, inquiry_form
from portal.core.db import session, transaction_mode
from portal.core.errors import NotFound, RuleBroken
from portal.core.tenancy.schema_inquiries import InquiryCategory
from portal.shared.inquiries import files, operations, queries
from portal.shared.inquiries.files import Kept
from portal.shared.inquiries.models import Status
from portal.shared.inquiries.operations import Asked, Writer
from portal.web import lists
from portal.web.confirm import ConfirmFlow
from portal.web.errors import refused
from portal.web.files import attachment
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import actor, feature, link_base, member, takes_files, tenant

bp = Blueprint("inquiries", __name__, url_prefix="/inquiries")
FLOW = ConfirmFlow("inquiry", "/inquiries/new")
_NEWEST = lists.Sort("newest", "新しい順", queries.UPDATED, queries.TIE)
_FORM = "inquiries/form.html"


def category_named(key: Any) -> InquiryCategory:
    """The category that the address names, or the one for everything else."""
    return tenant().inquiries.category(key) or tenant().inquiries.categories[-1]


@bp.route("/new", methods=["GET", "POST"])
@feature("inquiries")
@takes_files
def new() -> str | Response:
    """入力. Links lead here with category and number filled in (FAC-05)."""
    typed = FLOW.typed()
    category = category_named(request.values.get("category") or (typed or {}).get("category"))
    form = inquiry_form(category, typed or {"about": request.args.get("about", "")[:40]})
    attached = [Kept(**file) for file in (typed or {}).get("attached", ())]
    shown: dict[str, Any] = {"category": category, "categories": tenant().inquiries.categories, "attached": attached}
    if not form.is_submitted():
        return render(_FORM, form=form, **shown)
    if not form.validate():
        return render_invalid(_FORM, form=form, **shown)
    try:
        kept = files.keep(tenant().inquiries, form.uploaded()) or attached
    except RuleBroken as error:
        return refused(_FORM, form, error, **shown)
    data = form.typed() | {"category": category.key, "attached": [asdict(file) for file in kept]}
    del data["files"]
    return FLOW.keep(data)


@bp.get("/new/confirm")
@feature("inquiries")
def confirm() -> str | Response:
    """内容確認."""
    review = FLOW.review()
    if review is None:
        return redirect(FLOW.form_href, 303)
    token, data = review
    category = category_named(data["category"])
    rows = [(label, value) for label, value in inquiry_form(category, data).rows() if value]
    named = [file["name"] for file in data["attached"]]
    back = FLOW.back_href(token)
    return render("inquiries/confirm.html", rows=rows, named=named, category=category, token=token, back=back)


@bp.post("/new/confirm")
@feature("inquiries")
def send() -> Response:
    """送信する: once."""

    def ask(data: dict[str, Any]) -> None:
        category = category_named(data["category"])
        kept = [Kept(**file) for file in data["attached"]]
        given = answers(category, data)
        asked = Asked(category.key, data["body"], data.get("about") or "", given, kept)
        operations.ask(tenant(), Writer.of(member()), asked, by=actor(), link_base=link_base())

    return FLOW.finish(ask)


@bp.get("/new/done")
@feature("inquiries")
def done() -> str:
    """完了, with the number of what was just received."""
    newest = lists.paginate(queries.mine(tenant(), member()), _NEWEST, path="", state={}, size=1).rows
    return render("inquiries/done.html", number=newest[0].number if newest else "")


@bp.get("")
@feature("inquiries")
def index() -> str:
    """お問い合わせ履歴."""
    status = request.args.get("status", "")
    wanted = Status(status) if status in set(Status) else None
    page = lists.paginate(
        queries.mine(tenant(), member(), status=wanted),
        _NEWEST,
        path="/inquiries",
        state={"status": status} if wanted else {},
        cursor=request.args.get("page", ""),
    )
    statuses = {s.value: (_(s.label), s.tone) for s in Status}
    return render("inquiries/index.html", fragment="inquiries/_list.html", page=page, statuses=statuses, status=wanted)


@bp.route("/<number>", methods=["GET", "POST"])
@feature("inquiries")
@takes_files
def thread(number: str) -> str | Response:
    """One thread, and a further message. Opening it takes its mark away, in a short write behind the read."""
    found = queries.find(tenant(), member(), number)
    form = MessageForm()
    shown: dict[str, Any] = {"inquiry": found, "messages": queries.thread(found)}
    if not form.is_submitted():
        page = render("inquiries/thread.html", form=form, **shown)
        inquiry_id = found.id
        with transaction_mode("write"):
            operations.mark_read(inquiry_id, member().member_id)
            session().commit()
        return page
    if not form.validate():
        return render_invalid("inquiries/thread.html", form=form, **shown)
    try:
        kept = files.keep(tenant().inquiries, form.uploaded())
    except RuleBroken as error:
        return refused("inquiries/thread.html", form, error, **shown)
    operations.write(found, form.body.data, kept, by=actor())
    session().commit()
    flash(_("メッセージを送信しました。"), "ok")
    return redirect(f"/inquiries/{number}", 303)


@bp.get("/<number>/files/<sha256>")
@feature("inquiries")
def file(number: str, sha256: str) -> Response:
    """A file of the thread, to keep: never shown inside the page."""
    found = queries.find_file(queries.find(tenant(), member(), number), sha256)
    try:
        return attachment(files.read(found.sha256), found.name, found.media_type, found.sha256)
    except FileNotFoundError:
        raise NotFound("ファイルが見つかりません。") from None


from portal.blueprints.inquiries import guest  # noqa: E402, F401 - its routes stand on `bp`
