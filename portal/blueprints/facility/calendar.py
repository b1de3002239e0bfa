"""The calendar of an account's reservations: two years back and all that is to come (FAC-11)."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select

from portal.blueprints.facility.models import Reservation, Status
from portal.blueprints.facility.operations import LIFE
from portal.core import clock
from portal.core.db import session
from portal.core.tenancy.schema import Tenant
from portal.shared import calendars
from portal.shared.calendars import Event

SINCE = timedelta(days=2 * 366)
_MOST = 5_000
_STATES = {Status.REQUESTED: "TENTATIVE", Status.CANCELLED: "CANCELLED"}


def feed(tenant: Tenant, account_id: int, host: str) -> str:
    """The calendar of the account."""
    since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - SINCE
    own = Reservation.account_id == account_id, Reservation.ends_at >= since
    found = session().scalars(select(Reservation).where(*own).order_by(Reservation.id.desc()).limit(_MOST))
    return written(tenant, found, host)


def written(tenant: Tenant, reservations: Iterable[Reservation], host: str) -> str:
    """The calendar as text."""
    return calendars.written(tenant.name, map(_event, reservations), host, "reservations")


def _event(reservation: Reservation) -> Event:
    return Event(
        reservation.number,
        reservation.starts_at,
        reservation.ends_at,
        reservation.facility_name,
        f"予約番号 {reservation.number}（{reservation.status.label}）",
        _STATES.get(reservation.status, "CONFIRMED"),
        [at for instant, _said in LIFE.steps.values() if (at := getattr(reservation, instant))],
    )
