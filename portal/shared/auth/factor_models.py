"""What a member proves besides the password, and the browsers that are known to be theirs (COM-13)."""

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, belongs_to, owned
from portal.core.tenancy.guard import ID, TenantOwned


class Device(TenantOwned, Base):
    """A browser that a member has signed in with. Until `trusted_until` it is not asked for the second step."""

    __tablename__ = "device"
    member_id: Mapped[int] = mapped_column(ID)
    token_digest: Mapped[str] = mapped_column(String(64))
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    trusted_until: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    __table_args__ = owned(
        belongs_to("member_id", "member"),
        UniqueConstraint("tenant_id", "token_digest"),
        Index("ix_device_member", "tenant_id", "member_id", "revoked_at"),
    )


class OneTimeCode(TenantOwned, Base):
    """A mailed code of six digits, bound to one pending session, kept as a keyed hash (security.md §4.13)."""

    __tablename__ = "one_time_code"
    member_id: Mapped[int] = mapped_column(ID)
    session_id: Mapped[int] = mapped_column(ID)
    code_digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None]
    __table_args__ = owned(
        belongs_to("member_id", "member"),
        belongs_to("session_id", "member_session", ondelete="CASCADE"),
        Index("ix_one_time_code_session", "tenant_id", "session_id", "used_at"),
    )


class RecoveryCode(TenantOwned, Base):
    """One of ten codes that stand in for a lost authenticator, each burnt by its use (security.md §4.15)."""

    __tablename__ = "recovery_code"
    member_id: Mapped[int] = mapped_column(ID)
    code_digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    __table_args__ = owned(belongs_to("member_id", "member"), UniqueConstraint("tenant_id", "member_id", "code_digest"))
