"""Publishing, listing and reading notices (COM-60)."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, String, and_, bindparam, literal, or_, select

from portal.config import NumberFormat
from portal.core import Actor, NotFound, RuleBroken, audit, clock, numbering
from portal.core.db import Query, execute_core, insert_or_ignore, session
from portal.shared.accounts.models import Account
from portal.shared.auth.sessions import SignedIn
from portal.shared.notices.models import Notice, NoticeRead
from portal.shared.searching import Criterion, Keywords, Search, keywords, since, ticked, until

OF_PRODUCT = "product-"
"""What an audience begins with that is the customers of a product; nobody is tagged with it."""


def publish(
    title: str,
    body: str,
    *,
    by: Actor,
    category: str = "",
    is_important: bool = False,
    publish_at: datetime | None = None,
    ends_at: datetime | None = None,
    audience: str = "",
) -> Notice:
    """Publish at `publish_at` (now when None), to who has a tag of `audience` or to all.

    The caller commits. Raises RuleBroken when no account has that tag.
    """
    # A misspelt tag would publish to nobody. Products have no tag in the database to look for.
    tagged = audience and not audience.startswith(OF_PRODUCT)
    if tagged and not session().scalar(
        select(Account.id).where(Account.tags.like(f"%,{audience},%")).limit(1)
    ):
        raise RuleBroken("このタグの会員はいません: %(tag)s", field="audience", tag=audience)
    number = numbering.next_number("notice", NumberFormat(prefix="N", digits=4))
    notice = Notice(
        number=number,
        title=title,
        body=body,
        category=category,
        is_important=is_important,
        audience=audience,
        publish_at=publish_at or clock.now(),
        ends_at=ends_at,
    )
    session().add(notice)
    audit.record("notice.publish", notice, by=by, title=title)
    return notice


_N = Notice.__table__
_READ = NoticeRead.__table__
_READ_BY_MEMBER = and_(
    _READ.c.tenant_id == bindparam("tenant"),
    _READ.c.notice_id == _N.c.id,
    _READ.c.member_id == bindparam("member"),
)
_AUDIENCE = literal(",", String) + _N.c.audience + literal(",", String)
_COLUMNS = (
    _N.c.id,
    _N.c.number,
    _N.c.title,
    _N.c.category,
    _N.c.is_important,
    _N.c.publish_at,
    _READ.c.read_at,
)


@cache
def _visible(tags: int) -> ColumnElement[bool]:
    """What a member with so many tags may see now."""
    # By the number of tags, not by the tags: each statement is compiled once for all members.
    meant = (_AUDIENCE.like(bindparam(f"tag{place}")) for place in range(tags))
    ends = or_(_N.c.ends_at.is_(None), _N.c.ends_at > bindparam("now"))
    return and_(_N.c.publish_at <= bindparam("now"), ends, or_(_N.c.audience == "", *meant))


@cache
def _listing(tags: int) -> Select[*tuple[Any, ...]]:
    joined = select(*_COLUMNS).outerjoin_from(_N, _READ, _READ_BY_MEMBER)
    return joined.where(_N.c.tenant_id == bindparam("tenant"), _visible(tags))


@cache
def _newest(tags: int) -> Select[*tuple[Any, ...]]:
    return (
        _listing(tags).order_by(_N.c.publish_at.desc(), _N.c.id.desc()).limit(bindparam("at_most"))
    )


def _tags(who: SignedIn) -> dict[str, str]:
    """The value of each parameter that `_visible` has for a tag of the member."""
    # Tags stand between commas, so that "gold" is not found in "golden".
    tags = filter(None, who.tags.split(","))
    return {f"tag{place}": f"%,{tag},%" for place, tag in enumerate(tags)}


@cache
def _search(tags: int) -> Search:
    criteria: dict[str, Criterion | Keywords] = {
        "text": keywords(_N.c.number, _N.c.category, _N.c.title, _N.c.body),
        "unread": ticked(_READ.c.read_at.is_(None)),
        "since": since(_N.c.publish_at),
        "until": until(_N.c.publish_at),
    }
    return Search(_listing(tags), criteria)


def listing(who: SignedIn, **asked: object) -> Query:
    """The notices for this member, with a mark of whether they have read each.

    The caller orders and limits. `asked` narrows them: `text` (words in number, category, title or
    body), `unread` alone, days `since` and `until`.
    """
    tags = _tags(who)
    return _search(len(tags)).find(asked, member=who.member_id, now=clock.now(), **tags)


def newest(who: SignedIn, limit: int) -> Sequence[Row[Any]]:
    """The newest notices for this member, newest first."""
    return execute_core(_newest(len(_tags(who))), listing(who).values | {"at_most": limit}).all()


def find(who: SignedIn, number: str) -> Notice:
    """The notice with this number, if it is for this member. Raises NotFound."""
    tags = _tags(who)
    statement = select(Notice).where(Notice.number == number, _visible(len(tags)))
    notice = session().scalars(statement, {"now": clock.now(), **tags}).one_or_none()
    if notice is None:
        raise NotFound("お知らせが見つかりません。")
    return notice


def mark_read(notice_id: int, member_id: int) -> None:
    """Note that the member has opened the notice; opening it again changes nothing.

    The caller commits.
    """
    values = {"notice_id": notice_id, "member_id": member_id, "read_at": clock.now()}
    insert_or_ignore(NoticeRead, values, unique=("tenant_id", "member_id", "notice_id"))
