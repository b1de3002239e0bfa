"""Accounts and their members: who they are, and what each may do (COM-13, MOLD-01)."""

from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import JSON, Index, Select, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import ALLOWED, ID, Actor, Decision, LabelledEnum, Versioned, gettext_noop, text
from portal.core.db import PERSONAL, Base, EnumType, session, tenant_fk, tenant_table_args

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
    if is_representative or right.value in rights.split(","):
        return ALLOWED
    return Decision(_WITHOUT_RIGHT, is_forbidden=True)


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
    """How the audit trail names a member.

    By both names where the login ID is the whole account's (RENT-01).
    """
    if login_id and login_key.endswith(f"\n{email.casefold()}"):
        return f"member:{login_id}/{email}"
    return f"member:{login_id or email}"


def login_key(items: str, *, login_id: str, email: str) -> str:
    """What must be unique at a brand whose sign-in asks for `items` (COM-10)."""
    asked = {
        "email_password": (email,),
        "login_id_password": (login_id,),
        "login_id_email_password": (login_id, email),
    }[items]
    # A line break between them, which neither can hold; folded, so that case and width of what is
    # typed make no difference.
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
    # Long enough for both of its parts: 60 characters, a line break, 254; folding may add a few.
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
    # Of the authenticator app's secret only a nonce is kept (docs/decisions/totp-secret.md).
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
        """Whose rights they are: the member's own, as `portal.shared.accounts.rights` asks."""
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
        """The row, locked and read anew.

        First of all rows, so that no two wait for each other for ever.
        """
        # What the session read before the lock may be out of date by the time it has it.
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
