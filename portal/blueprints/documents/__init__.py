"""帳票: everything that was issued to the account, one by one or a month at once (COM-72, COM-73)."""

from flask import Blueprint, request
from werkzeug.wrappers import Response

from portal.shared.documents import operations
from portal.shared.documents.models import DocumentKind
from portal.web import lists
from portal.web.files import attachment, pdf_response
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import member

bp = Blueprint("documents", __name__, url_prefix="/documents")
_NEWEST = lists.Sort("newest", "新しい順", operations.ISSUED, operations.TIE)


@bp.get("")
def index() -> str:
    """The list, with the months that can be had as a whole."""
    query, cursor = operations.mine(member().account_id), request.args.get("page", "")
    return render(
        "documents/index.html",
        fragment="documents/_list.html",
        page=lists.paginate(query, _NEWEST, path="/documents", state={}, cursor=cursor),
        labels={kind.value: _(kind.label) for kind in DocumentKind},
    )


@bp.get("/<kind>/<number>.pdf")
def document(kind: str, number: str) -> Response:
    """One document."""
    return pdf_response(*operations.read(operations.find(member().account_id, kind, number)))


@bp.get("/month.zip")
def month() -> Response:
    """All of a month with an index that Excel opens; the same month gives the same bytes."""
    asked = request.args.get("month", "")
    name, data, digest = operations.month_archive(member().account_id, asked)
    return attachment(data, name, "application/zip", digest)
