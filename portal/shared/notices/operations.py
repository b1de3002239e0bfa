"""Publishing, listing and reading notices (COM-60)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import nh3
from markdown_it import MarkdownIt
from sqlalchemy import Row, Select, and_, or_, select

from portal.core import audit, clock, numbering
from portal.core.actor import Actor
from portal.core.db import insert_missing, session
from portal.core.errors import NotFound
from portal.core.tenancy.schema import NumberFormat
from portal.shared.notices.models import Notice, NoticeRead

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


def to_html(markdown: str) -> str:
    """Markdown as sanitised HTML: no raw HTML, no scripts, links safe to follow."""
    return nh3.clean(_markdown.render(markdown))


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


def visible() -> Any:
    """The criterion of notices that may be seen now."""
    now = clock.now()
    return and_(Notice.publish_at <= now, or_(Notice.ends_at.is_(None), Notice.ends_at > now))


def listing(member_id: int) -> Select[Any]:
    """The visible notices with a mark of whether the member has read each; the caller orders and limits."""
    columns: list[Any] = [
        Notice.id,
        Notice.number,
        Notice.title,
        Notice.category,
        Notice.is_important,
        Notice.publish_at,
        NoticeRead.read_at,
    ]
    return (
        select(*columns)
        .select_from(Notice)
        .outerjoin(NoticeRead, and_(NoticeRead.notice_id == Notice.id, NoticeRead.member_id == member_id))
        .where(visible())
    )


def newest(member_id: int, limit: int) -> Sequence[Row[Any]]:
    """The newest visible notices, newest first."""
    order = (Notice.publish_at.desc(), Notice.id.desc())
    return session().execute(listing(member_id).order_by(*order).limit(limit)).all()


def find(number: str) -> Notice:
    """The visible notice with this number. Raises NotFound."""
    notice = session().scalars(select(Notice).where(Notice.number == number, visible())).one_or_none()
    if notice is None:
        raise NotFound("お知らせが見つかりません。")
    return notice


def mark_read(notice_id: int, member_id: int) -> None:
    """Note that the member has opened the notice; opening it again changes nothing. The caller commits."""
    values = {"notice_id": notice_id, "member_id": member_id, "read_at": clock.now()}
    insert_missing(NoticeRead, values, unique=("tenant_id", "member_id", "notice_id"))
