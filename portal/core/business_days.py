"""Which days a tenant works: Japan's national holidays, its weekly closed days and its own
closures; and which days banks do.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import date, timedelta

import jpholiday

WEEKEND = frozenset({5, 6})
_BANKS_NEW_YEAR = frozenset({(12, 31), (1, 1), (1, 2), (1, 3)})
_LONGEST_CLOSURE = 366


def is_business_day(
    day: date,
    weekly_closed: Collection[int] = WEEKEND,
    holidays: bool = True,
    closed_periods: Iterable[tuple[date, date]] = (),
    open_days: Collection[date] = (),
) -> bool:
    """Whether `day` is worked. Weekdays count from 0 (Monday); `holidays`: whether Japan's national
    ones are closed.

    `closed_periods` are (first day, last day), both closed; `open_days` are worked whatever else is
    said.
    """
    is_closed = day.weekday() in weekly_closed or any(
        first <= day <= last for first, last in closed_periods
    )
    return day in open_days or not (is_closed or (holidays and jpholiday.is_holiday(day)))


def is_bank_day(day: date) -> bool:
    """Whether banks transfer money on `day`: neither Saturdays, Sundays and national holidays nor
    12/31 to 1/3 (銀行法施行令5条).
    """
    return (day.month, day.day) not in _BANKS_NEW_YEAR and is_business_day(day)


def next_business_day(day: date, is_open: Callable[[date], bool] = is_business_day) -> date:
    """The first open day after `day`, never `day` itself."""
    return first_open(day + timedelta(days=1), is_open)


def first_open(day: date, is_open: Callable[[date], bool] = is_business_day, step: int = 1) -> date:
    """`day` if it is open, else the next in the direction of `step`.

    Raises ValueError when a year has no open day.
    """
    for offset in range(_LONGEST_CLOSURE):
        candidate = day + timedelta(days=offset * step)
        if is_open(candidate):
            return candidate
    raise ValueError("the calendar has no open day within a year")
