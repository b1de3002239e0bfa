"""What a tenant decides about its facilities: ``[tenants.KEY.facility]``."""

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, Strict, ValidationInfo, field_validator

from portal.config.schema_base import Each, Name, Section, Whole, did_you_mean

Price = Annotated[int, Strict(), Field(ge=0, le=100_000_000)]
ClockTime = Annotated[str, Field(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


def minutes_of(clock_time: str) -> int:
    """``09:30`` as minutes since midnight."""
    hours, minutes = clock_time.split(":")
    return int(hours) * 60 + int(minutes)


class CancellationStep(Section):
    """From how many days before the use a cancellation costs how much."""

    days_before: Whole = Field(
        ge=0, le=365, description="Days before the day of use; 0 is that day itself."
    )
    percent: Whole = Field(ge=0, le=100, description="Percent of the price.")


class FacilityConfig(Section):
    """Rules of reserving. Clock times are Asia/Tokyo's."""

    opening: ClockTime = Field(
        default="09:00", description="When the first use of a day can begin, HH:MM."
    )
    closing: ClockTime = Field(
        default="18:00", description="When the last use of a day ends, HH:MM up to 24:00."
    )
    slot_minutes: Whole = Field(
        default=30,
        ge=5,
        le=480,
        description="Uses begin and end on multiples of this, counted from opening.",
    )
    buffer_minutes: Whole = Field(
        default=15, ge=0, le=240, description="Kept free between two uses of a facility."
    )
    minimum_minutes: Whole = Field(
        default=60, ge=5, le=1440, description="The shortest use, in whole slots."
    )
    booking_months_ahead: Whole = Field(
        default=6, ge=1, le=24, description="How far ahead one can reserve."
    )
    reminder_hours: Whole = Field(
        default=24,
        ge=0,
        le=168,
        description="How long before a confirmed use its reminder is mailed; 0 is never.",
    )
    cancellation: tuple[CancellationStep, ...] = Field(
        default=(
            CancellationStep(days_before=7, percent=30),
            CancellationStep(days_before=3, percent=50),
            CancellationStep(days_before=0, percent=100),
        ),
        max_length=10,
        description="What a cancellation costs, farthest day first, down to day 0. Before the "
        "first step, and when empty, it costs nothing (FAC-05).",
    )
    options: Each[Name] = Field(
        default=(), max_length=40, description="What can be ordered with a use, e.g. 操作補助."
    )
    option_prices: dict[str, Price] = Field(
        default={},
        description="Yen without tax for one use of an option, e.g. { 操作補助 = 3000 }; what "
        "stands here not is priced after the use.",
    )

    @field_validator("closing", "slot_minutes", "minimum_minutes")
    @classmethod
    def _times_fit(cls, value: Any, info: ValidationInfo) -> Any:
        key = info.field_name
        known = info.data | {info.field_name: value}
        # Fields are checked in the order of the class: a later one sees those before it, unless
        # they failed themselves.
        if not {"opening", "closing"} <= known.keys():
            return value
        day = minutes_of(known["closing"]) - minutes_of(known["opening"])
        slot = known.get("slot_minutes", 1)
        if key == "closing" and day <= 0:
            raise ValueError(f"closing at {value} is not after opening at {known['opening']}")
        if key == "slot_minutes" and day % slot:
            raise ValueError(
                f"slots of {slot} minutes do not fill the {day} minutes from opening to closing"
            )
        if key == "minimum_minutes" and value % slot:
            raise ValueError(f"{value} minutes are not a whole number of slots of {slot}")
        if key == "minimum_minutes" and value > day:
            raise ValueError(
                f"{value} minutes are longer than the day from opening to closing, {day}"
            )
        return value

    @field_validator("option_prices")
    @classmethod
    def _prices_have_options(cls, prices: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        options = info.data.get("options", ())
        # A misspelt name would leave its option without a price, and nobody would see why.
        unknown = [name for name in prices if name not in options]
        if unknown:
            hint = did_you_mean(unknown[0], options)
            raise ValueError(f"{unknown[0]!r} is none of options{hint}")
        return prices

    @field_validator("cancellation")
    @classmethod
    def _steps_in_order(cls, steps: tuple[CancellationStep, ...]) -> tuple[CancellationStep, ...]:
        days = [step.days_before for step in steps]
        if any(later >= earlier for earlier, later in pairwise(days)):
            raise ValueError("days_before must fall from step to step, e.g. 7, 3, 0")
        charges = [step.percent for step in steps]
        # Otherwise it would pay to wait before one cancels.
        if charges != sorted(charges):
            raise ValueError("percent must not fall as the day of use comes near")
        if steps and days[-1] != 0:
            raise ValueError(
                f"nothing is said of the last {days[-1]} days; end with days_before = 0"
            )
        return steps

    def cancellation_percent(self, days_before: int) -> int:
        """What a cancellation so many days before the use costs, in percent of it (FAC-05)."""
        # Days fall from step to step, so the last one that applies is the nearest to the use.
        due = [step.percent for step in self.cancellation if days_before <= step.days_before]
        return due[-1] if due else 0
