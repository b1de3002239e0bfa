"""Taking a facility for a time, and moving a reservation to another (FAC-11).

No two meet. The caller commits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.models import Facility, Reservation
from portal.blueprints.facility.operations import LIFE, allow_even_so, can_ask
from portal.blueprints.facility.quotes import price_of, prices_of
from portal.blueprints.facility.slots import FreeSpan, Hours, at_clock
from portal.config import Tenant
from portal.core import (
    ALLOWED,
    Actor,
    Decision,
    RuleBroken,
    audit,
    clock,
    file_store,
    numbering,
    session,
)
from portal.shared.accounts.models import Account, Member
from portal.shared.documents.typefaces import check_drawable
from portal.shared.orders.models import billing_copy, contact_copy
from portal.shared.pictures import check_png


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


def can_book_at(tenant: Tenant, starts_at: datetime, ends_at: datetime) -> Decision:
    """Whether members could book this time: within opening hours, on an open day, neither past nor
    too far ahead.
    """
    try:
        hours(tenant).check(starts_at, ends_at)
    except RuleBroken as refused:
        return Decision(str(refused))
    return ALLOWED


def request(
    tenant: Tenant, account: Account, contact: Member, booking: Booking, *, by: Actor
) -> Reservation:
    """As members do: within hours, days ahead and capacity.

    Raises RuleBroken at the field that is wrong, SlotTaken.
    """
    check(tenant, booking)
    return create_reservation(tenant, account, contact, booking, by=by)


def check_free(tenant: Tenant, booking: Booking) -> None:
    """Tell whoever enters 内容確認 that the time is taken. Raises SlotTaken.

    Asked without a lock, to spare a member the last press; `create_reservation` decides.
    """
    rules = hours(tenant)
    wanted = rules.hold(booking.starts_at, booking.ends_at)
    held = queries.held(booking.facility.id, wanted.starts_at, wanted.held_until)
    rules.require_free(booking.starts_at, booking.ends_at, held)


def free_times(
    tenant: Tenant, facilities: Sequence[Facility], day: date
) -> dict[str, list[FreeSpan]]:
    """When each of these facilities, by its code, can be had on a day in Tokyo: one query for all
    of them.
    """
    rules = hours(tenant)
    if not clock.today() <= day <= rules.last_day():
        return {facility.code: [] for facility in facilities}
    first = at_clock(day, "00:00")
    # Two days: the buffer after the day's last use may reach into the next one.
    last = first + timedelta(days=2)
    held = queries.held_by_facility([facility.id for facility in facilities], first, last)
    return {
        facility.code: rules.free_spans(day, held.get(facility.id, [])) for facility in facilities
    }


def check(tenant: Tenant, booking: Booking) -> None:
    """What `request` refuses before it looks at other reservations."""
    rules = hours(tenant)
    rules.check(booking.starts_at, booking.ends_at)
    capacity = booking.facility.capacity
    if booking.headcount < 1 or (capacity and booking.headcount > capacity):
        raise RuleBroken(
            "%(most)s名までご利用いただけます。", field="headcount", most=capacity or 999
        )
    if set(booking.options) - set(rules.config.options):
        raise RuleBroken("選択肢からお選びください。", field="options")


def create_reservation(
    tenant: Tenant, account: Account, contact: Member, booking: Booking, *, by: Actor
) -> Reservation:
    """Take a reservation in as 予約受付, at any time that is free. Raises RuleBroken, SlotTaken."""
    facility = booking.facility
    times = (booking.starts_at, booking.ends_at)
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
        # Copies: what is renamed or gets dearer later leaves an order as it was made (COM-33).
        facility_name=facility.name,
        held_until=held_until,
        price=price_of(facility, *times),
        options=list(dict.fromkeys(booking.options)),
        option_prices=prices_of(tenant, booking.options),
        contact=contact_copy(contact),
        billing=booking.billing or billing_copy(account, contact),
        booked_at=clock.now(),
        **{name: getattr(booking, name) for name in asked},
    )
    session().add(reservation)
    session().flush()
    audit.record("reservation.book", reservation, by=by)
    LIFE.notify(tenant, reservation)
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

    The new time is one that members could book; any other needs a reason, `even_so`, which is kept
    in the trail. It is never another reservation's. Raises RuleBroken, SlotTaken.
    """
    # The facility first, as every booking locks it; then the reservation as it is by now, not as it
    # was when somebody typed the new time.
    facility = _locked(reservation.facility_id)
    session().refresh(reservation)
    can_ask(reservation).require()
    if ends_at > starts_at:  # otherwise `_take` says what is wrong, and no reason makes it right
        bookable = can_book_at(tenant, starts_at, ends_at)
        allow_even_so(reservation, bookable, even_so, by=by)
    # Under the facility's lock, which also keeps the time that is given up from being taken before
    # the new one is certain.
    held_until = _take(tenant, facility.id, starts_at, ends_at, besides=reservation.id)
    changed = {
        "starts_at": [reservation.starts_at, starts_at],
        "ends_at": [reservation.ends_at, ends_at],
    }
    reservation.starts_at = starts_at
    reservation.ends_at = ends_at
    reservation.held_until = held_until
    reservation.price = price_of(facility, starts_at, ends_at)
    # The reminder that was mailed names the old time.
    reservation.reminded_at = None
    audit.record("reservation.reschedule", reservation, by=by, **changed)
    LIFE.notify(
        tenant, reservation, "ご利用日時を変更しました。", subject="ご利用日時変更のお知らせ"
    )


def _locked(facility_id: int) -> Facility:
    """Bookings of one facility go one after another: by this lock on PostgreSQL, on SQLite by its
    one writer.
    """
    statement = select(Facility).where(Facility.id == facility_id).with_for_update()
    return session().scalars(statement).one()


def _take(
    tenant: Tenant, facility_id: int, starts_at: datetime, ends_at: datetime, *, besides: int = 0
) -> datetime:
    """Until when the facility is held. Raises SlotTaken when another reservation meets it."""
    if ends_at <= starts_at:
        raise RuleBroken("終了日時は開始日時より後にしてください。", field="ends_at")
    _locked(facility_id)
    rules = hours(tenant)
    wanted = rules.hold(starts_at, ends_at)
    held = queries.held(facility_id, wanted.starts_at, wanted.held_until, besides=besides)
    # PostgreSQL's exclusion constraint would refuse it as well, but cannot tell a buffer from a
    # use.
    return rules.require_free(starts_at, ends_at, held).held_until


def edit_copies(
    reservation: Reservation, *, purpose: str | None, billing: Mapping[str, str], by: Actor
) -> list[str]:
    """Correct the purpose and what `billing` names of the copied billing address; returns what was
    different.

    What is issued already stays as it is; what is still to be issued goes to the new address. The
    caller commits. Raises RuleBroken for what documents cannot print.
    """
    # Refused while the operator is there: the document may be drawn by the worker, months later.
    check_drawable([purpose, billing])
    wanted: dict[str, Any] = {"billing": {**reservation.billing, **billing}}
    if purpose is not None:
        wanted["purpose"] = purpose
    changes = _set_changed(reservation, wanted)
    if changes:
        audit.record("reservation.edit_copies", reservation, by=by, **changes)
        operations.BILLING.readdress(reservation)
    return list(changes)


def edit_facility(facility: Facility, wanted: Mapping[str, Any], *, by: Actor) -> list[str]:
    """Change what `wanted` names of a facility; returns the names of what was different.

    Its code stays, and its picture has an operation of its own. Prices are yen without tax.
    Reservations keep what they were quoted (COM-33). The caller commits.
    """
    changes = _set_changed(facility, wanted)
    if changes:
        audit.record("facility.edit", f"facility:{facility.code}", by=by, **changes)
    return list(changes)


def _set_changed(row: Facility | Reservation, wanted: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Set what differs of `wanted`; returns both values of it, by name."""
    changes = {
        name: [getattr(row, name), value]
        for name, value in wanted.items()
        if getattr(row, name) != value
    }
    for name, (_before, value) in changes.items():
        setattr(row, name, value)
    return changes


def set_photo(facility: Facility, png: bytes, *, by: Actor) -> None:
    """Keep a facility's picture. Raises RuleBroken for what is no whole PNG, or too large a one."""
    check_png(png)
    facility.photo = file_store().put(png)
    audit.record("facility.set_photo", f"facility:{facility.code}", by=by)
