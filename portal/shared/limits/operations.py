"""Limits in use: counted, explained, held to under a lock, lifted for one owner (COM-41 … COM-44).

What counts is declared by the module that owns the rows (`definitions`).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import cast

from sqlalchemy import func, select

from portal.config import Tenant
from portal.core import Actor, RuleBroken, audit, clock, session
from portal.shared.limits.definitions import (
    LimitDefinition,
    LimitOwner,
    all_definitions,
    get_definition,
)
from portal.shared.limits.models import LimitOverride
from portal.shared.limits.rules import Facts, Usage, calculate


class LimitReached(RuleBroken):
    """There is no room for one more."""


def usage_of(tenant: Tenant, name: str, owner: LimitOwner | int) -> Usage:
    """How the owner, or who has this id, stands against the tenant's limit of `name`, what was
    lifted included.
    """
    if isinstance(owner, int):
        owner = cast(LimitOwner, session().get_one(get_definition(name).owner, owner))
    return usages_of(tenant, name, [owner])[owner.id]


def usages_of(tenant: Tenant, name: str, owners: Sequence[LimitOwner]) -> dict[int, Usage]:
    """How several owners stand, by their primary keys, in as many statements as one takes.

    Index: ix_limit_override_owner.
    """
    definition = get_definition(name)
    facts = definition.facts(owners)
    counts = _count(definition, owners)
    lifted = _lifted(name, owners)
    return {
        owner.id: calculate(
            tenant,
            name,
            facts.get(owner.id, Facts()),
            lifted.get(owner.subject, 0),
            counts.get(owner.id, 0),
        )
        for owner in owners
    }


def _count(definition: LimitDefinition, owners: Sequence[LimitOwner]) -> dict[int, int]:
    """How many each of these owners has, by the owner's primary key; who has none is not there."""
    ids = [owner.id for owner in owners]
    counting = (
        select(definition.by, func.count(definition.model.id))
        .where(definition.by.in_(ids), *definition.where)
        .group_by(definition.by)
    )
    return {row[0]: row[1] for row in session().execute(counting)}


def _lifted(name: str, owners: Sequence[LimitOwner]) -> dict[str, int]:
    """What operators allow each of these owners today, by the owner's subject (COM-44)."""
    overrides = (
        select(LimitOverride)
        .where(LimitOverride.owner.in_([owner.subject for owner in owners]))
        .where(LimitOverride.name == name)
        .order_by(LimitOverride.id)
    )
    # Rows are never changed: the newest is what holds, also where it takes an earlier one back.
    newest = {override.owner: override for override in session().scalars(overrides)}
    today = clock.today()
    return {
        owner: override.value
        for owner, override in newest.items()
        if override.until is None or override.until >= today
    }


def reserve(tenant: Tenant, name: str, owner: LimitOwner) -> None:
    """Make sure that one more fits: the owner's row is locked until the end (COM-42).

    Raises LimitReached.
    """
    # Behind the lock nobody else can count the same free place before the new row is there.
    session().refresh(owner, with_for_update=True)
    room = usage_of(tenant, name, owner).room
    if not room:
        raise LimitReached(room.reason)


def override(
    tenant: Tenant,
    name: str,
    owner: LimitOwner,
    value: int,
    why: str,
    *,
    until: date | None = None,
    by: Actor,
) -> Usage:
    """Allow one owner more than the rules give, the last day included (COM-44); 0 takes it back.

    Raises RuleBroken.
    """
    # The same lock as for whoever uses a place: what the audit trail has as before was so.
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


def over(tenant: Tenant) -> Iterator[tuple[str, LimitOwner, Usage]]:
    """Who has more than the limit: frozen, nothing taken away (COM-43)."""
    for definition in all_definitions():
        owners = _who_may_be_over(tenant, definition)
        found = usages_of(tenant, definition.name, owners)
        for owner in owners:
            usage = found[owner.id]
            if usage.used > usage.limit:
                yield definition.name, owner, usage


def _who_may_be_over(tenant: Tenant, definition: LimitDefinition) -> Sequence[LimitOwner]:
    """The owners who have more than the lowest number that the tenant's rules could give."""
    name = definition.name
    lowest = min([tenant.limits[name], *(one.base for one in tenant.formulas.get(name, ()))])
    many = (
        select(definition.by)
        .where(*definition.where)
        .group_by(definition.by)
        .having(func.count(definition.model.id) > lowest)
        .correlate(None)  # the owner's own table may stand in it as well
    )
    owner = definition.owner
    statement = select(owner).where(owner.id.in_(many)).order_by(owner.id)
    return cast(Sequence[LimitOwner], session().scalars(statement).all())
