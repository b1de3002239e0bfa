"""`flask limits`: how many of what, why, and more for one customer (COM-43, COM-44)."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from flask.cli import AppGroup

from portal.core.actor import Actor
from portal.core.tenancy.schema import Tenant
from portal.shared.limits import operations
from portal.web.commands import json_option, tenant_command, typed
from portal.web.output import json_out, table

limits = AppGroup("limits", help="Explain limits, lift them for one customer, list who is over.")


@limits.command("explain")
@click.argument("name")
@click.argument("number")
@json_option
@tenant_command
def explain(name: str, number: str, as_json: bool, tenant: Tenant, **_: Any) -> None:
    """How many of NAME (e.g. members) the customer or contract NUMBER may have, and how that came about."""
    found = operations.use(tenant, name, operations.named(name).find(number))
    if as_json:
        json_out(asdict(found))
        return
    table(["", "count", "of"], [(step.label, step.count, "、".join(step.of)) for step in found.steps])
    click.echo(f"{found.used} / {found.limit}{' (frozen)' if found.used > found.limit else ''}")


@limits.command("lift")
@click.argument("name")
@click.argument("number")
@click.argument("value", type=click.IntRange(0, 100_000))
@click.option("--reason", required=True, callback=typed(longest=200), help="For the audit trail.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day it holds; otherwise for good.")
@tenant_command
def lift(
    name: str, number: str, value: int, reason: str, until: datetime | None, tenant: Tenant, by: Actor, **_: Any
) -> None:
    """Let NUMBER have VALUE of NAME in place of what the rules give; 0 goes back to those."""
    day, owner = until.date() if until else None, operations.named(name).find(number)
    found = operations.lift(tenant, name, owner, value, reason, until=day, by=by)
    click.echo(f"{number}: {found.used} / {found.limit}")


@limits.command("over")
@json_option
@tenant_command
def over(as_json: bool, tenant: Tenant, **_: Any) -> None:
    """Who has more than the limit says: they keep what they have and can add nothing."""
    rows = [(name, owner.subject, use.used, use.limit) for name, owner, use in operations.over(tenant)]
    table(["limit", "owner", "used", "limit is"], rows, as_json)
