"""Ways in besides a password that somebody was given: registrations to be proved, and passkeys (MOLD-01, COM-13)."""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, belongs_to, owned
from portal.core.tenancy.guard import ID, TenantOwned


class Registration(TenantOwned, Base):
    """Somebody who filled in the registration and has not proved the address yet (MOLD-01).

    `data` is what they typed. A link and a code are mailed, both kept as digests; `handle` names the registration to
    the page that asks for the code, and opens nothing.
    """

    __tablename__ = "registration"
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(200))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    handle: Mapped[str] = mapped_column(String(43))
    token_digest: Mapped[str] = mapped_column(String(64))
    code_digest: Mapped[str] = mapped_column(String(64))
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    __table_args__ = owned(
        UniqueConstraint("tenant_id", "handle"),
        UniqueConstraint("tenant_id", "token_digest"),
        Index("ix_registration_expires", "tenant_id", "expires_at"),
    )


class Passkey(TenantOwned, Base):
    """A WebAuthn credential of a member at this brand's host (security.md §4.16)."""

    __tablename__ = "passkey"
    member_id: Mapped[int] = mapped_column(ID)
    credential_id: Mapped[str] = mapped_column(String(1400))
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(ID, default=0)
    label: Mapped[str] = mapped_column(String(60), default="")
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    __table_args__ = owned(
        belongs_to("member_id", "member"),
        UniqueConstraint("tenant_id", "credential_id"),
        Index("ix_passkey_member", "tenant_id", "member_id"),
    )

    @property
    def number(self) -> str:
        """What pages call it: it tells nothing, and cannot be counted through."""
        return hashlib.sha256(self.credential_id.encode()).hexdigest()[:16]


class PasskeyChallenge(TenantOwned, Base):
    """What one ceremony signs, once. `member_id` is None while nobody is known yet."""

    __tablename__ = "passkey_challenge"
    member_id: Mapped[int | None] = mapped_column(ID)
    purpose: Mapped[str] = mapped_column(String(20))
    challenge: Mapped[str] = mapped_column(String(100))
    expires_at: Mapped[datetime]
    __table_args__ = owned(
        belongs_to("member_id", "member"),
        UniqueConstraint("tenant_id", "challenge"),
        Index("ix_passkey_challenge_expires", "tenant_id", "expires_at"),
    )
