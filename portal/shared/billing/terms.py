"""When an account's bill is closed, issued and due (締め日・支払期限)."""

from calendar import monthrange
from datetime import date
from enum import StrEnum

from portal.core.business_days import first_open, is_bank_day

MONTH_END = 31
"""The closing day that means 月末締め; any day that a month lacks means its last one."""


class Shift(StrEnum):
    """What becomes of a due date on which banks are closed."""

    NONE = "none"
    NEXT = "next"
    PREVIOUS = "previous"


def closing_date(base: date, closing_day: int = MONTH_END) -> date:
    """The first closing date on or after `base` (the day shipping is completed, as a rule)."""
    if not 1 <= closing_day <= MONTH_END:
        raise ValueError("a closing day is 1 to 31; 31 is the end of the month")
    closing = _day_in_month(base.year, base.month, closing_day)
    return closing if closing >= base else _day_in_month(*_months_later(base, 1), closing_day)


def due_date(
    base: date, closing_day: int = MONTH_END, months: int = 1, shift: Shift = Shift.NONE
) -> date:
    """The last day of the month that comes `months` after the closing date of `base`.

    `shift` moves a due date on which banks are closed to the next or the previous bank day: by the
    tenant's own calendar nobody could transfer money on it.
    """
    closing = closing_date(base, closing_day)
    due = _day_in_month(*_months_later(closing, months), MONTH_END)
    if shift is Shift.NONE:
        return due
    return first_open(due, is_bank_day, step=1 if shift is Shift.NEXT else -1)


def months_after(day: date, months: int) -> date:
    """The same day so many months later; a day that the month lacks is its last one."""
    return _day_in_month(*_months_later(day, months), day.day)


def _months_later(day: date, months: int) -> tuple[int, int]:
    # Counted in months, not in days: what closes at the end of January is due at the end of
    # February.
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return year, month + 1


def _day_in_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
