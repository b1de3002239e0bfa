"""The rules of reserving in ``[tenants.KEY.facility]`` (FAC-05, FAC-11, OPS-02)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from portal.blueprints.facility.config import FacilityConfig, minutes_of


@pytest.mark.parametrize(
    ("days_before", "percent"),
    [(30, 0), (8, 0), (7, 30), (4, 30), (3, 50), (1, 50), (0, 100), (-1, 100)],
)
def test_a_cancellation_costs_what_the_table_says(days_before: int, percent: int) -> None:
    """FAC-05."""
    assert FacilityConfig().cancellation_percent(days_before) == percent


def test_without_a_table_a_cancellation_costs_nothing() -> None:
    """FAC-05."""
    assert FacilityConfig(cancellation=()).cancellation_percent(0) == 0


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"opening": "9:00"}, "pattern"),
        ({"opening": "24:30"}, "pattern"),
        ({"opening": "18:00"}, "closing at 18:00 is not after opening at 18:00"),
        ({"slot_minutes": 50}, "slots of 50 minutes do not fill the 540 minutes"),
        ({"minimum_minutes": 45}, "45 minutes are not a whole number of slots of 30"),
        ({"minimum_minutes": 570}, "longer than the day"),
        (
            {"cancellation": [{"days_before": 1, "percent": 50}]},
            "nothing is said of the last 1 days",
        ),
        (
            {
                "cancellation": [
                    {"days_before": 0, "percent": 50},
                    {"days_before": 3, "percent": 80},
                ]
            },
            "days_before must fall",
        ),
        (
            {
                "cancellation": [
                    {"days_before": 3, "percent": 50},
                    {"days_before": 0, "percent": 20},
                ]
            },
            "percent must not fall",
        ),
        ({"options": ["工具一式", "工具一式"]}, "工具一式 stands here twice"),
        ({"booking_months_ahead": True}, "valid integer"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(keys: dict[str, Any], said: str) -> None:
    """OPS-02."""
    with pytest.raises(ValidationError, match=said):
        FacilityConfig.model_validate(keys)


def test_a_day_may_end_at_midnight() -> None:
    assert FacilityConfig(opening="00:00", closing="24:00").closing == "24:00"
    assert minutes_of("24:00") == 1440
