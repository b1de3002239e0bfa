"""Contracts, what they are for, and who may ask (SUP-01, SUP-04)."""

from datetime import date, datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import (
    ID,
    Base,
    EnumType,
    LabelledEnum,
    Numbered,
    TenantOwned,
    Versioned,
    gettext_noop,
    index_where,
    tenant_fk,
    tenant_table_args,
)

_THERE = "removed_at IS NULL"


class UnitKind(LabelledEnum):
    """What a contract has several of. Options do not count for limits."""

    APP = "app", gettext_noop("アプリ")
    OPTION = "option", gettext_noop("オプション")
    CONNECTION = "connection", gettext_noop("接続")


class Role(LabelledEnum):
    """主担当 is who the brand turns to; there is exactly one."""

    MAIN = "main", gettext_noop("主担当"), "info"
    DEPUTY = "deputy", gettext_noop("副担当"), "mute"


class Contract(Numbered, Base):
    """A contract of one product.

    `form_on` is its form's day, `registered_at` when its contacts came (SUP-03).
    """

    __tablename__ = "contract"
    account_id: Mapped[int] = mapped_column(ID)
    product: Mapped[str] = mapped_column(String(30))
    # A copy: a product may leave the file while its contracts go on.
    product_label: Mapped[str] = mapped_column(String(60))
    form_on: Mapped[date]
    created_at: Mapped[datetime]
    registered_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        UniqueConstraint("tenant_id", "number"),
        Index("ix_contract_account", "tenant_id", "account_id", "created_at", "id"),
    )


class ContractUnit(TenantOwned, Base):
    """An app, option or connection of a contract, in use until it is ended."""

    __tablename__ = "contract_unit"
    contract_id: Mapped[int] = mapped_column(ID)
    kind: Mapped[UnitKind] = mapped_column(EnumType(UnitKind, 12))
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("contract_id", "contract"),
        # An ended one may come back, as a row of its own.
        index_where("uq_contract_unit_there", "contract_id", "kind", "name", where=_THERE),
    )


class ContractContact(Versioned, Base):
    """A person who may ask (問い合わせご担当者). Several may share a sign-in; each counts (SUP-07).

    `version` grows with each save (COM-26).
    """

    __tablename__ = "contract_contact"
    contract_id: Mapped[int] = mapped_column(ID)
    account_id: Mapped[int] = mapped_column(ID)
    member_id: Mapped[int] = mapped_column(ID)
    person: Mapped[str] = mapped_column(String(80))
    role: Mapped[Role] = mapped_column(EnumType(Role, 10), default=Role.DEPUTY)
    duty: Mapped[str] = mapped_column(String(60), default="")
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("contract_id", "contract"),
        tenant_fk("account_id", "account"),
        tenant_fk("member_id", "member"),
        # A partial index, so that those who were removed do not count; of two hand-overs at once it
        # refuses one.
        index_where("uq_contract_contact_main", "contract_id", where=f"role = 'main' AND {_THERE}"),
        index_where(
            "uq_contract_contact_person", "contract_id", "member_id", "person", where=_THERE
        ),
    )
