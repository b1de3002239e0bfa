"""A limit as the tenant declares it, worked out for one owner: pure, and explained step by step
(COM-40, SUP-02).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from portal.config import Tenant
from portal.config.schema_parts import Formula
from portal.core import ALLOWED, Decision, gettext_noop

BASE = gettext_noop("基本")
USUAL = gettext_noop("登録上限")
LIFTED = gettext_noop("個別に承った追加")
_FULL = gettext_noop("登録できる上限に達しています。追加をご希望の場合は、お問い合わせください。")
_FROZEN = gettext_noop(
    "登録数が上限を超えているため、追加できません。くわしくはお問い合わせください。"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a limit's owner: what it is, the names of the units it has by kind, its
    form's day.
    """

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
class Usage:
    """How many there are of how many, and why; `at_first` is how many the first registration may
    bring (SUP-03).
    """

    used: int
    limit: int
    steps: tuple[Step, ...] = ()
    at_first: int = 0
    exactly_one: str = ""

    @property
    def room(self) -> Decision:
        """Whether one more fits, and whom to ask when it does not.

        Above its limit nothing is taken away (COM-43).
        """
        return (
            ALLOWED
            if self.used < self.limit
            else Decision(_FULL if self.used == self.limit else _FROZEN)
        )


def calculate(tenant: Tenant, name: str, facts: Facts, lifted: int = 0, used: int = 0) -> Usage:
    """How an owner of these facts stands: by the first formula that fits, or the plain number, or
    what was `lifted`.
    """
    formula = next((one for one in tenant.formulas.get(name, ()) if one.fits(facts.owner)), None)
    steps = tuple(_steps(formula, facts)) if formula else (Step(USUAL, tenant.limits[name]),)
    limit = at_first = sum(step.count for step in steps)
    if formula and formula.base_first_from and facts.form and facts.form >= formula.base_first_from:
        at_first = formula.base
    if lifted > limit:
        steps = (*steps, Step(LIFTED, lifted - limit))
        limit = lifted
    return Usage(used, limit, steps, min(at_first, limit), (formula and formula.exactly_one) or "")


def _steps(formula: Formula, facts: Facts) -> Iterator[Step]:
    yield Step(BASE, formula.base)
    for extra in formula.extras:
        yield Step(extra.label, extra.count)
    for per in formula.per:
        counted = tuple(name for name in facts.units.get(per.unit, ()) if name not in per.besides)
        yield Step(per.label, per.each * len(counted), counted)
