"""Publishing, listing and reading notices (COM-60)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from sqlalchemy import Row, String, and_, bindparam, literal, or_, select

from portal.core import audit, clock, numbering
from portal.core.actor import Actor
from portal.core.db import Query, insert_missing, run, session
from portal.core.errors import NotFound, RuleBroken
from portal.core.tenancy.schema_parts import NumberFormat
from portal.core.tenancy.scope import require_key
from portal.shared.auth.models import Account
from portal.shared.auth.sessions import SignedIn
from portal.shared.notices.models import Notice, NoticeRead

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def _leading_out(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A link whose page gets no handle on ours."""
    tokens[at].attrSet("rel", "noopener noreferrer")
    return self.renderToken(tokens, at, options, env)


_markdown.add_render_rule("link_open", _leading_out)


def to_html(markdown: str) -> str:
    """Markdown as HTML of Markdown's own elements alone: raw HTML stays text, a script's address makes no link."""
    return str(_markdown.render(markdown))


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
    """Publish a notice at `publish_at` (now when None), to accounts with the tag `audience`, or to all.

    The caller commits. Raises RuleBroken when no account has that tag.
    """
    if audience and not session().scalar(select(Account.id).where(Account.tags.like(f"%,{audience},%")).limit(1)):
        raise RuleBroken("このタグの会員はいません: %(tag)s", field="audience", tag=audience)
    notice = Notice(
        number=numbering.next_number("notice", NumberFormat(prefix="N", digits=4)),
        title=title,
        body=body,
        category=category,
        is_important=is_important,
        publish_at=publish_at or clock.now(),
        ends_at=ends_at,
        audience=audience,
    )
    session().add(notice)
    audit.record("notice.publish", f"notice:{notice.number}", by=by, title=title)
    return notice


_N, _READ = Notice.__table__, NoticeRead.__table__
_READ_BY_MEMBER = and_(
    _READ.c.tenant_id == bindparam("tenant"), _READ.c.notice_id == _N.c.id, _READ.c.member_id == bindparam("member")
)
_TAGGED = bindparam("tags", type_=String).like(literal("%,", String) + _N.c.audience + literal(",%", String))
_VISIBLE = and_(
    _N.c.publish_at <= bindparam("now"),
    or_(_N.c.ends_at.is_(None), _N.c.ends_at > bindparam("now")),
    or_(_N.c.audience == "", _TAGGED),
)
_COLUMNS = (_N.c.id, _N.c.number, _N.c.title, _N.c.category, _N.c.is_important, _N.c.publish_at, _READ.c.read_at)
_LISTING = (
    select(*_COLUMNS).outerjoin_from(_N, _READ, _READ_BY_MEMBER).where(_N.c.tenant_id == bindparam("tenant"), _VISIBLE)
)
_NEWEST = _LISTING.order_by(_N.c.publish_at.desc(), _N.c.id.desc()).limit(bindparam("at_most"))


def listing(who: SignedIn) -> Query:
    """The notices for this member, with a mark of whether they have read each; the caller orders and limits."""
    seen = {"tags": who.tags, "now": clock.now()}
    return Query(_LISTING, {"tenant": require_key(), "member": who.member_id, **seen})


def newest(who: SignedIn, limit: int) -> Sequence[Row[Any]]:
    """The newest notices for this member, newest first."""
    return run(_NEWEST, listing(who).values | {"at_most": limit}).all()


def find(who: SignedIn, number: str) -> Notice:
    """The notice with this number, if it is for this member. Raises NotFound."""
    statement = select(Notice).where(Notice.number == number, _VISIBLE)
    notice = session().scalars(statement, {"now": clock.now(), "tags": who.tags}).one_or_none()
    if notice is None:
        raise NotFound("お知らせが見つかりません。")
    return notice


def mark_read(notice_id: int, member_id: int) -> None:
    """Note that the member has opened the notice; opening it again changes nothing. The caller commits."""
    values = {"notice_id": notice_id, "member_id": member_id, "read_at": clock.now()}
    insert_missing(NoticeRead, values, unique=("tenant_id", "member_id", "notice_id"))
