"""Closing and due dates."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.shared.billing.terms import MONTH_END, Shift, closing_date, due_date

# base date; then (closing, due) for 月末締め/翌月末払い, 20日締め/翌月末払い, 月末締め/翌々月末払い
TABLE = [
    (
        "2026-01-20",
        ("2026-01-31", "2026-02-28"),
        ("2026-01-20", "2026-02-28"),
        ("2026-01-31", "2026-03-31"),
    ),
    (
        "2026-01-21",
        ("2026-01-31", "2026-02-28"),
        ("2026-02-20", "2026-03-31"),
        ("2026-01-31", "2026-03-31"),
    ),
    (
        "2026-12-20",
        ("2026-12-31", "2027-01-31"),
        ("2026-12-20", "2027-01-31"),
        ("2026-12-31", "2027-02-28"),
    ),
    (
        "2026-12-21",
        ("2026-12-31", "2027-01-31"),
        ("2027-01-20", "2027-02-28"),
        ("2026-12-31", "2027-02-28"),
    ),
    (
        "2027-12-31",
        ("2027-12-31", "2028-01-31"),
        ("2028-01-20", "2028-02-29"),
        ("2027-12-31", "2028-02-29"),
    ),
]
TERMS = [(MONTH_END, 1), (20, 1), (MONTH_END, 2)]
VECTORS = [
    (base, closing_day, months, closing, due)
    for base, *pairs in TABLE
    for (closing_day, months), (closing, due) in zip(TERMS, pairs, strict=True)
]


@pytest.mark.parametrize(("base", "closing_day", "months", "closing", "due"), VECTORS)
def test_closing_and_due_dates(
    base: str, closing_day: int, months: int, closing: str, due: str
) -> None:
    day = date.fromisoformat(base)
    assert closing_date(day, closing_day) == date.fromisoformat(closing)
    assert due_date(day, closing_day, months) == date.fromisoformat(due)


@pytest.mark.parametrize(
    ("shift", "due"),
    [
        (Shift.NONE, date(2026, 2, 28)),
        (Shift.NEXT, date(2026, 3, 2)),
        (Shift.PREVIOUS, date(2026, 2, 27)),
    ],
)
def test_a_due_date_on_a_closed_day_moves_as_the_terms_say(shift: Shift, due: date) -> None:
    """COM-71"""
    assert due_date(date(2026, 1, 20), MONTH_END, 1, shift) == due


def test_a_due_date_on_an_open_day_stays() -> None:
    assert due_date(date(2026, 2, 20), MONTH_END, 1, Shift.NEXT) == date(2026, 3, 31)


@pytest.mark.parametrize(
    ("base", "following", "previous"),
    [
        # 12/31 is a Thursday; banks are closed until 1/3, a Sunday.
        (date(2026, 11, 20), date(2027, 1, 4), date(2026, 12, 30)),
        # 1/31 is a Sunday.
        (date(2026, 12, 20), date(2027, 2, 1), date(2027, 1, 29)),
        # 4/30 is a Friday, 昭和の日 the day before it.
        (date(2027, 3, 20), date(2027, 4, 30), date(2027, 4, 30)),
        # 12/31 is a Friday; 1/1 to 1/3 of 2028 are Saturday to Monday.
        (date(2027, 11, 20), date(2028, 1, 4), date(2027, 12, 30)),
        # 10/31 is a Sunday, and 11/3 a holiday that no shift comes as far as.
        (date(2027, 9, 20), date(2027, 11, 1), date(2027, 10, 29)),
    ],
)
def test_a_due_date_shifts_by_the_days_on_which_banks_transfer(
    base: date, following: date, previous: date
) -> None:
    """COM-71: 銀行法施行令5条."""
    assert due_date(base, 20, 1, Shift.NEXT) == following
    assert due_date(base, 20, 1, Shift.PREVIOUS) == previous
    assert due_date(base, 20, 1).day in (28, 29, 30, 31)


@pytest.mark.parametrize("closing_day", [0, 32, -1])
def test_a_closing_day_outside_the_month_is_a_mistake(closing_day: int) -> None:
    with pytest.raises(ValueError, match="closing day"):
        closing_date(date(2026, 1, 1), closing_day)


@given(st.dates(date(2000, 1, 1), date(2099, 1, 1)), st.integers(1, 31), st.integers(0, 6))
def test_nothing_closes_before_it_was_delivered_or_is_due_before_it_closes(
    base: date, closing_day: int, months: int
) -> None:
    closing = closing_date(base, closing_day)
    assert base <= closing <= due_date(base, closing_day, months)
    assert (closing - base).days <= 31
