"""Publishing, listing and reading notices (COM-60)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from sqlalchemy import Row, and_, bindparam, or_, select

from portal.core import audit, clock, numbering
from portal.core.actor import Actor
from portal.core.db import Query, insert_missing, run, session
from portal.core.errors import NotFound
from portal.core.tenancy.schema import NumberFormat
from portal.core.tenancy.scope import require_key
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
) -> Notice:
    """Publish a notice at `publish_at` (now when None). The caller commits."""
    notice = Notice(
        number=numbering.next_number("notice", NumberFormat(prefix="N", digits=4)),
        title=title,
        body=body,
        category=category,
        is_important=is_important,
        publish_at=publish_at or clock.now(),
        ends_at=ends_at,
    )
    session().add(notice)
    audit.record("notice.publish", f"notice:{notice.number}", by=by, title=title)
    return notice


_N, _READ = Notice.__table__, NoticeRead.__table__
_READ_BY_MEMBER = and_(
    _READ.c.tenant_id == bindparam("tenant"), _READ.c.notice_id == _N.c.id, _READ.c.member_id == bindparam("member")
)
_VISIBLE = and_(_N.c.publish_at <= bindparam("now"), or_(_N.c.ends_at.is_(None), _N.c.ends_at > bindparam("now")))
_COLUMNS = (_N.c.id, _N.c.number, _N.c.title, _N.c.category, _N.c.is_important, _N.c.publish_at, _READ.c.read_at)
_LISTING = (
    select(*_COLUMNS).outerjoin_from(_N, _READ, _READ_BY_MEMBER).where(_N.c.tenant_id == bindparam("tenant"), _VISIBLE)
)
_NEWEST = _LISTING.order_by(_N.c.publish_at.desc(), _N.c.id.desc()).limit(bindparam("at_most"))


def listing(member_id: int) -> Query:
    """The visible notices with a mark of whether the member has read each; the caller orders and limits."""
    return Query(_LISTING, {"tenant": require_key(), "member": member_id, "now": clock.now()})


def newest(member_id: int, limit: int) -> Sequence[Row[Any]]:
    """The newest visible notices, newest first."""
    return run(_NEWEST, listing(member_id).values | {"at_most": limit}).all()


def find(number: str) -> Notice:
    """The visible notice with this number. Raises NotFound."""
    statement = select(Notice).where(Notice.number == number, _VISIBLE)
    notice = session().scalars(statement, {"now": clock.now()}).one_or_none()
    if notice is None:
        raise NotFound("お知らせが見つかりません。")
    return notice


def mark_read(notice_id: int, member_id: int) -> None:
    """Note that the member has opened the notice; opening it again changes nothing. The caller commits."""
    values = {"notice_id": notice_id, "member_id": member_id, "read_at": clock.now()}
    insert_missing(NoticeRead, values, unique=("tenant_id", "member_id", "notice_id"))
