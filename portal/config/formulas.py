"""Formulas of a tenants file that nobody can satisfy, or that speak of what there is not
(OPS-02).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from portal.config.config_errors import Finding, RawTable
from portal.config.schema_base import did_you_mean


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """What the formulas of one limit can speak of: what an owner may be, kinds of units, roles."""

    owner: Mapping[str, Collection[str]] = field(default_factory=dict)
    units: Collection[str] = ()
    roles: Collection[str] = ()


FactsOf = Callable[[RawTable], Mapping[str, LimitFacts]]
"""By limit, what a module's table says of its owners."""


def impossible(section: RawTable, known: Mapping[str, FactsOf]) -> Iterator[Finding]:
    """What is wrong with a tenant's formulas.

    `known` are the modules that can say of a limit what its owners are.
    """
    modules = section.get("modules", [])
    facts: dict[str, LimitFacts] = {}
    unread: set[str] = set()
    for module, facts_of in known.items():
        found = facts_of(_table(section, module))
        # Facts are read in any case: they name the limits whose formulas are skipped.
        if isinstance(modules, list) and module in modules:
            facts.update(found)
        else:
            # Formulas of a module that is off are looked at when it is switched on.
            unread.update(found)
    for name, listed in _table(section, "formulas").items():
        if name in unread or not isinstance(listed, list):
            continue
        for place, formula in enumerate(listed):
            if isinstance(formula, dict):
                for path, message in _of_one(formula, facts.get(name, LimitFacts())):
                    yield ("formulas", name, place, *path), message


def _of_one(formula: RawTable, facts: LimitFacts) -> Iterator[Finding]:
    yield from _unknown_owners(formula, facts)
    yield from _unknown_units(formula, facts)
    role = formula.get("exactly_one")
    if isinstance(role, str) and role not in facts.roles:
        yield ("exactly_one",), f"{role!r} is no role here{did_you_mean(role, facts.roles)}"
    base = formula.get("base")
    maximum = _maximum(formula)
    if base == 0 and maximum == 0:
        yield ("base",), "nobody could have any: base is 0, and nothing is added to it"
    elif base == 0 and role:
        yield (("base",), f"there is exactly one {role} always, so base is 1 or more")


def _table(given: RawTable, name: str) -> RawTable:
    """The table of this name; an empty one where the file has something else."""
    found = given.get(name)
    if not isinstance(found, dict):
        return {}
    return found


def _unknown_owners(formula: RawTable, facts: LimitFacts) -> Iterator[Finding]:
    for name, value in _table(formula, "when").items():
        if name not in facts.owner:
            yield (
                ("when", name),
                f"no owner has a {name!r}, so this fits nobody{did_you_mean(name, facts.owner)}",
            )
        elif isinstance(value, str) and value not in facts.owner[name]:
            there = did_you_mean(value, facts.owner[name])
            yield ("when", name), f"there is no {name} {value!r}, so this fits nobody{there}"


def _unknown_units(formula: RawTable, facts: LimitFacts) -> Iterator[Finding]:
    listed = formula.get("per")
    if not isinstance(listed, list):
        return
    for place, per in enumerate(listed):
        if not isinstance(per, dict):
            continue
        unit = per.get("unit")
        if isinstance(unit, str) and unit not in facts.units:
            there = did_you_mean(unit, facts.units)
            yield ("per", place, "unit"), f"no owner has units of the kind {unit!r}{there}"


def _maximum(formula: RawTable) -> int | None:
    """How many a formula can give at most, None where that depends on units or cannot be said."""
    extras = formula.get("extras", [])
    # Units are an owner's: how many there will be, no file says.
    if formula.get("per") or not isinstance(extras, list):
        return None
    # What is no number is reported by the types.
    counts = [formula.get("base"), *(one.get("count") for one in extras if isinstance(one, dict))]
    if not all(isinstance(count, int) for count in counts):
        return None
    return sum(count for count in counts if isinstance(count, int))
