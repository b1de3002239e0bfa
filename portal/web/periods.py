"""Periods that people search by with one press: 今月, 先月, 今年, 昨年 (COM-21)."""

from dataclasses import dataclass
from datetime import date, timedelta

from portal.core import gettext_noop


@dataclass(frozen=True)
class Period:
    """A period by name; both days belong to it."""

    label: str
    since: date
    until: date


def usual_periods(today: date) -> list[Period]:
    """This month, the last one, this calendar year and the last one, as seen on `today` in
    Tokyo.
    """
    this_month = today.replace(day=1)
    # 31 days after the first of a month is always in the next one.
    next_month = (this_month + timedelta(days=31)).replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    this_year = today.replace(month=1, day=1)
    last_year = this_year.replace(year=today.year - 1)
    day = timedelta(days=1)
    return [
        Period(gettext_noop("今月"), this_month, next_month - day),
        Period(gettext_noop("先月"), last_month, this_month - day),
        Period(gettext_noop("今年"), this_year, this_year.replace(month=12, day=31)),
        Period(gettext_noop("昨年"), last_year, this_year - day),
    ]
