"""帳票: everything that was issued to the account, one by one or a month at once (COM-72, COM-73)."""

from flask import Blueprint, request
from werkzeug.wrappers import Response
from wtforms import SelectField

from portal.blueprints.auth.forms import email_field
from portal.shared.auth.models import Right
from portal.shared.documents import operations, sharing
from portal.shared.documents.models import Document, DocumentKind
from portal.web import lists
from portal.web.forms import Form
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import attachment, pdf_response, render
from portal.web.requests import actor, client, feature, link_base, member, needs, public, tenant
from portal.web.submit import Answer, done, submit

bp = Blueprint("documents", __name__)
_NEWEST = lists.Sort("newest", "新しい順", operations.ISSUED, operations.TIE)


class LinkForm(Form):
    """For whom, and for how long."""

    email = email_field(_l("送り先のメールアドレス"))
    days = SelectField(_l("有効期間（日）"), default="7", choices=[str(days) for days in sharing.DAYS])


class AddressForm(Form):
    """Who opens a link says where it was mailed to."""

    email = email_field(_l("メールアドレス"))


@bp.get("/documents")
@needs(Right.BILLING)
def index() -> str:
    """The list, with the months that can be had as a whole."""
    query, cursor = operations.mine(member().account_id), request.args.get("page", "")
    return render(
        "documents/index.html",
        fragment="documents/_list.html",
        page=lists.paginate(query, _NEWEST, path="/documents", state={}, cursor=cursor),
        labels={kind.value: _(kind.label) for kind in DocumentKind},
    )


@bp.get("/documents.csv")
@needs(Right.BILLING)
def index_csv() -> Response:
    """The list as CSV (COM-21)."""
    header = [_("番号"), _("種類"), _("取引日"), _("金額（税込）"), _("対象")]
    labels = {kind.value: _(kind.label) for kind in DocumentKind}
    rows = lists.every_row(operations.mine(member().account_id), _NEWEST)
    return lists.csv_response(
        "documents", header, rows, lambda d: (d.number, labels[d.kind], d.transaction_date, d.total, d.about)
    )


def _own(kind: str, number: str) -> Document:
    return operations.find(member().account_id, kind, number)


@bp.get("/documents/<kind>/<number>.pdf")
@needs(Right.BILLING)
def document(kind: str, number: str) -> Response:
    """One document."""
    return pdf_response(*operations.read(_own(kind, number)))


@bp.get("/documents/month.zip")
@needs(Right.BILLING)
def month() -> Response:
    """All of a month with an index that Excel opens; the same month gives the same bytes."""
    asked = request.args.get("month", "")
    name, data, digest = operations.month_archive(member().account_id, asked)
    return attachment(data, name, "application/zip", digest)


@bp.route("/documents/<kind>/<number>/links", methods=["GET", "POST"])
@feature("document_links")
@needs(Right.BILLING)
def links(kind: str, number: str) -> Answer:
    """リンクで送る: to the accountant, say; and what became of the links that were sent."""
    found, form, here = _own(kind, number), LinkForm(), f"/documents/{kind}/{number}/links"

    def send() -> Answer:
        given = form.email.data, int(form.days.data)
        sharing.make(tenant(), member(), found, *given, by=actor(), link_base=link_base())
        return done(_("リンクをメールでお送りしました。"), here)

    sent = [(link, sharing.number_of(link), sharing.is_alive(link)) for link in sharing.of(found)]
    return submit("documents/links.html", form, send, document=found, sent=sent, here=here)


@bp.post("/documents/<kind>/<number>/links/<link>/removal")
@feature("document_links")
@needs(Right.BILLING)
def revoke_link(kind: str, number: str, link: str) -> Response:
    """無効にする."""
    sharing.revoke(_own(kind, number), link, by=actor())
    return done(_("リンクを無効にしました。"), f"/documents/{kind}/{number}/links")


@bp.route("/shared-documents/<token>", methods=["GET", "POST"])
@public
@feature("document_links")
def shared(token: str) -> Answer:
    """What a mailed link opens: the document, for who knows the address that it was mailed to."""
    sharing.peek(token)
    form = AddressForm()
    return submit(
        "documents/shared.html",
        form,
        lambda: pdf_response(*sharing.open_(token, form.email.data, address=client().address)),
    )
