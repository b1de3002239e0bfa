"""A limit as the tenant declares it, worked out for one owner: pure, and explained step by step (COM-40, SUP-02)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from portal.core.errors import msgid
from portal.core.tenancy.schema import Tenant
from portal.core.tenancy.schema_parts import Formula

BASE, USUAL = msgid("基本"), msgid("登録上限")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a limit's owner: what it is, the names of the units it has by kind, its form's day."""

    owner: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, Sequence[str]] = field(default_factory=dict)
    form: date | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One part of how a number came about; `of` names the units it is for."""

    label: str
    count: int
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reckoning:
    """A limit and how it came about. `at_first` is how many may come with the first registration (SUP-03)."""

    steps: tuple[Step, ...]
    at_first: int
    exactly_one: str = ""

    @property
    def limit(self) -> int:
        """All steps together."""
        return sum(step.count for step in self.steps)


def reckon(tenant: Tenant, name: str, facts: Facts) -> Reckoning:
    """The tenant's limit of `name` for an owner of these facts: by the first formula that fits, or the plain number.

    Raises KeyError for a name that is none.
    """
    formula = next((one for one in tenant.formulas.get(name, ()) if one.fits(facts.owner)), None)
    if formula is None:
        number = tenant.limits[name]
        return Reckoning((Step(USUAL, number),), number)
    steps = tuple(_steps(formula, facts))
    starts_low = (
        formula.base_first_from is not None and facts.form is not None and facts.form >= formula.base_first_from
    )
    at_first = formula.base if starts_low else sum(step.count for step in steps)
    return Reckoning(steps, at_first, formula.exactly_one or "")


def _steps(formula: Formula, facts: Facts) -> Iterator[Step]:
    yield Step(BASE, formula.base)
    for extra in formula.extras:
        yield Step(extra.label, extra.count)
    for per in formula.per:
        counted = tuple(name for name in facts.units.get(per.unit, ()) if name not in per.besides)
        yield Step(per.label, per.each * len(counted), counted)
