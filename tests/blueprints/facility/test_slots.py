"""FAC-11: every boundary of a slot, and the week that members see."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.slots import (
    Held,
    Hours,
    Slot,
    SlotTaken,
    at_clock,
    meets,
    monday_of,
)
from portal.core.business_days import is_business_day
from portal.core.clock import local, to_local
from portal.core.errors import RuleBroken

NOW = local(2026, 11, 24, 10)  # a Tuesday
WEDNESDAY = date(2026, 11, 25)


def hours(now: datetime = NOW, **config: Any) -> Hours:
    return Hours(FacilityConfig(**config), is_business_day, now)


def refused(starts: datetime, ends: datetime, **config: Any) -> str | None:
    """The field that is blamed, or None when the times can be had."""
    try:
        hours(**config).check(starts, ends)
    except RuleBroken as error:
        return error.field
    return None


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        pytest.param((25, 9), (25, 18), None, id="the whole day"),
        pytest.param((25, 9), (25, 10), None, id="from opening"),
        pytest.param((25, 17), (25, 18), None, id="to closing"),
        pytest.param((25, 8, 30), (25, 10), "starts", id="before opening"),
        pytest.param((25, 17, 30), (25, 18, 30), "ends", id="past closing"),
        pytest.param((25, 9, 1), (25, 10, 30), "starts", id="a minute beside the slot"),
        pytest.param((25, 9), (25, 10, 29), "ends", id="a minute less than slots"),
        pytest.param((25, 9), (25, 9, 30), "ends", id="too short"),
        pytest.param((25, 10), (25, 10), "ends", id="nothing"),
        pytest.param((25, 11), (25, 10), "ends", id="backwards"),
        pytest.param((25, 17), (26, 10), "ends", id="across midnight"),
        pytest.param((24, 10), (24, 11), None, id="this moment"),
        pytest.param((24, 9, 30), (24, 11), "day", id="begun already"),
        pytest.param((20, 10), (20, 11), "day", id="past"),
        pytest.param((28, 10), (28, 11), "day", id="Saturday"),
        pytest.param((23, 10), (23, 11), "day", id="past and holiday"),
    ],
)
def test_what_can_be_had(first, last, field):
    """FAC-11: opening hours, slots, the shortest use, closed days, the past."""
    assert refused(local(2026, 11, *first), local(2026, 11, *last)) == field


def test_holidays_and_the_last_day():
    """FAC-11: 12 January 2027 is the day after 成人の日; six months from 24 November end on 24 May."""
    assert refused(local(2027, 1, 11, 10), local(2027, 1, 11, 11)) == "day"
    assert refused(local(2027, 1, 12, 10), local(2027, 1, 12, 11)) is None
    assert hours().last_day() == date(2027, 5, 24)
    assert refused(local(2027, 5, 24, 10), local(2027, 5, 24, 11)) is None
    assert refused(local(2027, 5, 25, 10), local(2027, 5, 25, 11)) == "day"
    assert hours(local(2026, 8, 31, 10), booking_months_ahead=6).last_day() == date(2027, 2, 28)


def test_a_day_that_closes_at_midnight_can_be_had_to_its_end():
    """FAC-11: 24:00 is the next day's beginning and still this day's end."""
    config = {"opening": "22:00", "closing": "24:00", "slot_minutes": 30}
    assert refused(local(2026, 11, 25, 22), local(2026, 11, 26), **config) is None
    assert refused(local(2026, 11, 25, 23), local(2026, 11, 26, 0, 30), **config) == "ends"
    assert at_clock(WEDNESDAY, "24:00") == local(2026, 11, 26)


def test_there_is_no_summer_time():
    """FAC-11: nine in Tokyo is midnight UTC in every month."""
    for month in range(1, 13):
        assert at_clock(date(2027, month, 15), "09:00") == datetime(2027, month, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "met"),
    [
        pytest.param((180, 240), False, id="touching the end of the buffer"),
        pytest.param((179, 240), True, id="a minute into the buffer"),
        pytest.param((-75, -15), False, id="its own buffer touches"),
        pytest.param((-74, -14), True, id="its own buffer laps by a minute"),
        pytest.param((0, 165), True, id="the same"),
        pytest.param((60, 90), True, id="inside"),
        pytest.param((-60, 300), True, id="around"),
    ],
)
def test_two_uses_keep_the_buffer_between_them(minutes, met):
    """FAC-11: taken from 0 to 165 minutes with a buffer of 15."""
    begin = local(2026, 11, 25, 12)
    rules = hours(buffer_minutes=15)
    taken = rules.hold(begin, begin + timedelta(minutes=165))
    first, last = (begin + timedelta(minutes=at) for at in minutes)
    assert meets(rules.hold(first, last), [taken]) is met


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ((12,), (13,), "準備に15分"),
        ((9,), (10,), "準備に15分"),
        ((11, 30), (13,), "ほかのご予約と重なっています"),
        ((10,), (12,), "ほかのご予約と重なっています"),
        ((8,), (13,), "ほかのご予約と重なっています"),
    ],
)
def test_the_buffer_is_named_where_it_alone_is_in_the_way(first, last, message):
    """FAC-11: taken from ten to twelve; at twelve nobody uses it, and still it cannot be had."""
    rules = hours(buffer_minutes=15)
    taken = rules.hold(local(2026, 11, 25, 10), local(2026, 11, 25, 12))
    with pytest.raises(SlotTaken, match=message) as refusal:
        rules.require_free(local(2026, 11, 25, *first), local(2026, 11, 25, *last), [taken])
    assert refusal.value.field == "starts"


def test_without_a_buffer_touching_is_free():
    """FAC-11."""
    rules = hours(buffer_minutes=0)
    taken = rules.hold(local(2026, 11, 25, 10), local(2026, 11, 25, 12))
    wanted = rules.require_free(local(2026, 11, 25, 12), local(2026, 11, 25, 13), [taken])
    assert wanted.held_until == local(2026, 11, 25, 13)


SPANS = st.tuples(st.integers(0, 400), st.integers(1, 200))


@given(SPANS, SPANS)
def test_meeting_is_mutual_and_is_sharing_a_minute(one, other):
    """FAC-11: against minutes counted one by one."""
    begin = local(2026, 11, 25, 9)
    held = [
        Held(begin + timedelta(minutes=a), begin + timedelta(minutes=a + b))
        for a, b in (one, other)
    ]
    shared = set(range(one[0], sum(one))) & set(range(other[0], sum(other)))
    assert meets(held[0], held[1:]) == meets(held[1], held[:1]) == bool(shared)


def test_a_week_shows_what_is_free_taken_kept_for_preparation_closed_and_off():
    """FAC-11: this morning is past, Wednesday is taken around ten to twelve, holiday and weekend are closed."""
    rules = hours()
    taken = rules.hold(local(2026, 11, 25, 10), local(2026, 11, 25, 12))
    week = rules.week(monday_of(WEDNESDAY), [taken])
    assert list(week) == [date(2026, 11, day) for day in range(23, 30)]
    marks = {day.day: dict(slots) for day, slots in week.items()}
    assert set(marks[23].values()) == set(marks[28].values()) == {Slot.CLOSED}
    assert [start for start, slot in marks[24].items() if slot is Slot.OFF] == ["09:00", "09:30"]
    assert [start for start, slot in marks[25].items() if slot is Slot.TAKEN] == [
        *("09:30", "10:00", "10:30", "11:00", "11:30")
    ]
    assert [start for start, slot in marks[25].items() if slot is Slot.BUFFER] == ["09:00", "12:00"]
    assert Counter(marks[26].values()) == {Slot.FREE: 17}
    assert rules.starts()[-1] == "17:00"


@given(st.integers(0, 17), st.integers(1, 17))
def test_what_the_week_calls_free_can_be_had(at, slots):
    """FAC-11: the week and the check never contradict each other."""
    rules = hours()
    begin = local(2026, 11, 25, 9) + timedelta(minutes=30 * at)
    taken = [rules.hold(begin, begin + timedelta(minutes=30 * slots))]
    for start, slot in rules.week(monday_of(WEDNESDAY), taken)[WEDNESDAY]:
        first = at_clock(WEDNESDAY, start)
        last = first + timedelta(minutes=60)
        rules.check(first, last)
        assert (slot is Slot.FREE) is not meets(rules.hold(first, last), taken)
        assert to_local(first).strftime("%H:%M") == start
