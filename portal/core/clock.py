"""The one clock.

Everything that asks for the time asks here, so tests and ``--as-of`` can stand at any instant.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

TOKYO = ZoneInfo("Asia/Tokyo")
FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2199, 12, 31)
"""The days that people can mean. Their instants in UTC, and the weeks and months around them, can
all be reckoned, which those of ``date.min`` and ``date.max`` cannot."""

# A context variable and not a global: a thread that stands at another instant moves no other.
_frozen: ContextVar[datetime | None] = ContextVar("frozen_clock", default=None)


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return _frozen.get() or true_now()


def true_now() -> datetime:
    """The instant of the machine's own clock, aware, in UTC, wherever `now` stands: for the audit
    trail.
    """
    return datetime.now(UTC)


def today() -> date:
    """Today's date in Asia/Tokyo, which is what a customer means by today."""
    return to_local(now()).date()


def to_local(instant: datetime) -> datetime:
    """`instant` (aware) as wall time in Asia/Tokyo."""
    return instant.astimezone(TOKYO)


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """The aware UTC instant of a wall time in Asia/Tokyo."""
    return datetime(year, month, day, hour, minute, tzinfo=TOKYO).astimezone(UTC)


def set_as_of(instant: datetime | None) -> None:
    """Stand at `instant` for the rest of this context (``flask --as-of``)."""
    if instant is not None and instant.tzinfo is None:
        raise ValueError("the clock takes aware instants only")
    _frozen.set(instant.astimezone(UTC) if instant else None)


def day_start(day: date) -> datetime:
    """The instant at which `day` begins in Asia/Tokyo."""
    return datetime.combine(day, time(), TOKYO)


@contextmanager
def freeze(instant: datetime) -> Iterator[datetime]:
    """Stand at `instant` (aware) inside the block."""
    before = _frozen.get()
    set_as_of(instant)
    try:
        yield instant
    finally:
        set_as_of(before)
