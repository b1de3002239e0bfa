"""Inquiries, their messages and files, and who has read how far."""

from datetime import datetime

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import (
    ID,
    Base,
    EnumType,
    LabelledEnum,
    Numbered,
    TenantOwned,
    gettext_noop,
    tenant_fk,
    tenant_table_args,
)
from portal.core.files import FileKey


class Status(LabelledEnum):
    """Where an inquiry stands (COM-51)."""

    RECEIVED = "received", gettext_noop("受付"), "warn"
    IN_PROGRESS = "in_progress", gettext_noop("対応中"), "info"
    ANSWERED = "answered", gettext_noop("回答済"), "ok"
    CLOSED = "closed", gettext_noop("完了"), "mute"


MOVES: dict[Status, frozenset[Status]] = {
    Status.RECEIVED: frozenset({Status.IN_PROGRESS, Status.ANSWERED, Status.CLOSED}),
    Status.IN_PROGRESS: frozenset({Status.ANSWERED, Status.CLOSED, Status.RECEIVED}),
    Status.ANSWERED: frozenset({Status.IN_PROGRESS, Status.CLOSED, Status.RECEIVED}),
    Status.CLOSED: frozenset({Status.RECEIVED}),
}
"""A member's new message leads back to 受付 from wherever it stood."""


OPERATOR_CHANNEL = "operator"
"""The channel of a thread that an operator began."""
CHANNELS = {
    "web": gettext_noop("フォーム"),
    "chat": gettext_noop("チャット"),
    "mail": gettext_noop("メール"),
    OPERATOR_CHANNEL: gettext_noop("当社からのご連絡"),
}
"""How an inquiry came."""


class Inquiry(Numbered, Base):
    """One thread.

    `fields` are the category's further answers as (label, value); `consent` digests the text agreed
    to. `answered_at` is when an operator last wrote: later than what a member has read, it is
    unread.
    """

    __tablename__ = "inquiry"
    account_id: Mapped[int | None] = mapped_column(ID)
    member_id: Mapped[int | None] = mapped_column(ID)
    # Copies: a thread says who asked, and is answered, also when the member has another name or
    # address by now, or never had an account.
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(254))
    category: Mapped[str] = mapped_column(String(30))
    label: Mapped[str] = mapped_column(String(100))
    # A number and no foreign key: which table it is of, only the brand's module knows.
    about: Mapped[str] = mapped_column(String(40), default="")
    fields: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    channel: Mapped[str] = mapped_column(String(10), default="web")
    status: Mapped[Status] = mapped_column(EnumType(Status, 12), default=Status.RECEIVED)
    assigned_to: Mapped[str] = mapped_column(String(120), default="")
    consent: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        tenant_fk("member_id", "member"),
        UniqueConstraint("tenant_id", "number"),
        Index("ix_inquiry_mine", "tenant_id", "account_id", "updated_at", "id"),
        Index("ix_inquiry_worklist", "tenant_id", "status", "updated_at", "id"),
        Index("ix_inquiry_about", "tenant_id", "account_id", "about"),
    )


class InquiryMessage(TenantOwned, Base):
    """One message; `by_kind` is member, operator or guest.

    `key` is its sender's own: it is there once (SUP-11).
    """

    __tablename__ = "inquiry_message"
    inquiry_id: Mapped[int] = mapped_column(ID)
    by_kind: Mapped[str] = mapped_column(String(10))
    by_name: Mapped[str] = mapped_column(String(120))
    body: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("inquiry_id", "inquiry"),
        Index("ix_inquiry_message_thread", "tenant_id", "inquiry_id", "id"),
        # NULLs are never equal: messages without a key are as many as there are.
        Index("uq_inquiry_message_key", "tenant_id", "inquiry_id", "key", unique=True),
    )


class InquiryFile(TenantOwned, Base):
    """A file with a message, kept under the digest of its bytes."""

    __tablename__ = "inquiry_file"
    message_id: Mapped[int] = mapped_column(ID)
    name: Mapped[str] = mapped_column(String(150))
    media_type: Mapped[str] = mapped_column(String(80))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(FileKey())
    __table_args__ = tenant_table_args(
        tenant_fk("message_id", "inquiry_message"),
        Index("ix_inquiry_file_message", "tenant_id", "message_id"),
        # For the sweep, which asks of each stored file whether any row still points at it.
        Index("ix_inquiry_file_sha256", "tenant_id", "sha256"),
    )


class InquiryRead(TenantOwned, Base):
    """How far a member has read a thread."""

    __tablename__ = "inquiry_read"
    member_id: Mapped[int] = mapped_column(ID)
    inquiry_id: Mapped[int] = mapped_column(ID)
    read_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("member_id", "member"),
        tenant_fk("inquiry_id", "inquiry"),
        UniqueConstraint("tenant_id", "member_id", "inquiry_id"),
    )
