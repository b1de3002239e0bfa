"""An account's addresses, of one shape whatever they are for."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import (
    ID,
    Base,
    EnumType,
    LabelledEnum,
    Versioned,
    gettext_noop,
    tenant_fk,
    tenant_table_args,
)
from portal.shared.accounts.models import Located


class Kind(LabelledEnum):
    """What an address is for; the value begins the name of its limit and its pages' addresses."""

    BILLING = "billing", gettext_noop("請求書送付先")
    DELIVERY = "delivery", gettext_noop("お届け先")


class Address(Located, Versioned, Base):
    """Where something goes.

    `version` grows with each save (COM-26); a removed one stays for who looks back.
    """

    __tablename__ = "postal_address"
    account_id: Mapped[int] = mapped_column(ID)
    kind: Mapped[Kind] = mapped_column(EnumType(Kind, 10))
    name: Mapped[str] = mapped_column(String(100))
    department: Mapped[str] = mapped_column(String(80), default="")
    person: Mapped[str] = mapped_column(String(80), default="")
    fax: Mapped[str] = mapped_column(String(11), default="")
    is_usual: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        Index("ix_postal_address_account", "tenant_id", "account_id", "kind", "removed_at", "id"),
    )

    @property
    def subject(self) -> str:
        """How the audit trail names this address."""
        return f"{self.kind}_address:{self.name}"
