"""What can be asked of reservations. Every search is served by an index that leads with the tenant."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select

from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.blueprints.facility.slots import Held
from portal.core.clock import day_start
from portal.core.db import Query, session
from portal.core.errors import NotFound
from portal.core.tenancy.scope import require_key
from portal.core.text import like_escape

_R = Reservation.__table__
_SHOWN = "id", "number", "facility_name", "starts_at", "ends_at", "status", "total", "booked_at"
_SEARCHED: dict[str, tuple[ColumnElement[bool], Callable[[Any], Any]]] = {
    "number": (_R.c.number.like(bindparam("number"), escape="\\"), lambda part: f"%{like_escape(part.upper())}%"),
    "status": (_R.c.status == bindparam("status"), str),
    "facility": (_R.c.facility_name.like(bindparam("facility"), escape="\\"), lambda part: f"%{like_escape(part)}%"),
    "since": (_R.c.starts_at >= bindparam("since"), day_start),
    "until": (_R.c.starts_at < bindparam("until"), lambda day: day_start(day + timedelta(days=1))),
}
"""What a member may search their reservations by (FAC-02). Dates are days in Asia/Tokyo, both included."""


@cache
def _mine(searched_by: tuple[str, ...]) -> Select[Any]:
    """The statement for searches of this shape. Plain columns of the bare table, because lists are read far more
    often than anything else; the tenant is held to here and the tripwire checks it."""
    own = _R.c.tenant_id == bindparam("tenant"), _R.c.account_id == bindparam("account")
    return select(*(_R.c[name] for name in _SHOWN)).where(*own, *(_SEARCHED[name][0] for name in searched_by))


def mine(account_id: int, **asked: Any) -> Query:
    """The account's reservations that match, as plain rows. Index: ix_reservation_mine."""
    given = {name: read(asked[name]) for name, (_meaning, read) in _SEARCHED.items() if asked.get(name)}
    return Query(_mine(tuple(given)), {"tenant": require_key(), "account": account_id, **given})


def reservation(account_id: int, number: str) -> Reservation:
    """The account's own reservation. Raises NotFound for anybody else's."""
    found = (
        session()
        .scalars(select(Reservation).where(Reservation.number == number, Reservation.account_id == account_id))
        .one_or_none()
    )
    if found is None:
        raise NotFound("ご予約が見つかりません。")
    return found


def any_reservation(number: str) -> Reservation:
    """A reservation of the tenant in scope, for operators. Raises NotFound."""
    found = session().scalars(select(Reservation).where(Reservation.number == number)).one_or_none()
    if found is None:
        raise NotFound("予約が見つかりません: %(number)s", number=number)
    return found


def worklist(status: Status | None = None, limit: int = 50) -> list[Reservation]:
    """Reservations for operators: in `status`, or all that await somebody, by start. Index: ix_reservation_worklist."""
    awaiting = [Status.REQUESTED, Status.CONFIRMED, Status.IN_USE, Status.USED, Status.BILLED]
    statement = select(Reservation).where(Reservation.status.in_([status] if status else awaiting))
    return list(session().scalars(statement.order_by(Reservation.starts_at, Reservation.id).limit(limit)))


def facility_by_code(code: str) -> Facility | None:
    """The facility with this code, or None."""
    return session().scalars(select(Facility).where(Facility.code == code)).one_or_none()


def facilities() -> list[Facility]:
    """What can be reserved, by code."""
    return list(session().scalars(select(Facility).where(Facility.is_active).order_by(Facility.code)))


def facility(code: str) -> Facility:
    """A facility that can be reserved. Raises NotFound."""
    found = facility_by_code(code)
    if found is None or not found.is_active:
        raise NotFound("設備が見つかりません。")
    return found


def held(facility_id: int, since: datetime, until: datetime, *, besides: int = 0) -> list[Held]:
    """When the facility is somebody's, between two instants. Index: ix_reservation_slot."""
    rows = session().execute(
        select(Reservation.starts_at, Reservation.held_until).where(
            Reservation.facility_id == facility_id,
            Reservation.starts_at < until,
            Reservation.held_until > since,
            Reservation.id != besides,
        )
    )
    return [Held(starts_at, held_until) for starts_at, held_until in rows if held_until]


def unpaid(account_id: int) -> int:
    """How many of the account's reservations are billed and not paid. Index: ix_reservation_mine."""
    own = Reservation.account_id == account_id, Reservation.total > 0, Reservation.paid_at.is_(None)
    return session().scalar(select(func.count(Reservation.id)).where(*own)) or 0


def newest_number(account_id: int) -> str:
    """The number of the account's newest reservation, or nothing. Index: ix_reservation_mine."""
    own = select(Reservation.number).where(Reservation.account_id == account_id)
    return session().scalar(own.order_by(Reservation.booked_at.desc(), Reservation.id.desc()).limit(1)) or ""
