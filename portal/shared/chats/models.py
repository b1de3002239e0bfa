"""Chats that are going on; their messages are the inquiry's own."""

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import ID, Base, TenantOwned, index_where, tenant_fk, tenant_table_args


class Chat(TenantOwned, Base):
    """That an inquiry is talked about live.

    `pulse` counts what happens in it, so that readers see that it did.
    """

    __tablename__ = "chat"
    inquiry_id: Mapped[int] = mapped_column(ID)
    account_id: Mapped[int] = mapped_column(ID)
    pulse: Mapped[int] = mapped_column(default=0)
    operator: Mapped[str] = mapped_column(String(120), default="")
    member_typing_at: Mapped[datetime | None]
    operator_typing_at: Mapped[datetime | None]
    active_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("inquiry_id", "inquiry", ondelete="CASCADE"),
        tenant_fk("account_id", "account"),
        UniqueConstraint("tenant_id", "inquiry_id"),
        # Open chats alone: few are at any time, however many there have been.
        index_where("ix_chat_open", "account_id", "id", where="ended_at IS NULL", unique=False),
    )
