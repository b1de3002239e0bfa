"""Facilities, reservations, and the table of allowed moves (FAC-10)."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import (
    ID,
    Base,
    EnumType,
    LabelledEnum,
    TenantOwned,
    gettext_noop,
    index_where,
    tenant_fk,
    tenant_table_args,
    to_local,
)
from portal.core.files import FileKey
from portal.shared.orders.models import OrderMixin, order_table_args


class Status(LabelledEnum):
    """Where a reservation stands."""

    REQUESTED = "requested", gettext_noop("予約受付"), "warn"
    CONFIRMED = "confirmed", gettext_noop("予約確定"), "info"
    IN_USE = "in_use", gettext_noop("ご利用中"), "info"
    USED = "used", gettext_noop("ご利用済"), "mute"
    BILLED = "billed", gettext_noop("請求確定"), "warn"
    PAID = "paid", gettext_noop("お支払済"), "ok"
    CANCELLED = "cancelled", gettext_noop("キャンセル"), "mute"


MOVES: dict[Status, frozenset[Status]] = {
    Status.REQUESTED: frozenset({Status.CONFIRMED, Status.CANCELLED}),
    Status.CONFIRMED: frozenset({Status.IN_USE, Status.CANCELLED}),
    Status.IN_USE: frozenset({Status.USED}),
    Status.USED: frozenset({Status.BILLED}),
    Status.BILLED: frozenset({Status.PAID}),
    Status.PAID: frozenset(),
    Status.CANCELLED: frozenset(),
}


# Apart from MOVES, so that no command or page can take an order back by itself.
REOPENED: dict[Status, frozenset[Status]] = {Status.PAID: frozenset({Status.BILLED})}
"""The way back when a corrected bill asks for more than was paid (docs/decisions/billing.md)."""
OPEN = (Status.REQUESTED, Status.CONFIRMED, Status.IN_USE)
"""In these a reservation holds its facility."""


class Facility(TenantOwned, Base):
    """A machine or room that can be reserved.

    Prices are yen without tax; `photo` is its key in the file store.
    """

    __tablename__ = "facility"
    code: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text, default="")
    hourly_price: Mapped[int]
    daily_price: Mapped[int]
    place: Mapped[str] = mapped_column(String(100), default="")
    capacity: Mapped[int | None]
    photo: Mapped[str] = mapped_column(FileKey(), default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    __table_args__ = tenant_table_args(
        UniqueConstraint("tenant_id", "code"),
        CheckConstraint("hourly_price >= 0 AND daily_price >= 0", name="prices"),
    )


class Reservation(OrderMixin, Base):
    """One booking. `price` is that of the facility in yen without tax, as quoted then; so are
    `option_prices`, by the names of the options that have a price.

    `held_until` is until when nobody else can have the facility, the buffer included; none once it
    is free again. `used_from` and `used_until` are when it was used as operators recorded it;
    `started_at` and `finished_at` are when they recorded that.
    """

    __tablename__ = "reservation"
    facility_id: Mapped[int] = mapped_column(ID)
    facility_name: Mapped[str] = mapped_column(String(100))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    held_until: Mapped[datetime | None]
    price: Mapped[int | None] = mapped_column(ID)
    options: Mapped[list[str]] = mapped_column(JSON, default=list)
    option_prices: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    headcount: Mapped[int] = mapped_column(default=1)
    purpose: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[Status] = mapped_column(EnumType(Status, 12), default=Status.REQUESTED)
    confirmed_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    used_from: Mapped[datetime | None]
    used_until: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    work_report: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    __table_args__ = order_table_args(
        tenant_fk("facility_id", "facility"),
        CheckConstraint("ends_at > starts_at", name="times"),
        CheckConstraint("headcount > 0", name="headcount"),
        Index("ix_reservation_mine", "tenant_id", "account_id", "booked_at", "id"),
        Index("ix_reservation_worklist", "tenant_id", "status", "starts_at", "id"),
        # By when a facility is free again: what is past is never looked at.
        Index("ix_reservation_slot", "tenant_id", "facility_id", "held_until"),
        index_where(
            "ix_reservation_unpaid",
            "starts_at",
            "id",
            where="total > 0 AND paid_at IS NULL",
            unique=False,
        ),
        index_where(
            "ix_reservation_documents_due",
            "documents_due_at",
            "id",
            where="documents_due_at IS NOT NULL",
            unique=False,
        ),
        # No two at once (FAC-11). As ranges, because those need no extension; SQLite has one writer
        # at a time.
        ExcludeConstraint(
            (text("int8range(facility_id, facility_id, '[]')"), "&&"),
            (text("tstzrange(starts_at, held_until)"), "&&"),
            where=text("held_until IS NOT NULL"),
            name="ex_reservation_slot",
        ).ddl_if(dialect="postgresql"),
    )

    @property
    def began_at(self) -> datetime:
        """When its use began (UTC): as recorded, else as booked."""
        return self.used_from or self.starts_at

    @property
    def ended_at(self) -> datetime:
        """When its use ended (UTC): as recorded, else as booked, and never before it began."""
        return max(self.used_until or self.ends_at, self.began_at)

    @property
    def traded_on(self) -> date:
        """The day (Asia/Tokyo) of the trade: on which the use ended, or the reservation was
        cancelled.
        """
        return to_local(self.cancelled_at or self.ended_at).date()
