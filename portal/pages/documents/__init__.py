"""帳票: what was issued to the account, one by one or a month at once (COM-72, COM-73)."""

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField

from portal.core import Query, RuleBroken, clock, gettext_noop
from portal.pages.auth.forms import email_field
from portal.shared.accounts.models import Right
from portal.shared.documents import operations, sharing
from portal.shared.documents.models import Document, DocumentKind
from portal.web import lists
from portal.web.document_views import right_to_read
from portal.web.errors import message_of
from portal.web.forms import DayField, Form, SearchForm, code_line, status_field
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.periods import usual_periods
from portal.web.render import attachment, pdf_response, render_invalid
from portal.web.requests import (
    actor,
    check_right,
    client,
    member,
    public,
    require_feature,
    require_right,
    tenant,
)
from portal.web.submit import Answer, done, submit

bp = Blueprint("documents", __name__)


class LinkForm(Form):
    """For whom, and for how long."""

    email = email_field(_l("送り先のメールアドレス"))
    days = SelectField(
        _l("有効期間（日）"), default="7", choices=[str(days) for days in sharing.DAYS]
    )


class AddressForm(Form):
    """Who opens a link says where it was mailed to."""

    email = email_field(_l("メールアドレス"))


class DocumentSearch(SearchForm):
    """What a member searches their documents by."""

    number = code_line(_l("番号"), longest=30)
    about = code_line(_l("対象"), longest=60)
    kind = status_field(_l("種類"), DocumentKind)
    since = DayField(_l("発行日（開始）"))
    until = DayField(_l("発行日（終了）"))


def _find(asked: dict[str, Any]) -> Query:
    return operations.mine(member().account_id, **asked)


def _context(_page: lists.Page) -> dict[str, Any]:
    bears_amount = {kind.value: kind.bears_amount for kind in DocumentKind}
    return {"periods": usual_periods(clock.today()), "bears_amount": bears_amount}


def _amount(row: Any) -> int | None:
    return row.total if DocumentKind(row.kind).bears_amount else None


_LIST = lists.Listing(
    "documents.index",
    ("documents/index.html", "documents/_list.html"),
    DocumentSearch,
    _find,
    [lists.Sort("newest", "新しい順", operations.ISSUED, operations.TIE)],
    DocumentKind,
    {
        gettext_noop("番号"): "number",
        gettext_noop("種類"): lambda row: _(DocumentKind(row.kind).label),
        gettext_noop("発行日"): lambda row: clock.to_local(row.issued_at).date(),
        gettext_noop("取引日"): "transaction_date",
        gettext_noop("金額（税込）"): _amount,
        gettext_noop("対象"): "about",
        gettext_noop("訂正後の番号"): "replaced_by",
    },
    _context,
)
_LIST.register(bp, "/documents", require_right(Right.BILLING))


def _own(kind: str, number: str) -> Document:
    return operations.find(member().account_id, kind, number)


@bp.get("/documents/<kind>/<number>.pdf")
def document(kind: str, number: str) -> Response:
    """One document, for whoever may read it on the page of what it is about."""
    check_right(right_to_read(kind))
    return pdf_response(*operations.open_file(_own(kind, number)))


@bp.get("/documents/month.zip")
@require_right(Right.BILLING)
def month() -> Response:
    """All of a month with an index that Excel opens; the same bytes again, unless something in it
    was corrected.
    """
    asked = request.args.get("month", "")
    try:
        made, name, digest = operations.month_archive(member().account_id, asked)
    except RuleBroken as error:  # no month, or an empty one: said above the list to choose from
        flash(message_of(error), "warn")
        return redirect(url_for("documents.index"), 303)
    return attachment(made, name, "application/zip", digest)


@bp.route("/documents/<kind>/<number>/links", methods=["GET", "POST"])
@require_feature("document_links")
@require_right(Right.BILLING)
def links(kind: str, number: str) -> Answer:
    """リンクで送る: to the accountant, say; and what became of the links that were sent."""
    found = _own(kind, number)
    form = LinkForm()
    here = url_for("documents.links", kind=kind, number=number)

    def send() -> Answer:
        given = form.email.data, int(form.days.data)
        sharing.make(tenant(), member(), found, *given, by=actor())
        return done(_("リンクをメールでお送りしました。"), here)

    sent = [
        (link, sharing.number_of(link), sharing.is_alive(link))
        for link in sharing.list_links(found)
    ]
    return submit("documents/links.html", form, send, document=found, sent=sent, here=here)


@bp.post("/documents/<kind>/<number>/links/<link>/removal")
@require_feature("document_links")
@require_right(Right.BILLING)
def revoke_link(kind: str, number: str, link: str) -> Response:
    """無効にする."""
    sharing.revoke(_own(kind, number), link, by=actor())
    return done(_("リンクを無効にしました。"), url_for("documents.links", kind=kind, number=number))


@bp.app_errorhandler(sharing.DeadDocumentLink)
def dead_link(_error: sharing.DeadDocumentLink) -> Response:
    """For outsiders, who have no sign-in to go back to: whom to ask for another link."""
    return render_invalid("documents/dead_link.html")


@bp.route("/shared-documents/<token>", methods=["GET", "POST"])
@public
@require_feature("document_links")
def shared(token: str) -> Answer:
    """What a mailed link opens: the document, for who knows the address that it was mailed to."""
    sharing.peek(token)
    form = AddressForm()
    return submit(
        "documents/shared.html",
        form,
        lambda: pdf_response(*sharing.open_link(token, form.email.data, address=client().address)),
    )
