"""What can be asked of reservations.

Every search is served by an index that leads with the tenant.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, func, select

from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.blueprints.facility.operations import LIFE
from portal.blueprints.facility.slots import Held
from portal.config import Tenant
from portal.config.config_errors import Finding
from portal.core import NotFound, Query, clock, get_or_404, gettext_noop, require, session, text
from portal.shared.calendars import Event
from portal.shared.orders.queries import OrderQueries, is_overdue, is_unpaid
from portal.shared.searching import (
    Search,
    keywords,
    own,
    part_of_number,
    same,
    since,
    ticked,
    until,
)

_R = Reservation.__table__
SINCE = timedelta(days=2 * 366)
_MAX_EVENTS = 5_000
_STATES = {Status.REQUESTED: "TENTATIVE", Status.CANCELLED: "CANCELLED"}
_SHOWN = "id", "number", "facility_name", "starts_at", "ends_at", "status", "total", "booked_at"
_OVERDUE = and_(*is_overdue(_R.c, bindparam("today", type_=_R.c.due_date.type)))
_MINE = Search(
    own(_R, _SHOWN).add_columns(_OVERDUE.label("is_overdue")),
    {
        "number": part_of_number(_R.c.number),
        "status": same(_R.c.status),
        "payment": ticked(and_(*is_unpaid(_R.c))),
        "overdue": ticked(_OVERDUE),
        "facility": keywords(_R.c.facility_name),
        "since": since(_R.c.starts_at),
        "until": until(_R.c.starts_at),
    },
)
"""What a member may search their reservations by (FAC-02)."""
_AWAITING = (Status.REQUESTED, Status.CONFIRMED, Status.IN_USE, Status.USED, Status.BILLED)
_ABSENT_AS_TYPED = gettext_noop("この予約番号のご予約が見つかりません。番号をご確認ください。")
_RESERVATIONS = OrderQueries(
    Reservation,
    awaiting=_AWAITING,
    by=Reservation.starts_at,
    absent=gettext_noop("ご予約が見つかりません。"),
    absent_for_operators=gettext_noop("予約が見つかりません: %(number)s"),
)


def reservation(account_id: int, number: str) -> Reservation:
    """The account's own reservation. Raises NotFound for anybody else's."""
    return _RESERVATIONS.get(account_id, number)


def any_reservation(number: str) -> Reservation:
    """A reservation of the tenant, for operators. Raises NotFound."""
    return _RESERVATIONS.get_any(number)


def worklist(status: Status | None = None, limit: int = 50) -> Sequence[Reservation]:
    """For operators: those in `status`, or all that await somebody.

    Index: ix_reservation_worklist.
    """
    return _RESERVATIONS.worklist(status, limit)


def newest_number(account_id: int) -> str:
    """The number of the account's newest reservation, or nothing. Index: ix_reservation_mine."""
    return _RESERVATIONS.newest_number(account_id)


def mine(account_id: int, **asked: Any) -> Query:
    """The account's reservations that match, as plain rows, each with a mark when it is overdue.

    `payment` is "unpaid", or "overdue" for those of them whose due date is past. Index:
    ix_reservation_mine.
    """
    # Overdue is a part of unpaid: both criteria are set, so that each stays simple.
    asked["overdue"] = asked.get("payment") == "overdue"
    return _MINE.find(asked, account=account_id, today=clock.today())


def changeable(account_id: int) -> list[Reservation]:
    """The account's reservations that can still be changed or cancelled (FAC-05), the next one
    first.

    Index: ix_reservation_worklist.
    """
    statuses = Reservation.status.in_((Status.REQUESTED, Status.CONFIRMED))
    found = select(Reservation).where(Reservation.account_id == account_id, statuses)
    return list(session().scalars(found.order_by(Reservation.starts_at, Reservation.id)))


def reservation_as_typed(account_id: int, typed: str) -> Reservation:
    """The account's own reservation by a number in any width and case, hyphens or not.

    Raises NotFound.
    """
    found = select(Reservation).where(
        Reservation.account_id == account_id, Reservation.number.in_(text.number_spellings(typed))
    )
    reservation = session().scalars(found.limit(1)).one_or_none()
    return require(reservation, NotFound(_ABSENT_AS_TYPED))


def facility_by_code(code: str) -> Facility | None:
    """The facility with this code, or None."""
    return session().scalars(select(Facility).where(Facility.code == code)).one_or_none()


def facilities() -> list[Facility]:
    """What can be reserved, by code."""
    return list(
        session().scalars(select(Facility).where(Facility.is_active).order_by(Facility.code))
    )


def facility(code: str) -> Facility:
    """A facility that can be reserved. Raises NotFound."""
    return get_or_404(
        Facility,
        Facility.code == code,
        Facility.is_active,
        absent=gettext_noop("設備が見つかりません。"),
    )


def any_facility(code: str) -> Facility:
    """A facility for operators, also one that cannot be reserved now. Raises NotFound."""
    return get_or_404(
        Facility, Facility.code == code, absent=gettext_noop("設備が見つかりません。")
    )


def held(facility_id: int, since: datetime, until: datetime, *, besides: int = 0) -> list[Held]:
    """When the facility is somebody's, between two instants. Index: ix_reservation_slot."""
    within = (Reservation.starts_at < until, Reservation.held_until > since)
    # A reservation that is moved does not meet itself.
    filters = (Reservation.facility_id == facility_id, Reservation.id != besides)
    rows = session().execute(
        select(Reservation.starts_at, Reservation.held_until).where(*filters, *within)
    )
    return [Held(starts_at, held_until) for starts_at, held_until in rows if held_until]


def held_by_facility(
    facility_ids: Sequence[int], since: datetime, until: datetime
) -> dict[int, list[Held]]:
    """When each of these facilities is somebody's, between two instants (UTC).

    Index: ix_reservation_slot.
    """
    rows = session().execute(
        select(Reservation.facility_id, Reservation.starts_at, Reservation.held_until).where(
            Reservation.facility_id.in_(facility_ids),
            Reservation.starts_at < until,
            Reservation.held_until > since,
        )
    )
    found: dict[int, list[Held]] = {}
    for facility_id, starts_at, held_until in rows:
        if held_until:
            found.setdefault(facility_id, []).append(Held(starts_at, held_until))
    return found


def calendar_events(account_id: int) -> list[Event]:
    """What stands in the account's calendar: two years back and all that is to come (FAC-11)."""
    since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - SINCE
    filters = (Reservation.account_id == account_id, Reservation.ends_at >= since)
    # The newest first, so that the limit cuts off what is longest past.
    found = session().scalars(
        select(Reservation).where(*filters).order_by(Reservation.id.desc()).limit(_MAX_EVENTS)
    )
    return [calendar_event(reservation) for reservation in found]


def calendar_event(reservation: Reservation) -> Event:
    """A reservation as calendars show it."""
    # Calendars take a changed entry up only if its sequence or time has grown.
    instants = (getattr(reservation, step.instant) for step in LIFE.steps.values())
    return Event(
        number=reservation.number,
        starts_at=reservation.starts_at,
        ends_at=reservation.ends_at,
        summary=reservation.facility_name,
        description=f"予約番号 {reservation.number}（{reservation.status.label}）",
        status=_STATES.get(reservation.status, "CONFIRMED"),
        passed=tuple(at for at in instants if at),
    )


def dangling(tenant: Tenant) -> Iterator[Finding]:
    """Reservations that are not finished at a tenant whose module is off (OPS-03).

    Index: ix_reservation_worklist.
    """
    if "facility" in tenant.modules:
        return
    # Counted and not listed: the refusal names how many there are, and asks this at each start.
    unfinished = select(func.count(Reservation.id)).where(Reservation.status.in_(_AWAITING))
    if count := session().scalar(unfinished):
        yield ("modules",), f"'facility' is off, but {count} reservations are not finished"
