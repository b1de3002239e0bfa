"""お問い合わせ: the form by category, the list, one thread, and the form of who is not signed in
(COM-50 … COM-53).

What a guest typed goes along in the form: there is nobody to keep it for.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import redirect, request, url_for
from flask import session as cookie
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal.config import InquiryCategory
from portal.core import Decision, NotFound, PageLink, Query, gettext_noop, session
from portal.pages.inquiries import attachments, subjects
from portal.pages.inquiries.attachments import Attachments
from portal.pages.inquiries.forms import (
    GuestInquiryForm,
    InquiryForm,
    MessageForm,
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
from portal.web.forms import FormData
from portal.web.i18n import translate as _
from portal.web.render import Context, attachment, render, render_invalid
from portal.web.requests import (
    FlaggedBlueprint,
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

bp = FlaggedBlueprint("inquiries", __name__, require_feature("inquiries"))
FLOW = ConfirmFlow(kind="inquiry", subject="new", form=PageLink("inquiries.inquiry_form"))
_FILES = ConfirmFlow(kind="inquiry-files", subject="new", form=PageLink("inquiries.inquiry_form"))
_RECEIPT = "guest_inquiry"
"""The name in the browser's own cookie under which a guest's receipt number stands."""
_NEWEST = lists.Sort("newest", "新しい順", queries.UPDATED, queries.TIE)


def chosen_category(typed: FormData | None = None) -> InquiryCategory:
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


def writer(typed: FormData) -> Writer:
    """The member, by the name that was chosen; where nobody chooses, by the one registered name."""
    name = typed.get("writer")
    if not name:
        names = writers()
        name = names[0] if len(names) == 1 else member().name
    return replace(Writer.of(member()), name=name)


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

    def make(typed: FormData | None) -> InquiryForm:
        form = _make_form(typed)
        sent.blame(form)
        return form

    def collect(form: InquiryForm) -> FormData:
        return _collect(form, sent)

    def context(typed: FormData) -> Context:
        return _context(typed, sent)

    return ConfirmedForm(
        FLOW,
        ("inquiries/form.html", "inquiries/confirm.html", "inquiries/done.html"),
        make=make,
        save=_save,
        collect=collect,
        check=_check,
        shown=context,
        result=_newest,
    )


def _make_form(typed: FormData | None) -> InquiryForm:
    """The form of the chosen category, with what was typed."""
    category = chosen_category(typed)
    data = dict(typed or {})
    data["about"] = subjects.named(typed, category)
    data["subject"] = subjects.linked(typed)
    return inquiry_form(category, offer(category), data)


def _collect(form: InquiryForm, sent: Attachments) -> FormData:
    """What a valid form says, the number as the brand writes it. Raises RuleBroken."""
    typed = form.typed()
    data: FormData = _carried({}) | typed
    data["attached"] = sent.as_data()
    data["files"] = None
    category = chosen_category(data)
    if category.about:
        data["about"] = subjects.check(category, typed.get("about") or "")
    return data


def _save(data: FormData) -> None:
    category = chosen_category(data)
    asked = Asked(
        category=category.key,
        body=data["body"],
        about=_about(data),
        answers=answers(category, data),
        files=attachments.from_data(data),
    )
    operations.ask(tenant(), writer(data), asked, by=actor())


def _check(data: FormData) -> None:
    """Refuse what may not be asked, or not any more. Raises RuleBroken."""
    number = _about(data)
    category = chosen_category(data)
    # Asked again with the number: of each contract its own contacts may ask (SUP-01).
    may_ask(number, category.key).require()
    if number:
        subjects.check(category, number)


def _context(typed: FormData, sent: Attachments) -> Context:
    """What the pages show besides the form."""
    category = chosen_category(typed)
    number = subjects.linked(typed)
    if category.about:
        number = subjects.named(typed, category)
    return {
        "category": category,
        "facts": subjects.facts(category, number),
        "asker_name": "/".join(writers()) or member().name,
        "attached": sent.kept if _is_posted() else attachments.from_data(typed),
        "attached_token": sent.token,
        "carried": _carried(typed),
    }


def _is_posted() -> bool:
    """Whether this request is the form's POST, not that of its confirm page."""
    return request.endpoint == "inquiries.inquiry_form" and request.method == "POST"


def _about(data: FormData) -> str:
    """The number that it is about: as its category asks for it, else as the way to the form named
    it.
    """
    if chosen_category(data).about:
        return str(data.get("about") or "")
    return subjects.linked(data)


def _received() -> Attachments:
    """The files that came with the form, if this is its POST."""
    if not _is_posted():
        return Attachments()
    return attachments.receive(_FILES, attachments.from_data(FLOW.typed()))


def _carried(typed: FormData) -> dict[str, str]:
    """What was typed for other categories than the one that is shown."""
    category = chosen_category(typed)
    shown = {f"f_{field.key}" for field in category.fields}
    if category.about:
        shown.add("about")
    source: Mapping[str, object] = request.form if request.method == "POST" else typed
    carried = {}
    for name, value in source.items():
        is_of_a_category = name == "about" or name.startswith("f_")
        if is_of_a_category and name not in shown and value:
            carried[name] = str(value)
    return carried


def _newest() -> Context:
    """The number of what was just received."""
    found = queries.mine(tenant(), member())
    rows = lists.paginate(found, _NEWEST, path="", state={}, size=1).rows
    return {"number": rows[0].number if rows else ""}


register_confirmed_form(bp, "/inquiries/new", "inquiry", _steps, taking=[takes_files])


def about(number: str) -> dict[str, Any]:
    """What the page of an order shows of the talk about it (FAC-03)."""
    found = queries.mine(tenant(), member(), about=number)
    page = lists.paginate(found, _NEWEST, path="", state={})
    return {
        "contacts": page.rows,
        "contact_total": page.total,
        "contact_statuses": lists.badges(Status),
        "may_write": member().may(Right.SUPPORT),
    }


def _products() -> Mapping[str, Product]:
    """The products that the member's account has (SUP-13)."""
    return asking.products(tenant(), member().account_id)


class OfferedSearchForm(SearchForm):
    """The search of this brand: what it has not is not offered (COM-03)."""

    def __init__(self, formdata: MultiDict[str, str] | None = None) -> None:
        super().__init__(formdata)
        self.offer(
            channels=queries.channels(tenant(), operators_begin=subjects.are_known()),
            products={key: one.label for key, one in _products().items()},
            has_numbers=any(one.about for one in tenant().inquiries.categories),
        )


def _find(asked: FormData) -> Query:
    """What the search asks for; a product stands for the numbers that are of it."""
    # An inquiry has no product of its own: what it is about has one.
    product = _products().get(asked.get("product", ""))
    numbers = list(product.numbers) if product else []
    return queries.mine(tenant(), member(), **{**asked, "product": numbers})


def _list_context(_page: lists.Page) -> Context:
    return {"may": may_ask()}


def _subject(row: lists.ListRow) -> str:
    return first_line(row.subject)


def _updated(row: lists.ListRow) -> str:
    return at_time(row.updated_at)


_LIST = lists.Listing(
    endpoint="inquiries.index",
    pages=("inquiries/index.html", "inquiries/_list.html"),
    form=OfferedSearchForm,
    find=_find,
    sorts=[_NEWEST],
    statuses=Status,
    columns={
        gettext_noop("受付番号"): "number",
        gettext_noop("件名"): _subject,
        gettext_noop("お問い合わせ区分"): "label",
        gettext_noop("対象"): "about",
        gettext_noop("お名前"): "name",
        gettext_noop("状態"): "status",
        gettext_noop("最終更新"): _updated,
    },
    context=_list_context,
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
        sent = attachments.receive(_message_files(number), [])
        sent.blame(form)
        # Receiving may commit: what was loaded before is of another transaction.
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
        inquiry_id = found.id  # read now: the row is gone when the write begins

        def mark_read() -> None:
            operations.mark_read(inquiry_id, member().member_id)

        afterwards(mark_read)
    return page


def _message_files(number: str) -> ConfirmFlow:
    """Where the files of a further message are kept until it is sent, for this thread alone."""
    form = PageLink("inquiries.thread", {"number": number})
    return ConfirmFlow(kind="message-files", subject=number, form=form)


def _write(found: Inquiry, form: MessageForm, sent: Attachments) -> None:
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
        return attachment(files.open_file(found.sha256), found.name, found.media_type, found.sha256)
    except FileNotFoundError:
        raise NotFound("ファイルが見つかりません。") from None


@bp.route("/inquiries/guest", methods=["GET", "POST"])
@public
def guest() -> Answer:
    """入力 and 内容確認 at one address; 戻る, 区分を変更 and 送信する are its buttons."""
    if not tenant().inquiries.guests:
        raise NotFound("ページが見つかりません")
    # The form changes with its category, so the category is known before there is a form.
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


def _send(form: GuestInquiryForm, category: InquiryCategory) -> Answer:
    """Once; what filled in the unseen field is thanked and forgotten."""
    # A program that is told of its failure tries something else.
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
