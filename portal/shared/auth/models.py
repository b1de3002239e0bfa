"""Accounts, their members, and what lets a member in: sessions, devices, links, codes, passkeys
(COM-13, MOLD-01).
"""

import secrets
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeVar

from sqlalchemy import JSON, ColumnElement, Index, LargeBinary, Select, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import (
    ALLOWED,
    ID,
    Actor,
    Decision,
    LabelledEnum,
    NotFound,
    TenantOwned,
    Versioned,
    clock,
    gettext_noop,
    require,
    text,
)
from portal.core.db import (
    PERSONAL,
    Base,
    EnumType,
    session,
    tenant_fk,
    tenant_table_args,
    update_where,
)
from portal.shared.auth import signer

_Select = TypeVar("_Select", bound=Select[*tuple[Any, ...]])


class AccountStatus(StrEnum):
    """Whether the customer is still one."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


class MemberStatus(StrEnum):
    """Whether the person may sign in."""

    ACTIVE = "active"
    LOCKED = "locked"
    REMOVED = "removed"


class Factor(StrEnum):
    """What a member proves besides the password (COM-13)."""

    OFF = "off"
    MAIL = "mail"
    TOTP = "totp"


class Right(LabelledEnum):
    """What an account lets a member do. Its representative may do all of it."""

    QUOTES = "quotes", gettext_noop("見積")
    ORDERS = "orders", gettext_noop("予約・発注")
    BILLING = "billing", gettext_noop("請求・帳票")
    SUPPORT = "support", gettext_noop("お問い合わせ")
    MANAGE = "manage", gettext_noop("担当者の管理")


def may(right: Right, *, is_representative: bool, rights: str) -> Decision:
    """Whether a member with these `rights` may do such things; the representative may do all."""
    allowed = is_representative or right.value in rights.split(",")
    return ALLOWED if allowed else Decision(_WITHOUT_RIGHT, is_forbidden=True)


_WITHOUT_RIGHT = gettext_noop("この操作の権限がありません。代表の方にご相談ください。")
USUAL_RIGHTS = (Right.QUOTES, Right.ORDERS, Right.BILLING, Right.SUPPORT)


class Located:
    """Mixin of who or what has a postal address and a telephone number (COM-24)."""

    postal_code: Mapped[str] = mapped_column(String(7), default="", info=PERSONAL)
    prefecture: Mapped[str] = mapped_column(String(4), default="", info=PERSONAL)
    city: Mapped[str] = mapped_column(String(60), default="", info=PERSONAL)
    street: Mapped[str] = mapped_column(String(100), default="", info=PERSONAL)
    building: Mapped[str] = mapped_column(String(100), default="", info=PERSONAL)
    telephone: Mapped[str] = mapped_column(String(11), default="", info=PERSONAL)

    @property
    def address(self) -> str:
        """The postal address on one line."""
        return f"{self.prefecture}{self.city}{self.street} {self.building}".strip()


class Account(Located, Versioned, Base):
    """The customer: a company or an individual. `version` grows with each save (COM-26).

    `tags` are what operators sort customers by, each between commas: ``,gold,kanto,`` (COM-60).
    """

    __tablename__ = "account"
    number: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100), info=PERSONAL)
    name_kana: Mapped[str] = mapped_column(String(100), default="", info=PERSONAL)
    tags: Mapped[str] = mapped_column(String(300), default=",")
    status: Mapped[AccountStatus] = mapped_column(
        EnumType(AccountStatus, 10), default=AccountStatus.ACTIVE
    )
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(UniqueConstraint("tenant_id", "number"))

    @property
    def subject(self) -> str:
        """How the audit trail names this account."""
        return f"account:{self.number}"

    @property
    def account_id(self) -> int:
        """Whose business an account is: its own."""
        return self.id


def subject_of(login_key: str, login_id: str, email: str) -> str:
    """How the audit trail names a member: by both names where the login ID is the whole account's
    (RENT-01).
    """
    by_both = login_id and login_key.endswith(f"\n{email.casefold()}")
    return f"member:{login_id}/{email}" if by_both else f"member:{login_id or email}"


def login_key(items: str, *, login_id: str, email: str) -> str:
    """What must be unique at a brand whose sign-in asks for `items` (COM-10)."""
    asked = {
        "email_password": (email,),
        "login_id_password": (login_id,),
        "login_id_email_password": (login_id, email),
    }[items]
    return "\n".join(text.normalise(item).casefold() for item in asked)


class Member(Versioned, Base):
    """A person who signs in for an account.

    `login_key` holds whatever must be unique at this brand (login ID, e-mail, or both), so that one
    constraint serves every way of signing in (COM-10). `rights` are what they may do besides what
    all may; the representative may do everything. `mail_choices` says how they get which kind of
    mail, where it is not at once.
    """

    __tablename__ = "member"
    account_id: Mapped[int] = mapped_column(ID)
    login_id: Mapped[str] = mapped_column(String(60), default="", info=PERSONAL)
    login_key: Mapped[str] = mapped_column(String(330))
    email: Mapped[str] = mapped_column(String(254), info=PERSONAL)
    password_hash: Mapped[str] = mapped_column(String(200), default="", info=PERSONAL)
    family_name: Mapped[str] = mapped_column(String(40), info=PERSONAL)
    given_name: Mapped[str] = mapped_column(String(40), default="", info=PERSONAL)
    family_kana: Mapped[str] = mapped_column(String(60), default="", info=PERSONAL)
    given_kana: Mapped[str] = mapped_column(String(60), default="", info=PERSONAL)
    department: Mapped[str] = mapped_column(String(80), default="", info=PERSONAL)
    telephone: Mapped[str] = mapped_column(String(11), default="", info=PERSONAL)
    is_representative: Mapped[bool] = mapped_column(default=False)
    rights: Mapped[str] = mapped_column(String(60), default=",".join(USUAL_RIGHTS))
    mail_choices: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    must_change_password: Mapped[bool] = mapped_column(default=False)
    second_factor: Mapped[Factor] = mapped_column(EnumType(Factor, 10), default=Factor.OFF)
    totp_nonce: Mapped[str] = mapped_column(String(32), default="", info=PERSONAL)
    totp_step: Mapped[int] = mapped_column(ID, default=0)
    status: Mapped[MemberStatus] = mapped_column(
        EnumType(MemberStatus, 10), default=MemberStatus.ACTIVE
    )
    locale: Mapped[str] = mapped_column(String(5), default="ja")
    created_at: Mapped[datetime]
    last_signed_in_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        UniqueConstraint("tenant_id", "login_key"),
        Index("ix_member_account", "tenant_id", "account_id", "id"),
        Index("ix_member_email", "tenant_id", "email"),
    )

    @property
    def subject(self) -> str:
        """How the audit trail names this member."""
        return subject_of(self.login_key, self.login_id, self.email)

    @property
    def member_id(self) -> int:
        """Whose rights they are: the member's own, as `portal.shared.auth.rights` asks."""
        return self.id

    def may(self, right: Right) -> Decision:
        """Whether the account lets this member do such things; its representative may do all."""
        return may(right, is_representative=self.is_representative, rights=self.rights)

    @property
    def name(self) -> str:
        """The person's full name."""
        return f"{self.family_name} {self.given_name}".strip()

    def actor(self, address: str) -> Actor:
        """This member as the audit trail names who did something."""
        return Actor("member", self.name, self.id, self.account_id, address)

    @classmethod
    def locked(cls, member_id: int) -> "Member":
        """The row, locked and read anew: first of all rows, so that no two wait for each other for
        ever.
        """
        found: Member = session().get_one(
            cls, member_id, with_for_update=True, populate_existing=True
        )
        return found


def of_who_may_sign_in(statement: _Select) -> _Select:
    """`statement`, which reads members, narrowed to those who may sign in."""
    joined = statement.join(Account, Account.id == Member.account_id)
    return joined.where(
        Member.status == MemberStatus.ACTIVE, Account.status == AccountStatus.ACTIVE
    )


class OfMember(TenantOwned, Base):
    """What is one member's own; `known_by` is what nobody else could guess of it."""

    __abstract__ = True
    member_id: Mapped[int] = mapped_column(ID)
    created_at: Mapped[datetime]
    known_by = "token_digest"

    @property
    def number(self) -> str:
        """What pages call it: it tells nothing, and cannot be counted through."""
        return signer.digest(getattr(self, self.known_by))[:16]


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
    def issue(cls, **values: Any) -> tuple[Self, str]:
        """A new one, and its token: 256 random bits. The caller commits."""
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
        """Whether there was such a one: of any number who use it at the same moment one is told so."""
        return update_where(cls, *cls.alive(*which), used_at=clock.now()) > 0


def _of_member(unique: str, *constraints: Any) -> tuple[Any, ...]:
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
    payload: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    __table_args__ = _of_member(
        "token_digest",
        Index("ix_one_time_link_member", "tenant_id", "member_id", "purpose", "used_at"),
    )


class Throttle(TenantOwned, Base):
    """How often something was tried in the running window, by a digest of who tried it."""

    __tablename__ = "throttle"
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
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
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
