"""お問い合わせ: the form by category, the list, one thread, and the form of who is not signed in (COM-50
… COM-53).

What a guest typed goes along in the form: there is nobody to keep it for.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from flask import redirect, request, url_for
from flask import session as cookie
from werkzeug.wrappers import Response

from portal.config import InquiryCategory
from portal.core import Decision, NotFound, PageLink, Query, gettext_noop, session
from portal.pages.inquiries import attachments, subjects
from portal.pages.inquiries.attachments import Attachments
from portal.pages.inquiries.forms import (
    Offer,
    SearchForm,
    answers,
    guest_form,
    inquiry_form,
    message_form,
)
from portal.shared.accounts.models import Right
from portal.shared.inquiries import asking, files, guests, operations, queries
from portal.shared.inquiries.asking import MayNotAsk, Product
from portal.shared.inquiries.models import Inquiry, Status
from portal.shared.inquiries.operations import Asked, Writer
from portal.web import lists
from portal.web.brand import Attention, writers_of
from portal.web.errors import report_forbidden
from portal.web.formatting import at_time, first_line
from portal.web.i18n import translate as _
from portal.web.render import attachment, render, render_invalid
from portal.web.requests import (
    Pages,
    actor,
    afterwards,
    member,
    public,
    require_feature,
    takes_files,
    tenant,
)
from portal.web.submit import (
    Answer,
    ConfirmedForm,
    ConfirmFlow,
    done,
    register_confirmed_form,
    submit,
)

bp = Pages("inquiries", __name__, require_feature("inquiries"))
FLOW = ConfirmFlow(kind="inquiry", subject="new", form=PageLink("inquiries.inquiry_form"))
_FILES = ConfirmFlow(kind="inquiry-files", subject="new", form=PageLink("inquiries.inquiry_form"))
_RECEIPT = "guest_inquiry"
"""The name in the browser's own cookie under which a guest's receipt number stands."""
_NEWEST = lists.Sort("newest", "新しい順", queries.UPDATED, queries.TIE)


def chosen_category(typed: dict[str, Any] | None = None) -> InquiryCategory:
    """The category that was chosen, or that the address or a draft names; else the one for
    everything else.
    """
    named = (
        request.form.get("category"),
        request.args.get("category"),
        (typed or {}).get("category"),
    )
    key = next(filter(None, named), None)
    return tenant().inquiries.category(key) or tenant().inquiries.categories[-1]


def writers() -> list[str]:
    """Who may be writing from this sign-in, where several share it (SUP-07)."""
    return writers_of(tenant(), member())


def writer(typed: dict[str, Any]) -> Writer:
    """The member, by the name that was chosen; where nobody chooses, by the one registered name."""
    names = writers()
    only = names[0] if len(names) == 1 else member().name
    return replace(Writer.of(member()), name=typed.get("writer") or only)


def may_ask(about: str = "", category: str = "") -> Decision:
    """Whether the member may ask: as their account lets them, and as the brand's own rule says
    (SUP-01).
    """
    who = member()
    right = who.may(Right.SUPPORT)
    return right and asking.can_ask(
        tenant(), who.account_id, who.member_id, about, category=category
    )


def require_may_ask(about: str = "", category: str = "") -> None:
    """Refuse who may not ask about this, or about anything. Raises MayNotAsk."""
    decision = may_ask(about, category)
    if not decision:
        raise MayNotAsk(decision.reason)


@bp.app_errorhandler(MayNotAsk)
def refuse(error: MayNotAsk) -> Response:
    """Why they may not ask, and whom to turn to (SUP-01)."""
    report_forbidden()
    responsible = asking.responsible(tenant(), member().account_id)
    return render_invalid(
        "inquiries/refused.html", 403, reason=_(error.message), responsible=responsible
    )


def offer(category: InquiryCategory | None = None) -> Offer:
    """What the member chooses from in the form of this category; of all for None."""
    who = member()
    return Offer(
        categories=tenant().inquiries.categories,
        writers=writers(),
        subjects=subjects.choices(category),
        units=asking.units(tenant(), who.account_id, who.member_id),
        opening=_opening(category),
    )


def _opening(category: InquiryCategory | None) -> tuple[str, str] | None:
    """From when to when something can be wished for, where a module of the category says so."""
    brands = subjects.brands_for(category)
    return next((brand.opening(tenant()) for brand in brands if brand.opening), None)


def _steps() -> ConfirmedForm:
    """Asking. Links lead here with category and number filled in (FAC-05)."""
    require_may_ask()
    sent = _received()
    return ConfirmedForm(
        FLOW,
        ("inquiries/form.html", "inquiries/confirm.html", "inquiries/done.html"),
        make=partial(_make_form, sent=sent),
        save=_save,
        collect=partial(_collect, sent=sent),
        check=_check,
        shown=partial(_context, sent=sent),
        result=_newest,
    )


def _make_form(typed: dict[str, Any] | None, *, sent: Attachments) -> Any:
    """The form of the chosen category, with what was typed and what is kept of its files."""
    category = chosen_category(typed)
    number = subjects.named(typed, category)
    asked = {**(typed or {}), "about": number, "subject": subjects.linked(typed)}
    form = inquiry_form(category, offer(category), asked)
    sent.blame(form)
    return form


def _collect(form: Any, *, sent: Attachments) -> dict[str, Any]:
    """What a valid form says, the number as the brand writes it. Raises RuleBroken."""
    typed: dict[str, Any] = form.typed()
    data = {**_carried({}), **typed, "attached": sent.as_data(), "files": None}
    category = chosen_category(data)
    if category.about:
        data["about"] = subjects.check(category, typed.get("about") or "")
    return data


def _save(data: dict[str, Any]) -> None:
    category = chosen_category(data)
    asked = Asked(
        category=category.key,
        body=data["body"],
        about=_about(data),
        answers=answers(category, data),
        files=attachments.from_data(data),
    )
    operations.ask(tenant(), writer(data), asked, by=actor())


def _check(data: dict[str, Any]) -> None:
    """Refuse what may not be asked, or not any more. Raises RuleBroken."""
    number = _about(data)
    category = chosen_category(data)
    may_ask(number, category.key).require()
    if number:
        subjects.check(category, number)


def _context(typed: dict[str, Any], *, sent: Attachments) -> dict[str, Any]:
    """What the pages show besides the form."""
    is_posted = request.endpoint == "inquiries.inquiry_form" and request.method == "POST"
    category = chosen_category(typed)
    number = subjects.named(typed, category) if category.about else subjects.linked(typed)
    return {
        "category": category,
        "facts": subjects.facts(category, number),
        "asker_name": "/".join(writers()) or member().name,
        "attached": sent.kept if is_posted else attachments.from_data(typed),
        "attached_token": sent.token,
        "carried": _carried(typed),
    }


def _about(data: dict[str, Any]) -> str:
    """The number that it is about: as its category asks for it, else as the way to the form named
    it.
    """
    if chosen_category(data).about:
        return str(data.get("about") or "")
    return subjects.linked(data)


def _received() -> Attachments:
    """The files that came with the form, if this is its POST."""
    if request.endpoint != "inquiries.inquiry_form" or request.method != "POST":
        return Attachments()
    return attachments.receive(_FILES, attachments.from_data(FLOW.typed()))


def _carried(typed: dict[str, Any]) -> dict[str, str]:
    """What was typed for other categories than the one that is shown."""
    category = chosen_category(typed)
    shown = {"about"} if category.about else set()
    shown |= {f"f_{field.key}" for field in category.fields}
    source = request.form if request.method == "POST" else typed
    return {
        name: str(value)
        for name, value in source.items()
        if (name == "about" or name.startswith("f_")) and name not in shown and value
    }


def _newest() -> dict[str, Any]:
    """The number of what was just received."""
    rows = lists.paginate(queries.mine(tenant(), member()), _NEWEST, path="", state={}, size=1).rows
    return {"number": rows[0].number if rows else ""}


register_confirmed_form(bp, "/inquiries/new", "inquiry", _steps, taking=[takes_files])


def about(number: str) -> dict[str, Any]:
    """What the page of an order shows of the talk about it (FAC-03)."""
    page = lists.paginate(
        queries.mine(tenant(), member(), about=number), _NEWEST, path="", state={}
    )
    statuses = lists.badges(Status)
    may = member().may(Right.SUPPORT)
    return {
        "contacts": page.rows,
        "contact_total": page.total,
        "contact_statuses": statuses,
        "may_write": may,
    }


def _products() -> Mapping[str, Product]:
    """The products that the member's account has (SUP-13)."""
    return asking.products(tenant(), member().account_id)


class OfferedSearchForm(SearchForm):
    """The search of this brand: what it has not is not offered (COM-03)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer(
            channels=queries.channels(tenant(), operators_begin=subjects.are_known()),
            products={key: one.label for key, one in _products().items()},
            has_numbers=any(one.about for one in tenant().inquiries.categories),
        )


def _find(asked: dict[str, Any]) -> Query:
    """What the search asks for; a product stands for the numbers that are of it."""
    product = _products().get(asked.get("product", ""))
    numbers = list(product.numbers) if product else []
    return queries.mine(tenant(), member(), **{**asked, "product": numbers})


def _list_context(_page: lists.Page) -> dict[str, Any]:
    return {"may": may_ask()}


_LIST = lists.Listing(
    "inquiries.index",
    ("inquiries/index.html", "inquiries/_list.html"),
    OfferedSearchForm,
    _find,
    [_NEWEST],
    Status,
    {
        gettext_noop("受付番号"): "number",
        gettext_noop("件名"): lambda row: first_line(row.subject),
        gettext_noop("お問合せ区分"): "label",
        gettext_noop("対象"): "about",
        gettext_noop("お名前"): "name",
        gettext_noop("状態"): "status",
        gettext_noop("最終更新"): lambda row: at_time(row.updated_at),
    },
    _list_context,
)
_LIST.register(bp, "/inquiries")


def unread_answers() -> Attention:
    """The card of the top page for answers that the member has not read (COM-20)."""
    return _LIST.attention(gettext_noop("未読の回答"), unread="1")


@bp.route("/inquiries/<number>", methods=["GET", "POST"])
@takes_files
def thread(number: str) -> Answer:
    """One thread, and a further message.

    Opening it takes its mark away, in a short write behind the read.
    """
    found = queries.find(tenant(), member(), number)
    form = message_form(writers())
    may = may_ask(found.about, found.category)
    sent = Attachments()
    if form.is_submitted():
        require_may_ask(found.about, found.category)
        flow = ConfirmFlow(
            kind="message-files",
            subject=number,
            form=PageLink("inquiries.thread", {"number": number}),
        )
        sent = attachments.receive(flow, [])
        sent.blame(form)
        found = queries.find(tenant(), member(), number)

    def write() -> Answer:
        _write(found, form, sent)
        return done(_("メッセージを送信しました。"), url_for("inquiries.thread", number=number))

    page = submit(
        "inquiries/thread.html",
        form,
        write,
        inquiry=found,
        messages=queries.thread(found),
        may=may,
        attached=sent.kept,
        attached_token=sent.token,
    )
    if not form.is_submitted():
        read = partial(operations.mark_read, found.id, member().member_id)
        afterwards(read)
    return page


def _write(found: Inquiry, form: Any, sent: Attachments) -> None:
    operations.write(
        tenant(),
        found,
        form.body.data,
        sent.kept,
        by=actor(),
        name=writer(form.data).name,
        key=form.key.data or None,
    )


@bp.get("/inquiries/<number>/files/<sha256>")
def file(number: str, sha256: str) -> Response:
    """A file of the thread, to keep: never shown inside the page."""
    found = queries.find_file(queries.find(tenant(), member(), number), sha256)
    try:
        return attachment(files.read(found.sha256), found.name, found.media_type, found.sha256)
    except FileNotFoundError:
        raise NotFound("ファイルが見つかりません。") from None


@bp.route("/inquiries/guest", methods=["GET", "POST"])
@public
def guest() -> Answer:
    """入力 and 内容確認 at one address; 戻る, 区分を変更 and 送信する are its buttons."""
    if not tenant().inquiries.guests:
        raise NotFound("ページが見つかりません")
    category = chosen_category()
    form = guest_form(category, Offer(tenant().inquiries.categories, opening=_opening(category)))
    form.stamp.data = form.stamp.data or guests.stamp()

    def go_on() -> Answer:
        if request.form.get("step") == "send":
            return _send(form, category)
        hidden = {
            name: value
            for name, value in request.form.items()
            if name not in ("csrf_token", "step")
        }
        return render("inquiries/guest_confirm.html", rows=form.rows(), hidden=hidden)

    return submit("inquiries/guest.html", form, go_on, category=category, carried=_carried({}))


def _send(form: Any, category: InquiryCategory) -> Answer:
    """Once; what filled in the unseen field is thanked and forgotten."""
    if not form.website.data:
        typed = form.typed()
        asked = Asked(
            category.key, typed["body"], typed.get("about") or "", answers(category, typed)
        )
        writer = Writer(typed["name"], typed["email"])
        address = request.remote_addr or ""
        form.stamp.data = guests.stamp()  # for the form that what is refused goes back to
        made = guests.ask(tenant(), writer, asked, typed["stamp"], address=address)
        if made is not None:  # signed, and only in the browser that sent it
            cookie[_RECEIPT] = made.number
        session().commit()
    return redirect(url_for("inquiries.guest_done"), 303)


@bp.get("/inquiries/guest/done")
@public
def guest_done() -> str:
    """完了: the number, to the browser that sent it alone; it is in the mail too."""
    return render("inquiries/guest_done.html", number=cookie.get(_RECEIPT, ""))
