"""Facilities, reservations, and the table of allowed moves (FAC-10)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Choice, belongs_to, owned
from portal.core.errors import msgid
from portal.core.tenancy.guard import ID, TenantOwned


class Status(StrEnum):
    """Where a reservation stands."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    IN_USE = "in_use"
    USED = "used"
    BILLED = "billed"
    PAID = "paid"
    CANCELLED = "cancelled"

    @property
    def label(self) -> str:
        """The Japanese name (a message id)."""
        return _LABELS[self]

    @property
    def tone(self) -> str:
        """The colour family of its badge."""
        return _TONES[self]


_LABELS = {
    Status.REQUESTED: msgid("予約受付"),
    Status.CONFIRMED: msgid("予約確定"),
    Status.IN_USE: msgid("ご利用中"),
    Status.USED: msgid("ご利用済"),
    Status.BILLED: msgid("請求確定"),
    Status.PAID: msgid("お支払済"),
    Status.CANCELLED: msgid("キャンセル"),
}
_TONES = {
    Status.REQUESTED: "warn",
    Status.CONFIRMED: "info",
    Status.IN_USE: "info",
    Status.USED: "mute",
    Status.BILLED: "warn",
    Status.PAID: "ok",
    Status.CANCELLED: "mute",
}

MOVES: dict[Status, frozenset[Status]] = {
    Status.REQUESTED: frozenset({Status.CONFIRMED, Status.CANCELLED}),
    Status.CONFIRMED: frozenset({Status.IN_USE, Status.CANCELLED}),
    Status.IN_USE: frozenset({Status.USED}),
    Status.USED: frozenset({Status.BILLED}),
    Status.BILLED: frozenset({Status.PAID}),
    Status.PAID: frozenset(),
    Status.CANCELLED: frozenset(),
}


class Facility(TenantOwned, Base):
    """A machine or room that can be reserved. Prices are yen without tax."""

    __tablename__ = "facility"
    code: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text, default="")
    hourly_price: Mapped[int]
    daily_price: Mapped[int]
    is_active: Mapped[bool] = mapped_column(default=True)
    __table_args__ = owned(
        UniqueConstraint("tenant_id", "code"),
        CheckConstraint("hourly_price >= 0 AND daily_price >= 0", name="prices"),
    )


class Reservation(TenantOwned, Base):
    """One booking, with copies of the names and addresses it was made with (COM-33)."""

    __tablename__ = "reservation"
    number: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[int] = mapped_column(ID)
    facility_id: Mapped[int] = mapped_column(ID)
    facility_name: Mapped[str] = mapped_column(String(100))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    options: Mapped[list[str]] = mapped_column(JSON, default=list)
    headcount: Mapped[int] = mapped_column(default=1)
    purpose: Mapped[str] = mapped_column(String(200), default="")
    remarks: Mapped[str] = mapped_column(Text, default="")
    contact: Mapped[dict[str, str]] = mapped_column(JSON)
    billing: Mapped[dict[str, str]] = mapped_column(JSON)
    status: Mapped[Status] = mapped_column(Choice(Status, 12), default=Status.REQUESTED)
    booked_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    billed_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    payment_method: Mapped[str] = mapped_column(String(20), default=msgid("銀行振込"))
    due_date: Mapped[date | None]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    total: Mapped[int | None] = mapped_column(ID)
    work_report: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    __table_args__ = owned(
        belongs_to("account_id", "account"),
        belongs_to("facility_id", "facility"),
        UniqueConstraint("tenant_id", "number"),
        CheckConstraint("ends_at > starts_at", name="times"),
        CheckConstraint("headcount > 0", name="headcount"),
        Index("ix_reservation_mine", "tenant_id", "account_id", "booked_at", "id"),
        Index("ix_reservation_worklist", "tenant_id", "status", "starts_at", "id"),
        Index("ix_reservation_slot", "tenant_id", "facility_id", "starts_at"),
    )

    @property
    def subject(self) -> str:
        """How the audit trail and documents name this reservation."""
        return f"reservation:{self.number}"
