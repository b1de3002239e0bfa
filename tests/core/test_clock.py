"""The one clock: Tokyo's day, standing still, and the refusal of instants without a zone."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core import clock

INSTANTS = st.integers(600_000_000, 4_000_000_000).map(
    lambda second: datetime.fromtimestamp(second, UTC)
)


def test_now_is_the_real_present_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 12, 31, 14, 59, 59, 999_999, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 15, 0, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2028, 2, 28, 15, 0, tzinfo=UTC), date(2028, 2, 29)),
        (datetime(2026, 4, 1, 0, 0, tzinfo=timezone(timedelta(hours=9))), date(2026, 4, 1)),
        (datetime(2026, 3, 31, 23, 30, tzinfo=timezone(timedelta(hours=-8))), date(2026, 4, 1)),
    ],
)
def test_today_changes_at_midnight_in_tokyo_wherever_the_machine_stands(
    instant: datetime, day: date
) -> None:
    """What a customer means by today."""
    with clock.freeze(instant):
        assert clock.today() == day


@pytest.mark.parametrize("month", range(1, 13))
def test_tokyo_is_nine_hours_ahead_in_every_month(month: int) -> None:
    """There is no summer time: noon is always 03:00 UTC."""
    assert clock.local(2026, month, 15, 12) == datetime(2026, month, 15, 3, tzinfo=UTC)
    assert clock.to_local(datetime(2026, month, 15, 3, tzinfo=UTC)).utcoffset() == timedelta(
        hours=9
    )


@given(INSTANTS)
@settings(max_examples=50)
def test_local_time_is_the_same_instant_and_leads_back(instant: datetime) -> None:
    wall = clock.to_local(instant)
    assert wall == instant
    back = clock.local(wall.year, wall.month, wall.day, wall.hour, wall.minute)
    assert back == instant.replace(second=0, microsecond=0)
    assert back.tzinfo is UTC


def test_a_local_time_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="day"):
        clock.local(2027, 2, 29)


def test_frozen_blocks_nest_and_end_even_with_an_error() -> None:
    outer, inner = clock.local(2026, 1, 1), clock.local(2030, 1, 1)
    with clock.freeze(outer):
        with suppress(RuntimeError), clock.freeze(inner) as given_back:
            assert given_back == clock.now() == inner
            raise RuntimeError
        assert clock.now() == outer
        assert clock.now() == outer, "it does not run on"
    assert clock.now() > outer


def test_a_frozen_instant_of_another_zone_is_told_in_utc() -> None:
    with clock.freeze(datetime(2026, 6, 1, 9, tzinfo=clock.TOKYO)):
        assert clock.now().isoformat() == "2026-06-01T00:00:00+00:00"


def test_standing_as_of_lasts_until_it_is_taken_back() -> None:
    """OPS-10: ``--as-of`` holds for the rest of the context, and no other thread stands still with it."""
    elsewhere: list[datetime] = []
    with clock.freeze(clock.local(2026, 1, 1)):  # puts everything back afterwards
        clock.set_as_of(datetime(2020, 5, 5, 9, tzinfo=clock.TOKYO))
        assert clock.now() == datetime(2020, 5, 5, tzinfo=UTC)
        assert clock.now().tzinfo is UTC
        other = threading.Thread(target=lambda: elsewhere.append(clock.now()))
        other.start()
        other.join()
        clock.set_as_of(None)
        assert clock.now() > datetime(2026, 1, 2, tzinfo=UTC)
    assert elsewhere[0].year > 2020


def test_a_naive_instant_is_refused_and_changes_nothing() -> None:
    naive = clock.local(2026, 1, 1).replace(tzinfo=None)
    with clock.freeze(clock.local(2025, 1, 1)):
        with pytest.raises(ValueError, match="aware"), clock.freeze(naive):
            pytest.fail("the block was entered")
        with pytest.raises(ValueError, match="aware"):
            clock.set_as_of(naive)
        assert clock.now() == clock.local(2025, 1, 1)
