"""Formulas of a tenants file that nobody can satisfy, or that speak of what there is not (OPS-02)."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.config.schema_base import did_you_mean

Finding = tuple[tuple[str | int, ...], str]


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """What the formulas of one limit can speak of: what an owner may be, kinds of units, roles."""

    owner: Mapping[str, Collection[str]] = field(default_factory=dict)
    units: Collection[str] = ()
    roles: Collection[str] = ()


FactsOf = Callable[[Mapping[str, Any]], Mapping[str, LimitFacts]]
"""By limit, what a module's table says of its owners."""


def impossible(section: Mapping[str, Any], known: Mapping[str, FactsOf]) -> Iterator[Finding]:
    """What is wrong with a tenant's formulas.

    `known` are the modules that can say of a limit what its owners are.
    """
    modules = section.get("modules", [])
    facts: dict[str, LimitFacts] = {}
    unread: set[str] = set()
    for module, facts_of in known.items():
        table = section.get(module, {})
        found = facts_of(table if isinstance(table, dict) else {})
        if isinstance(modules, list) and module in modules:
            facts.update(found)
        else:
            unread.update(found)
    formulas = section.get("formulas")
    for name, listed in formulas.items() if isinstance(formulas, dict) else ():
        if name in unread or not isinstance(listed, list):
            continue
        for place, formula in enumerate(listed):
            if isinstance(formula, dict):
                for path, message in _of_one(formula, facts.get(name, LimitFacts())):
                    yield ("formulas", name, place, *path), message


def _of_one(formula: Mapping[str, Any], facts: LimitFacts) -> Iterator[Finding]:
    yield from _unknown_owners(formula, facts)
    yield from _unknown_units(formula, facts)
    role = formula.get("exactly_one")
    if isinstance(role, str) and role not in facts.roles:
        yield ("exactly_one",), f"{role!r} is no role here{did_you_mean(role, facts.roles)}"
    base = formula.get("base")
    most = _most(formula)
    if base == 0 and most == 0:
        yield ("base",), "nobody could have any: base is 0, and nothing is added to it"
    elif base == 0 and role:
        yield (("base",), f"there is exactly one {role} always, so base is 1 or more")


def _unknown_owners(formula: Mapping[str, Any], facts: LimitFacts) -> Iterator[Finding]:
    when = formula.get("when")
    for name, value in when.items() if isinstance(when, dict) else ():
        if name not in facts.owner:
            yield (
                ("when", name),
                f"no owner has a {name!r}, so this fits nobody{did_you_mean(name, facts.owner)}",
            )
        elif isinstance(value, str) and value not in facts.owner[name]:
            there = did_you_mean(value, facts.owner[name])
            yield ("when", name), f"there is no {name} {value!r}, so this fits nobody{there}"


def _unknown_units(formula: Mapping[str, Any], facts: LimitFacts) -> Iterator[Finding]:
    listed = formula.get("per")
    for place, per in enumerate(listed if isinstance(listed, list) else ()):
        unit = per.get("unit") if isinstance(per, dict) else None
        if isinstance(unit, str) and unit not in facts.units:
            there = did_you_mean(unit, facts.units)
            yield ("per", place, "unit"), f"no owner has units of the kind {unit!r}{there}"


def _most(formula: Mapping[str, Any]) -> int | None:
    """How many a formula can give at most, None where that depends on units or cannot be said."""
    extras = formula.get("extras", [])
    if formula.get("per") or not isinstance(extras, list):
        return None
    counts = [formula.get("base"), *(one.get("count") for one in extras if isinstance(one, dict))]
    if not all(isinstance(count, int) for count in counts):
        return None
    return sum(count for count in counts if isinstance(count, int))
