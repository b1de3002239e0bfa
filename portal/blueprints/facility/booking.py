"""Taking a facility for a time, and moving a reservation to another (FAC-11). No two meet. The caller commits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from portal.blueprints.facility import queries
from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.models import Facility, Reservation
from portal.blueprints.facility.operations import LIFE, allow_even_so, can_ask
from portal.blueprints.facility.slots import Hours, SlotTaken, meets
from portal.core import (
    YES,
    Actor,
    RuleBroken,
    Shelf,
    Tenant,
    Verdict,
    audit,
    clock,
    numbering,
    session,
)
from portal.shared.auth.models import Account, Member
from portal.shared.orders import billing_copy, contact_copy


@dataclass(frozen=True, slots=True)
class Booking:
    """What a reservation is made of. Instants are aware UTC."""

    facility: Facility
    starts_at: datetime
    ends_at: datetime
    purpose: str = ""
    remarks: str = ""
    headcount: int = 1
    options: Sequence[str] = field(default_factory=list)
    billing: dict[str, str] = field(default_factory=dict)


def hours(tenant: Tenant) -> Hours:
    """The tenant's rules of booking as they stand now."""
    config: FacilityConfig = tenant.section("facility")
    return Hours(config, tenant.calendar.is_open, clock.now())


def can_book_at(tenant: Tenant, starts_at: datetime, ends_at: datetime) -> Verdict:
    """Whether members could book this time: within opening hours, on an open day, neither past nor too far ahead."""
    try:
        hours(tenant).check(starts_at, ends_at)
    except RuleBroken as refused:
        return Verdict(str(refused))
    return YES


def price(facility: Facility, starts_at: datetime, ends_at: datetime) -> int:
    """By the hour, at most the day's price: yen without tax, a part of a yen dropped."""
    minutes = int((ends_at - starts_at).total_seconds()) // 60
    return min(facility.hourly_price * minutes // 60, facility.daily_price)


def request(
    tenant: Tenant, account: Account, contact: Member, booking: Booking, *, by: Actor
) -> Reservation:
    """As members do: within hours, days ahead and capacity. Raises RuleBroken at the field that is wrong, SlotTaken."""
    check(tenant, booking)
    return book(tenant, account, contact, booking, by=by)


def check(tenant: Tenant, booking: Booking) -> None:
    """What `request` refuses before it looks at other reservations."""
    rules = hours(tenant)
    rules.check(booking.starts_at, booking.ends_at)
    most = booking.facility.capacity
    if booking.headcount < 1 or (most and booking.headcount > most):
        raise RuleBroken("%(most)s名までご利用いただけます。", field="headcount", most=most or 999)
    if set(booking.options) - set(rules.config.options):
        raise RuleBroken("選択肢からお選びください。", field="options")


def book(
    tenant: Tenant, account: Account, contact: Member, booking: Booking, *, by: Actor
) -> Reservation:
    """Take a reservation in as 予約受付, at any time that is free. Raises RuleBroken, SlotTaken."""
    facility, times = booking.facility, (booking.starts_at, booking.ends_at)
    if not facility.is_active:
        raise RuleBroken("この設備は現在ご予約いただけません。", field="facility")
    held_until = _take(tenant, facility.id, *times)
    asked = ("starts_at", "ends_at", "headcount", "purpose", "remarks")
    reservation = Reservation(
        number=numbering.next_number(
            "reservation", tenant.numbers["reservation"], Reservation.number
        ),
        account_id=account.id,
        facility_id=facility.id,
        facility_name=facility.name,
        held_until=held_until,
        price=price(facility, *times),
        options=list(booking.options),
        contact=contact_copy(contact),
        billing=booking.billing or billing_copy(account, contact),
        booked_at=clock.now(),
        **{name: getattr(booking, name) for name in asked},
    )
    session().add(reservation)
    session().flush()
    audit.record("reservation.book", reservation, by=by)
    LIFE.tell(tenant, reservation)
    return reservation


def reschedule(
    tenant: Tenant,
    reservation: Reservation,
    starts_at: datetime,
    ends_at: datetime,
    *,
    by: Actor,
    even_so: str = "",
) -> None:
    """Move a reservation that has not begun, as agreed with the member (FAC-05).

    To a time that members could book; to any other only for a reason, `even_so`, which is kept in the
    trail. Never into another reservation's time. Raises RuleBroken, SlotTaken.
    """
    facility = _locked(reservation.facility_id)
    session().refresh(reservation)
    can_ask(reservation).require()
    if ends_at > starts_at:  # otherwise `_take` says what is wrong, and no reason makes it right
        bookable = can_book_at(tenant, starts_at, ends_at)
        allow_even_so(reservation, bookable, even_so, by=by)
    held_until = _take(tenant, facility.id, starts_at, ends_at, besides=reservation.id)
    changed = {
        "starts_at": [reservation.starts_at, starts_at],
        "ends_at": [reservation.ends_at, ends_at],
    }
    reservation.starts_at, reservation.ends_at, reservation.held_until = (
        starts_at,
        ends_at,
        held_until,
    )
    reservation.price, reservation.reminded_at = price(facility, starts_at, ends_at), None
    audit.record("reservation.reschedule", reservation, by=by, **changed)
    LIFE.tell(tenant, reservation, "ご利用日時を変更しました。", label="ご利用日時の変更")


def _locked(facility_id: int) -> Facility:
    """Bookings of one facility go one after another: by this lock on PostgreSQL, on SQLite by its one writer."""
    return (
        session()
        .scalars(select(Facility).where(Facility.id == facility_id).with_for_update())
        .one()
    )


def _take(
    tenant: Tenant, facility_id: int, starts_at: datetime, ends_at: datetime, *, besides: int = 0
) -> datetime:
    """Until when the facility is held. Raises SlotTaken when another reservation meets it."""
    if ends_at <= starts_at:
        raise RuleBroken("終了日時は開始日時より後にしてください。", field="ends_at")
    _locked(facility_id)
    wanted = hours(tenant).hold(starts_at, ends_at)
    if meets(
        wanted, queries.held(facility_id, wanted.starts_at, wanted.held_until, besides=besides)
    ):
        raise SlotTaken
    return wanted.held_until


def set_photo(facility: Facility, png: bytes, *, by: Actor) -> None:
    """Keep a facility's picture. Raises RuleBroken for what is no PNG or larger than 2 MB."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n") or len(png) > 2 * 1024 * 1024:
        raise RuleBroken("2MBまでのPNG画像を指定してください。")
    facility.photo = Shelf.files.put(png)
    audit.record("facility.set_photo", f"facility:{facility.code}", by=by)
