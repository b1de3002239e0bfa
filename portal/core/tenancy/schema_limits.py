"""Limits that are more than a number: a base, extras, so many per unit of what their owner has (COM-40, SUP-02)."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator

from portal.core.tenancy.schema_base import Day, Each, Name, Section, Whole

Count = Annotated[Whole, Field(ge=0, le=100_000)]


class Extra(Section):
    """So many more, whatever the owner has."""

    label: Name = Field(description="Why, as customers read it, e.g. 含まれるアプリ.")
    count: Count = Field(description="How many.")


class PerUnit(Section):
    """So many more for each unit of a kind."""

    unit: Name = Field(description="The kind that is counted, e.g. app or connection.")
    label: Name = Field(description="The kind as customers read it, e.g. ご利用中のアプリ.")
    each: Count = Field(default=1, description="How many for each of them.")
    besides: Each[Name] = Field(default=(), description="Units of these names are counted elsewhere, and not again.")


class Formula(Section):
    """How one limit comes about."""

    when: dict[str, Name] = Field(
        default={}, description='What the owner must be for this formula, e.g. { product = "manage" }; empty fits all.'
    )
    base: Count = Field(description="How many there may be of in any case.")
    extras: tuple[Extra, ...] = Field(default=(), max_length=20, description="What is added, one table each.")
    per: tuple[PerUnit, ...] = Field(default=(), max_length=20, description="What is added for each unit.")
    exactly_one: Name | None = Field(
        default=None, description="The role that exactly one of them has, always, e.g. 主担当; when absent, none."
    )
    base_first_from: Day | None = Field(
        default=None,
        description="With application forms of this day or later only the base may be registered at first; "
        "when absent, the full number (SUP-03).",
    )

    @field_validator("per")
    @classmethod
    def _each_kind_once(cls, per: tuple[PerUnit, ...]) -> tuple[PerUnit, ...]:
        kinds = [one.unit for one in per]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"a kind of unit is counted twice: {', '.join(kinds)}")
        return per

    def fits(self, owner: Mapping[str, str]) -> bool:
        """Whether this formula is for an owner that is this."""
        return all(owner.get(name) == value for name, value in self.when.items())


Formulas = Annotated[tuple[Formula, ...], Field(min_length=1, max_length=50)]


def in_order(formulas: tuple[Formula, ...]) -> tuple[Formula, ...]:
    """The formulas of one limit; of those that fit, the first counts. Raises ValueError for one that never does."""
    for place, formula in enumerate(formulas):
        if any(formula.when.items() >= earlier.when.items() for earlier in formulas[:place]):
            raise ValueError(f"formula {place + 1} is never reached: an earlier one fits whatever it fits")
    return formulas
