"""Which days a tenant works."""

from __future__ import annotations

from datetime import date
from functools import partial

import pytest

from portal.core.business_days import first_open, is_bank_day, is_business_day, next_business_day

NEW_YEAR = (date(2026, 12, 29), date(2027, 1, 4))


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 11, 20), True),  # Friday
        (date(2026, 11, 21), False),  # Saturday
        (date(2026, 11, 22), False),  # Sunday
        (date(2026, 11, 23), False),  # Labour Thanksgiving Day, a Monday
        (date(2026, 9, 22), False),  # between two holidays
        (date(2027, 3, 22), False),  # in lieu of a holiday on a Sunday
    ],
)
def test_weekends_and_national_holidays_are_closed(day: date, worked: bool) -> None:
    assert is_business_day(day) is worked


def test_a_tenant_may_work_on_holidays_and_close_on_other_days() -> None:
    wednesdays = frozenset({2})
    assert is_business_day(date(2026, 11, 23), weekly_closed=wednesdays, holidays=False)
    assert not is_business_day(date(2026, 11, 25), weekly_closed=wednesdays, holidays=False)


def test_a_closed_period_is_closed_on_its_first_and_last_day() -> None:
    assert is_business_day(date(2026, 12, 28), closed_periods=[NEW_YEAR])
    assert not is_business_day(date(2026, 12, 29), closed_periods=[NEW_YEAR])
    assert not is_business_day(date(2027, 1, 4), closed_periods=[NEW_YEAR])
    assert is_business_day(date(2027, 1, 5), closed_periods=[NEW_YEAR])


def test_an_open_day_is_worked_whatever_else_is_said() -> None:
    is_open = partial(is_business_day, open_days=frozenset({date(2026, 11, 21)}))
    assert is_open(date(2026, 11, 21))
    assert not is_open(date(2026, 11, 22))


def test_next_and_previous_never_answer_the_day_itself() -> None:
    assert next_business_day(date(2026, 11, 19)) == date(2026, 11, 20)
    assert next_business_day(date(2026, 11, 20)) == date(2026, 11, 24)
    assert first_open(date(2026, 11, 23), step=-1) == date(2026, 11, 20)


def test_the_first_open_day_may_be_the_day_itself() -> None:
    assert first_open(date(2026, 11, 20)) == date(2026, 11, 20)
    assert first_open(date(2026, 11, 22), step=-1) == date(2026, 11, 20)


def test_the_search_uses_the_tenants_own_calendar() -> None:
    is_open = partial(is_business_day, closed_periods=(NEW_YEAR,))
    assert next_business_day(date(2026, 12, 28), is_open) == date(2027, 1, 5)


def test_a_calendar_that_never_opens_is_a_mistake_and_no_endless_search() -> None:
    is_open = partial(is_business_day, weekly_closed=frozenset(range(7)))
    with pytest.raises(ValueError, match="no open day"):
        next_business_day(date(2026, 11, 20), is_open)


@pytest.mark.parametrize(
    ("day", "is_open"),
    [
        (date(2026, 12, 30), True),
        (date(2026, 12, 31), False),
        (date(2027, 1, 1), False),
        (date(2024, 1, 2), False),
        (date(2024, 1, 3), False),
        (date(2024, 1, 4), True),
        (date(2026, 11, 28), False),
        (date(2026, 11, 29), False),
        (date(2026, 11, 23), False),
        (date(2026, 11, 24), True),
    ],
)
def test_banks_are_closed_at_weekends_on_holidays_and_over_the_new_year(
    day: date, is_open: bool
) -> None:
    """COM-71: 銀行法施行令5条."""
    assert is_bank_day(day) is is_open
