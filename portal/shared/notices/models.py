"""Notices and who has read them."""

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import ID, Base, Numbered, TenantOwned, tenant_fk, tenant_table_args


class Notice(Numbered, Base):
    """An announcement in Markdown.

    From `publish_at` until `ends_at`, to all or who has a tag of `audience`.
    """

    __tablename__ = "notice"
    title: Mapped[str] = mapped_column(String(120))
    body: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(String(20), default="")
    is_important: Mapped[bool] = mapped_column(default=False)
    audience: Mapped[str] = mapped_column(String(1000), default="")
    publish_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        UniqueConstraint("tenant_id", "number"),
        Index("ix_notice_newest", "tenant_id", "publish_at", "id"),
    )


class NoticeRead(TenantOwned, Base):
    """That a member has opened a notice."""

    __tablename__ = "notice_read"
    notice_id: Mapped[int] = mapped_column(ID)
    member_id: Mapped[int] = mapped_column(ID)
    read_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("notice_id", "notice", ondelete="CASCADE"),
        tenant_fk("member_id", "member"),
        UniqueConstraint("tenant_id", "member_id", "notice_id"),
    )
