"""What can be asked of inquiries.

Members see those of their account, or their own, as the tenant says.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, or_, select

from portal.config import Tenant
from portal.core import NotFound, PageLink, Query, get_or_404, gettext_noop, session
from portal.core.folding import Folded
from portal.shared.auth.sessions import SignedIn
from portal.shared.inquiries.models import (
    CHANNELS,
    OPERATOR_CHANNEL,
    Inquiry,
    InquiryFile,
    InquiryMessage,
    InquiryRead,
    Status,
)
from portal.shared.searching import Bound, Keywords, Search, among, same, since, ticked, until

_I = Inquiry.__table__
_M = InquiryMessage.__table__
_READ = InquiryRead.__table__
UNFINISHED = (Status.RECEIVED, Status.IN_PROGRESS)
"""What waits for the operators. What is answered does not, though nobody may ever close it."""
UNFINISHED_KEY = "unfinished"
UNFINISHED_LINK = PageLink("inquiries.index", {"status": UNFINISHED_KEY})
"""The list of just these, as the search by status asks for them."""
UPDATED = _I.c.updated_at
TIE = _I.c.id
_READ_BY_MEMBER = and_(
    _READ.c.tenant_id == bindparam("tenant"),
    _READ.c.inquiry_id == _I.c.id,
    _READ.c.member_id == bindparam("member"),
)
_UNREAD = and_(
    _I.c.answered_at.is_not(None),
    or_(_READ.c.read_at.is_(None), _READ.c.read_at < _I.c.answered_at),
)
SUBJECT_LENGTH = 40
_ABSENT = gettext_noop("お問い合わせが見つかりません。")
_SHOWN = "id", "number", "label", "about", "name", "status", "created_at", "updated_at"
_ITS = _M.c.tenant_id == bindparam("tenant"), _M.c.inquiry_id == _I.c.id
_OWN = _I.c.tenant_id == bindparam("tenant"), _I.c.account_id == bindparam("account")
_FIRST_WORDS = (
    select(func.substr(_M.c.body, 1, SUBJECT_LENGTH))
    .where(*_ITS)
    .order_by(_M.c.id)
    .limit(1)
    .correlate(_I)
    .scalar_subquery()
)
"""How the first message begins: what tells one thread of a category from the next."""
_LISTED = select(
    *(_I.c[name] for name in _SHOWN), _FIRST_WORDS.label("subject"), _UNREAD.label("is_unread")
).outerjoin_from(_I, _READ, _READ_BY_MEMBER)


def _holds(asked: Bound) -> ColumnElement[bool]:
    """A word stands in a message, or in what the list shows of the inquiry besides, in whatever
    width and case.
    """
    # EXISTS and no join: an inquiry with the word in ten messages is found once.
    shown = (_I.c.number, _I.c.label, _I.c.about, _I.c.name)
    return or_(
        *(Folded(column).like(asked, escape="\\") for column in shown),
        exists().where(*_ITS, Folded(_M.c.body).like(asked, escape="\\")),
    )


_MINE = Search(
    _LISTED.where(*_OWN),
    {
        "own": same(_I.c.member_id),
        "status": same(_I.c.status),
        "unfinished": ticked(_I.c.status.in_(UNFINISHED)),
        "channel": same(_I.c.channel),
        "unread": ticked(_UNREAD),
        "about": same(_I.c.about),
        "product": among(_I.c.about),
        "since": since(_I.c.created_at),
        "until": until(_I.c.created_at),
        "text": Keywords(_holds),
    },
)


def mine(tenant: Tenant, who: SignedIn, **asked: object) -> Query:
    """The inquiries that this member may read, with a mark of what is unread.

    Index: ix_inquiry_mine. `asked` narrows them (SUP-13): `status`, `channel`, `about`, `product`
    (the numbers that are of it), `text` (words that stand in the messages or in what the list
    shows), days `since` and `until`, and `unread` to those with an answer that the member has not
    read. The status UNFINISHED_KEY stands for all that wait for the operators.
    """
    # Two states in one search: the page's list of states has an entry of its own for them.
    if asked.get("status") == UNFINISHED_KEY:
        del asked["status"]
        asked["unfinished"] = True
    if tenant.inquiries.visible_to == "member":
        asked["own"] = who.member_id
    return _MINE.find(asked, account=who.account_id, member=who.member_id)


def channels(tenant: Tenant, *, operators_begin: bool) -> list[str]:
    """By which ways inquiries come at this brand (COM-03).

    Operators begin one where there are orders.
    """
    offered = {
        "web": True,
        "chat": tenant.has("chat"),
        "mail": bool(tenant.mail.inbound),
        OPERATOR_CHANNEL: operators_begin,
    }
    return [channel for channel in CHANNELS if offered[channel]]


def open_ones(tenant: Tenant, who: SignedIn, limit: int) -> Sequence[Inquiry]:
    """What the member may read and is not closed yet, the newest first. Index: ix_inquiry_mine."""
    own = [Inquiry.account_id == who.account_id, Inquiry.status != Status.CLOSED]
    if tenant.inquiries.visible_to == "member":
        own.append(Inquiry.member_id == who.member_id)
    newest = select(Inquiry).where(*own).order_by(Inquiry.updated_at.desc(), Inquiry.id.desc())
    return session().scalars(newest.limit(limit)).all()


def open_request(account_id: int, category: str, about: str) -> Inquiry | None:
    """The account's own inquiry of this category about this number that is not closed.

    Index: ix_inquiry_about.
    """
    found = select(Inquiry).where(
        Inquiry.account_id == account_id,
        Inquiry.about == about,
        Inquiry.category == category,
        Inquiry.status != Status.CLOSED,
    )
    return session().scalars(found.order_by(Inquiry.id).limit(1)).one_or_none()


def unfinished(account_id: int) -> Sequence[Inquiry]:
    """What of all the account's sign-ins waits for the operators, the newest first.

    Index: ix_inquiry_mine.
    """
    own = Inquiry.account_id == account_id, Inquiry.status.in_(UNFINISHED)
    newest = select(Inquiry).where(*own).order_by(Inquiry.updated_at.desc(), Inquiry.id.desc())
    return session().scalars(newest).all()


def find(tenant: Tenant, who: SignedIn, number: str) -> Inquiry:
    """The inquiry with this number, where this member may read it. Raises NotFound."""
    # Asked for with its owner, never by number alone: what is not theirs does not exist for them.
    own = [Inquiry.number == number, Inquiry.account_id == who.account_id]
    if tenant.inquiries.visible_to == "member":
        own.append(Inquiry.member_id == who.member_id)
    return get_or_404(Inquiry, *own, absent=_ABSENT)


def any_inquiry(number: str) -> Inquiry:
    """An inquiry of the tenant in scope, for operators. Raises NotFound."""
    return get_or_404(Inquiry, Inquiry.number == number, absent=_ABSENT)


def thread(inquiry: Inquiry) -> list[tuple[InquiryMessage, list[InquiryFile]]]:
    """The messages in order, each with its files: two queries."""
    # By id, not by time: two that came within one tick of the clock keep their order.
    messages = select(InquiryMessage).where(InquiryMessage.inquiry_id == inquiry.id)
    found = list(session().scalars(messages.order_by(InquiryMessage.id)))
    files = select(InquiryFile).where(InquiryFile.message_id.in_([message.id for message in found]))
    by_message: dict[int, list[InquiryFile]] = {message.id: [] for message in found}
    for file in session().scalars(files.order_by(InquiryFile.id)):
        by_message[file.message_id].append(file)
    return [(message, by_message[message.id]) for message in found]


def find_file(inquiry: Inquiry, sha256: str) -> InquiryFile:
    """A file of this thread. Raises NotFound."""
    own = InquiryFile.message_id.in_(
        select(InquiryMessage.id).where(InquiryMessage.inquiry_id == inquiry.id)
    )
    found = (
        session()
        .scalars(select(InquiryFile).where(own, InquiryFile.sha256 == sha256).limit(1))
        .one_or_none()
    )
    if found is None:
        raise NotFound("ファイルが見つかりません。")
    return found


def worklist(status: Status | None, limit: int) -> Sequence[Inquiry]:
    """For operators: what awaits them, or what stands at `status`, the oldest first.

    Index: ix_inquiry_worklist.
    """
    statement = select(Inquiry).where(Inquiry.status.in_([status] if status else UNFINISHED))
    return session().scalars(statement.order_by(Inquiry.updated_at, Inquiry.id).limit(limit)).all()
