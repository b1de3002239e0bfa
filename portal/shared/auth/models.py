"""What lets a member in: sessions, devices, links, codes, passkeys (COM-13)."""

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Self, TypeVar

from sqlalchemy import JSON, ColumnElement, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import SchemaItem

from portal.core import ID, NotFound, TenantOwned, clock, require, signer
from portal.core.db import Base, session, tenant_fk, tenant_table_args, update_where


class OfMember(TenantOwned, Base):
    """What is one member's own; `known_by` is what nobody else could guess of it."""

    __abstract__ = True
    member_id: Mapped[int] = mapped_column(ID)
    created_at: Mapped[datetime]
    known_by = "token_digest"

    @property
    def number(self) -> str:
        """What pages call it: it tells nothing, and cannot be counted through."""
        known: str = getattr(self, self.known_by)
        return signer.digest(known)[:16]


_Own = TypeVar("_Own", bound=OfMember)


def numbered(rows: Iterable[_Own], number: str) -> _Own:
    """The row with this number among a member's own; everybody else's does not exist.

    Raises NotFound.
    """
    return require(
        next((row for row in rows if row.number == number), None),
        NotFound("ページが見つかりません"),
    )


class Tokened(OfMember):
    """What a browser, or the reader of a mail, holds a token of.

    Only the token's digest is kept.
    """

    __abstract__ = True
    token_digest: Mapped[str] = mapped_column(String(64))

    @classmethod
    def issue(cls, **values: object) -> tuple[Self, str]:
        """A new one, and its token: 256 random bits. The caller commits."""
        # The token itself is only returned: a copy of the database lets nobody in.
        token = secrets.token_urlsafe(32)
        made = cls(token_digest=signer.digest(token), created_at=clock.now(), **values)
        session().add(made)
        session().flush()
        return made, token


class OneTime(TenantOwned, Base):
    """What works once, and in time."""

    __abstract__ = True
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    @classmethod
    def alive(cls, *which: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
        """Those of `which` that still work."""
        return *which, cls.used_at.is_(None), cls.expires_at > clock.now()

    @classmethod
    def use_up(cls, *which: ColumnElement[bool]) -> bool:
        """Whether there was such a one: of any number who use it at the same moment one is told so.

        The caller commits.
        """
        # One guarded UPDATE. Whoever comes second waits for the row, and then finds it used.
        return update_where(cls, *cls.alive(*which), used_at=clock.now()) > 0


def _of_member(unique: str, *constraints: SchemaItem) -> tuple[SchemaItem, ...]:
    """`__table_args__` of a member's rows, of which no two have the same `unique`."""
    return tenant_table_args(
        tenant_fk("member_id", "member"), UniqueConstraint("tenant_id", unique), *constraints
    )


class MemberSession(Tokened):
    """A member signed in somewhere.

    While `is_pending` the second step is still to come, and the session opens nothing. `proved_at`
    is when the password was last typed (security.md §4.17).
    """

    __tablename__ = "member_session"
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    proved_at: Mapped[datetime | None]
    is_pending: Mapped[bool] = mapped_column(default=False)
    device_id: Mapped[int | None] = mapped_column(ID)
    # The longest text of an IPv6 address, with an IPv4 address at its end, has 45 characters.
    address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    __table_args__ = _of_member(
        "token_digest", Index("ix_member_session_member", "tenant_id", "member_id", "ended_at")
    )


class OneTimeLink(Tokened, OneTime):
    """A mailed link that does one thing once (security.md §4.12).

    `payload` is what that needs; never a secret.
    """

    __tablename__ = "one_time_link"
    purpose: Mapped[str] = mapped_column(String(30))
    payload: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    __table_args__ = _of_member(
        "token_digest",
        Index("ix_one_time_link_member", "tenant_id", "member_id", "purpose", "used_at"),
    )


class Throttle(TenantOwned, Base):
    """How often something was tried in the running window, by a digest of who tried it."""

    __tablename__ = "throttle"
    # What was tried and a digest of who tried it: addresses of strangers are not to be kept.
    key: Mapped[str] = mapped_column(String(80))
    window_start: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    __table_args__ = tenant_table_args(UniqueConstraint("tenant_id", "key"))


class Device(Tokened):
    """A browser that a member has signed in with.

    Until `trusted_until` it is not asked for the second step.
    """

    __tablename__ = "device"
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    seen_at: Mapped[datetime]
    trusted_until: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    __table_args__ = _of_member(
        "token_digest", Index("ix_device_member", "tenant_id", "member_id", "revoked_at")
    )


class OneTimeCode(OfMember, OneTime):
    """A mailed code of six digits, bound to one pending session, kept as a keyed hash (security.md
    §4.13).
    """

    __tablename__ = "one_time_code"
    session_id: Mapped[int] = mapped_column(ID)
    code_digest: Mapped[str] = mapped_column(String(64))
    tries: Mapped[int] = mapped_column(default=0)
    __table_args__ = tenant_table_args(
        tenant_fk("member_id", "member"),
        tenant_fk("session_id", "member_session", ondelete="CASCADE"),
        Index("ix_one_time_code_session", "tenant_id", "session_id", "used_at"),
    )


class RecoveryCode(OfMember):
    """One of ten codes that stand in for a lost authenticator, each burnt by its use (security.md
    §4.15).
    """

    __tablename__ = "recovery_code"
    code_digest: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("member_id", "member"), UniqueConstraint("tenant_id", "member_id", "code_digest")
    )


class Registration(OneTime):
    """Somebody who filled in the registration and has not proved the address yet (MOLD-01).

    `data` is what they typed. A link and a code are mailed, both kept as digests; `handle` names
    the registration to the page that asks for the code, and opens nothing.
    """

    __tablename__ = "registration"
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(200))
    data: Mapped[dict[str, str | None]] = mapped_column(JSON)
    handle: Mapped[str] = mapped_column(String(43))
    token_digest: Mapped[str] = mapped_column(String(64))
    code_digest: Mapped[str] = mapped_column(String(64))
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        UniqueConstraint("tenant_id", "handle"),
        UniqueConstraint("tenant_id", "token_digest"),
        Index("ix_registration_expires", "tenant_id", "expires_at"),
    )


class Passkey(OfMember):
    """A WebAuthn credential of a member at this brand's host (security.md §4.16)."""

    __tablename__ = "passkey"
    known_by = "credential_id"
    # WebAuthn allows 1023 bytes, which base64 writes in 1364 characters.
    credential_id: Mapped[str] = mapped_column(String(1400))
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(ID, default=0)
    label: Mapped[str] = mapped_column(String(60), default="")
    used_at: Mapped[datetime | None]
    __table_args__ = _of_member(
        "credential_id", Index("ix_passkey_member", "tenant_id", "member_id")
    )


class PasskeyChallenge(TenantOwned, Base):
    """What one ceremony signs, once. `member_id` is None while nobody is known yet."""

    __tablename__ = "passkey_challenge"
    member_id: Mapped[int | None] = mapped_column(ID)
    purpose: Mapped[str] = mapped_column(String(20))
    challenge: Mapped[str] = mapped_column(String(100))
    expires_at: Mapped[datetime]
    __table_args__ = _of_member(
        "challenge", Index("ix_passkey_challenge_expires", "tenant_id", "expires_at")
    )
