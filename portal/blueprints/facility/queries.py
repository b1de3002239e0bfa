"""What can be asked of reservations. Every search is served by an index that leads with the tenant."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select

from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.blueprints.facility.slots import Held
from portal.core.db import Query, session, the_one
from portal.core.errors import msgid
from portal.shared.searching import Search, part, pattern, same, since, until

_R = Reservation.__table__
_SHOWN = "id", "number", "facility_name", "starts_at", "ends_at", "status", "total", "booked_at"
_OWN = _R.c.tenant_id == bindparam("tenant"), _R.c.account_id == bindparam("account")
_MINE = Search(
    select(*(_R.c[name] for name in _SHOWN)).where(*_OWN),
    {
        "number": (part(_R.c.number)[0], lambda typed: pattern(typed.upper())),
        "status": same(_R.c.status),
        "facility": part(_R.c.facility_name),
        "since": since(_R.c.starts_at),
        "until": until(_R.c.starts_at),
    },
)
"""What a member may search their reservations by (FAC-02)."""
_AWAITING = (Status.REQUESTED, Status.CONFIRMED, Status.IN_USE, Status.USED, Status.BILLED)
_ABSENT = msgid("設備が見つかりません。")


def mine(account_id: int, **asked: Any) -> Query:
    """The account's reservations that match, as plain rows. Index: ix_reservation_mine."""
    return _MINE.find(asked, account=account_id)


def reservation(account_id: int, number: str) -> Reservation:
    """The account's own reservation. Raises NotFound for anybody else's."""
    own = Reservation.number == number, Reservation.account_id == account_id
    return the_one(Reservation, *own, absent=msgid("ご予約が見つかりません。"))


def any_reservation(number: str) -> Reservation:
    """A reservation of the tenant in scope, for operators. Raises NotFound."""
    absent = msgid("予約が見つかりません: %(number)s")
    return the_one(Reservation, Reservation.number == number, absent=absent, number=number)


def worklist(status: Status | None = None, limit: int = 50) -> list[Reservation]:
    """Reservations for operators: in `status`, or all that await somebody, by start. Index: ix_reservation_worklist."""
    statement = select(Reservation).where(Reservation.status.in_([status] if status else _AWAITING))
    return list(session().scalars(statement.order_by(Reservation.starts_at, Reservation.id).limit(limit)))


def facility_by_code(code: str) -> Facility | None:
    """The facility with this code, or None."""
    return session().scalars(select(Facility).where(Facility.code == code)).one_or_none()


def facilities() -> list[Facility]:
    """What can be reserved, by code."""
    return list(session().scalars(select(Facility).where(Facility.is_active).order_by(Facility.code)))


def facility(code: str) -> Facility:
    """A facility that can be reserved. Raises NotFound."""
    return the_one(Facility, Facility.code == code, Facility.is_active, absent=_ABSENT)


def held(facility_id: int, since: datetime, until: datetime, *, besides: int = 0) -> list[Held]:
    """When the facility is somebody's, between two instants. Index: ix_reservation_slot."""
    within = Reservation.starts_at < until, Reservation.held_until > since
    of = Reservation.facility_id == facility_id, Reservation.id != besides
    rows = session().execute(select(Reservation.starts_at, Reservation.held_until).where(*of, *within))
    return [Held(starts_at, held_until) for starts_at, held_until in rows if held_until]


def unpaid(account_id: int) -> int:
    """How many of the account's reservations are billed and not paid. Index: ix_reservation_mine."""
    own = Reservation.account_id == account_id, Reservation.total > 0, Reservation.paid_at.is_(None)
    return session().scalar(select(func.count(Reservation.id)).where(*own)) or 0


def newest_number(account_id: int) -> str:
    """The number of the account's newest reservation, or nothing. Index: ix_reservation_mine."""
    own = select(Reservation.number).where(Reservation.account_id == account_id)
    return session().scalar(own.order_by(Reservation.booked_at.desc(), Reservation.id.desc()).limit(1)) or ""
