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
    """What is known of a limit's owner.

    What it is, the names of the units it has by kind, its form's day.
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
    """How many there are of how many, and why.

    `at_first` is how many the first registration may bring (SUP-03).
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
        if self.used < self.limit:
            return ALLOWED
        if self.used == self.limit:
            return Decision(_FULL)
        return Decision(_FROZEN)


def calculate(tenant: Tenant, name: str, facts: Facts, lifted: int = 0, used: int = 0) -> Usage:
    """How an owner of these facts stands.

    By the first formula that fits, or the plain number, or what was `lifted`.
    """
    formula = next((one for one in tenant.formulas.get(name, ()) if one.fits(facts.owner)), None)
    if formula is None:
        steps = [Step(USUAL, tenant.limits[name])]
        exactly_one = ""
    else:
        steps = list(_steps(formula, facts))
        exactly_one = formula.exactly_one or ""
    limit = sum(step.count for step in steps)
    at_first = limit
    if formula is not None and _begins_with_base(formula, facts):
        at_first = formula.base
    # What an operator once allowed never takes away what the rules have come to give since.
    if lifted > limit:
        steps.append(Step(LIFTED, lifted - limit))
        limit = lifted
    return Usage(used, limit, tuple(steps), min(at_first, limit), exactly_one)


def _begins_with_base(formula: Formula, facts: Facts) -> bool:
    """Whether the first registration brings the base number alone, by the form's day (SUP-03)."""
    since = formula.base_first_from
    return since is not None and facts.form is not None and facts.form >= since


def _steps(formula: Formula, facts: Facts) -> Iterator[Step]:
    yield Step(BASE, formula.base)
    for extra in formula.extras:
        yield Step(extra.label, extra.count)
    # Units are told by name, so that the page can say which of them a number is for.
    for per in formula.per:
        counted = tuple(name for name in facts.units.get(per.unit, ()) if name not in per.besides)
        yield Step(per.label, per.each * len(counted), counted)
