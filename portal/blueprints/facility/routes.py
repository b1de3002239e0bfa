"""The pages of a facility brand."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as BaseResponse

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.forms import SearchForm
from portal.blueprints.facility.models import Reservation, Status
from portal.core.errors import msgid
from portal.core.tenancy.schema import Tenant
from portal.core.verdict import Verdict
from portal.shared.auth.models import Right
from portal.shared.auth.sessions import SignedIn
from portal.shared.billing import lines as bill_lines
from portal.shared.documents import operations as documents
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.inquiries import queries as inquiries
from portal.shared.inquiries.models import Status as InquiryStatus
from portal.web import lists
from portal.web.brand import Attention
from portal.web.files import pdf_response
from portal.web.formatting import at_time, from_to
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import member, tenant

bp = Blueprint("facility", __name__)

_R = Reservation.__table__
SORTS = (
    lists.Sort("newest", "予約完了日が新しい", _R.c.booked_at, _R.c.id),
    lists.Sort("oldest", "予約完了日が古い", _R.c.booked_at, _R.c.id, descending=False),
)
_CONTACTS = lists.Sort("newest", "新しい順", inquiries.UPDATED, inquiries.TIE)
_STATE = ("number", "status", "facility", "since", "until", "sort")
_KINDS = {"work-report": DocumentKind.WORK_REPORT, "invoice": DocumentKind.INVOICE, "receipt": DocumentKind.RECEIPT}


def home(_tenant: Tenant, _member: SignedIn) -> dict[str, Any]:
    """The my page's own part: the list of reservations (FAC-01)."""
    return _listing(SearchForm(formdata=None))


def attention(_tenant: Tenant, who: SignedIn) -> Iterator[Attention]:
    """What is to be paid (COM-20)."""
    yield Attention(msgid("お支払い待ちのご予約"), queries.unpaid(who.account_id), "/reservations?status=billed")


def _listing(form: SearchForm) -> dict[str, Any]:
    """The page of reservations that `form` and the URL ask for."""
    state = {key: value for key in _STATE if (value := request.args.get(key, "").strip())}
    sort = lists.chosen(SORTS, state.get("sort"))
    query = queries.mine(member().account_id, form.search())
    page = lists.paginate(query, sort, path="/reservations", state=state, cursor=request.args.get("page", ""))
    # The search bar without a search is kept for the whole brand, so nothing typed may stand in it.
    if not state and request.args:
        form = SearchForm(formdata=None)
    return {
        "form": form,
        "page": page,
        "sorts": SORTS,
        "sort": sort,
        "state": state,
        "statuses": {s.value: (_(s.label), s.tone) for s in Status},
    }


@bp.get("/reservations")
def reservations() -> str | Response:
    """ご利用履歴の一覧 (FAC-02)."""
    form = SearchForm(request.args)
    if not form.validate():
        return _refused(form)
    return render("facility/reservations.html", fragment="facility/_list.html", **_listing(form))


def _refused(form: SearchForm) -> Response:
    """The page with what is wrong with the search, the same for page and CSV (COM-23)."""
    empty = _listing(SearchForm(formdata=None)) | {"form": form}
    return render_invalid("facility/reservations.html", fragment="facility/_list.html", **empty)


@bp.get("/reservations.csv")
def reservations_csv() -> Response:
    """The list as it is searched and sorted, as CSV (COM-21)."""
    form = SearchForm(request.args)
    if not form.validate():
        return _refused(form)
    sort = lists.chosen(SORTS, request.args.get("sort"))
    query = queries.mine(member().account_id, form.search())
    header = [_("予約番号"), _("設備"), _("ご利用日時"), _("ステータス"), _("ご請求金額"), _("予約完了日時")]
    labels = {s.value: _(s.label) for s in Status}
    return lists.csv_response(
        "reservations",
        header,
        lists.every_row(query, sort),
        lambda row: [
            row.number,
            row.facility_name,
            from_to(row.starts_at, row.ends_at),
            labels[row.status],
            row.total,
            at_time(row.booked_at),
        ],
    )


@bp.get("/reservations/<number>")
def reservation(number: str) -> str:
    """One reservation (FAC-03)."""
    found = queries.reservation(member().account_id, number)
    papers = _papers(found)
    about = lists.paginate(inquiries.mine(tenant(), member(), about=number), _CONTACTS, path="", state={})
    return render(
        "facility/reservation.html",
        reservation=found,
        may_ask=member().may(Right.SUPPORT) and operations.can_ask(found),
        may_write=member().may(Right.SUPPORT),
        percent=operations.cancellation_percent(tenant(), found),
        charge=operations.cancellation_charge(tenant(), found),
        contacts=about.rows,
        contact_statuses={s.value: (_(s.label), s.tone) for s in InquiryStatus},
        lines=bill_lines.from_json(found.lines),
        papers=[(slug, kind.label, verdict) for slug, (kind, _document, verdict) in papers.items()],
        track=[Status.REQUESTED, Status.CONFIRMED, Status.IN_USE, Status.USED, Status.BILLED, Status.PAID],
    )


@bp.get("/reservations/<number>/<any(invoice, 'work-report', receipt):slug>.pdf")
def paper(number: str, slug: str) -> BaseResponse | str:
    """帳票発行: the PDF, or the reason why there is none yet (FAC-04)."""
    found = queries.reservation(member().account_id, number)
    _kind, document, verdict = _papers(found)[slug]
    verdict.require()
    return pdf_response(*documents.read(document))


def _papers(found: Reservation) -> dict[str, tuple[DocumentKind, Document | None, Verdict]]:
    """The reservation's documents and whether each can be downloaded."""
    issued = documents.about(found.account_id, found.number)
    verdicts = {kind: operations.can_download(found, kind, issued.get(kind)) for kind in _KINDS.values()}
    if not member().may(Right.BILLING):
        verdicts |= dict.fromkeys((DocumentKind.INVOICE, DocumentKind.RECEIPT), member().may(Right.BILLING))
    return {slug: (kind, issued.get(kind), verdicts[kind]) for slug, kind in _KINDS.items()}
