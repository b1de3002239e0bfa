"""The pages of a facility brand."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint
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
from portal.web.formatting import at_time, from_to
from portal.web.render import pdf_response, render
from portal.web.requests import member, tenant

bp = Blueprint("facility", __name__)

_R = Reservation.__table__
SORTS = (
    lists.Sort("newest", "予約完了日が新しい", _R.c.booked_at, _R.c.id),
    lists.Sort("oldest", "予約完了日が古い", _R.c.booked_at, _R.c.id, descending=False),
)
_CONTACTS = lists.Sort("newest", "新しい順", inquiries.UPDATED, inquiries.TIE)
_KINDS = {"work-report": DocumentKind.WORK_REPORT, "invoice": DocumentKind.INVOICE, "receipt": DocumentKind.RECEIPT}
_LIST = lists.Listing(
    "/reservations",
    ("facility/reservations.html", "facility/_list.html"),
    SearchForm,
    lambda asked: queries.mine(member().account_id, **asked),
    SORTS,
    Status,
    {
        msgid("予約番号"): "number",
        msgid("設備"): "facility_name",
        msgid("ご利用日時"): lambda row: from_to(row.starts_at, row.ends_at),
        msgid("ステータス"): "status",
        msgid("ご請求金額"): "total",
        msgid("予約完了日時"): lambda row: at_time(row.booked_at),
    },
)
_LIST.hang(bp, "reservations")


def home(_tenant: Tenant, _member: SignedIn) -> dict[str, Any]:
    """The my page's own part: the list of reservations (FAC-01)."""
    return _LIST.shown()


def attention(_tenant: Tenant, who: SignedIn) -> Iterator[Attention]:
    """What is to be paid (COM-20)."""
    yield Attention(msgid("お支払い待ちのご予約"), queries.unpaid(who.account_id), "/reservations?status=billed")


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
        contact_statuses=lists.badges(InquiryStatus),
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
