"""Limits in use: counted, explained, held to under a lock, lifted for one owner (COM-41 … COM-44).

A module says what of its own counts against a limit (`counted`); everything else follows: pages,
CLI, lists.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select

from portal.config import Tenant
from portal.core import Actor, NotFound, RuleBroken, audit, clock, session
from portal.shared.limits.models import LimitOverride
from portal.shared.limits.rules import Facts, Usage, calculate


class LimitReached(RuleBroken):
    """There is no room for one more."""


@dataclass(frozen=True, slots=True)
class LimitDefinition:
    """What counts: rows of `model` that are an `owner`'s by the column `by`; `find` gives one by
    its number.
    """

    name: str
    model: Any
    by: Any
    owner: Any
    where: tuple[Any, ...]
    find: Callable[[str], Any]
    facts: Callable[[Sequence[Any]], Mapping[int, Facts]] = lambda _owners: {}


_counted: dict[str, LimitDefinition] = {}


def define_limit(what: LimitDefinition) -> LimitDefinition:
    """Make known what counts against a limit."""
    _counted[what.name] = what
    return what


def get_definition(name: str) -> LimitDefinition:
    """What counts against the limit of this name. Raises NotFound."""
    if name not in _counted:
        raise NotFound(
            "この上限はありません: %(name)s（%(names)s）",
            name=name,
            names=", ".join(sorted(_counted)),
        )
    return _counted[name]


def usage_of(tenant: Tenant, name: str, owner: Any) -> Usage:
    """How the owner, or who has this id, stands against the tenant's limit of `name`, what was
    lifted included.
    """
    found = (
        session().get_one(get_definition(name).owner, owner) if isinstance(owner, int) else owner
    )
    return usages_of(tenant, name, [found])[found.id]


def usages_of(tenant: Tenant, name: str, owners: Sequence[Any]) -> dict[int, Usage]:
    """How several stand, by their ids, in as many statements as one.

    Index: ix_limit_override_owner.
    """
    what = get_definition(name)
    ids = [owner.id for owner in owners]
    facts = what.facts(owners)
    today = clock.today()
    counting = (
        select(what.by, func.count(what.model.id))
        .where(what.by.in_(ids), *what.where)
        .group_by(what.by)
    )
    counts: dict[int, int] = {row[0]: row[1] for row in session().execute(counting)}
    lifting = select(LimitOverride.owner, LimitOverride.value, LimitOverride.until)
    of = LimitOverride.owner.in_([owner.subject for owner in owners]), LimitOverride.name == name
    newest = {
        row.owner: row for row in session().execute(lifting.where(*of).order_by(LimitOverride.id))
    }
    lifted = {
        one: row.value for one, row in newest.items() if row.until is None or row.until >= today
    }
    return {
        one.id: calculate(
            tenant,
            name,
            facts.get(one.id, Facts()),
            lifted.get(one.subject, 0),
            counts.get(one.id, 0),
        )
        for one in owners
    }


def reserve(tenant: Tenant, name: str, owner: Any) -> None:
    """Make sure that one more fits: the owner's row is locked until the end (COM-42).

    Raises LimitReached.
    """
    session().refresh(owner, with_for_update=True)
    room = usage_of(tenant, name, owner).room
    if not room:
        raise LimitReached(room.reason)


def override(
    tenant: Tenant,
    name: str,
    owner: Any,
    value: int,
    why: str,
    *,
    until: date | None = None,
    by: Actor,
) -> Usage:
    """Allow one owner more than the rules give, the last day included (COM-44); 0 takes it back.

    Raises RuleBroken.
    """
    session().refresh(owner, with_for_update=True)
    rules = calculate(tenant, name, get_definition(name).facts([owner]).get(owner.id, Facts()))
    if value and value <= rules.limit:
        raise RuleBroken(
            "規則による上限（%(limit)s）より大きい数を指定してください。", limit=rules.limit
        )
    if until and until < clock.today():
        raise RuleBroken("過ぎた日付です。", field="until")
    before = usage_of(tenant, name, owner).limit
    made = LimitOverride(
        account_id=owner.account_id, name=name, owner=owner.subject, value=value, reason=why
    )
    made.until = until
    made.created_by = by.name
    made.created_at = clock.now()
    session().add(made)
    session().flush()
    after = usage_of(tenant, name, owner)
    audit.record(
        "limit.lift", owner, by=by, limit=name, value=[before, after.limit], reason=why, until=until
    )
    return after


def over(tenant: Tenant) -> Iterator[tuple[str, Any, Usage]]:
    """Who has more than the limit: frozen, nothing taken away (COM-43).

    Only who could be over it is looked at.
    """
    for name, what in sorted(_counted.items()):
        least = min([tenant.limits[name], *(one.base for one in tenant.formulas.get(name, ()))])
        many = (
            select(what.by)
            .where(*what.where)
            .group_by(what.by)
            .having(func.count(what.model.id) > least)
            .correlate(None)  # the owner's own table may stand in it as well
        )
        owners = (
            session()
            .scalars(select(what.owner).where(what.owner.id.in_(many)).order_by(what.owner.id))
            .all()
        )
        found = usages_of(tenant, name, owners)
        yield from (
            (name, owner, found[owner.id])
            for owner in owners
            if found[owner.id].used > found[owner.id].limit
        )
