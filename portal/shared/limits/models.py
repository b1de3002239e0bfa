"""What operators allow beyond the rules."""

from datetime import date, datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import ID, Base, TenantOwned, tenant_fk, tenant_table_args


class LimitOverride(TenantOwned, Base):
    """A higher limit for one owner (its `subject` in the audit trail), for a reason, until a day
    (COM-44).
    """

    __tablename__ = "limit_override"
    account_id: Mapped[int] = mapped_column(ID)
    name: Mapped[str] = mapped_column(String(40))
    owner: Mapped[str] = mapped_column(String(80))
    value: Mapped[int]
    reason: Mapped[str] = mapped_column(String(200))
    until: Mapped[date | None]
    created_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        Index("ix_limit_override_owner", "tenant_id", "owner", "name", "id"),
    )
