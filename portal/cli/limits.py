"""`flask limits`: how many of something a customer may have, explained and lifted (COM-43)."""

from dataclasses import asdict
from datetime import date

import click

from portal.cli.command_line import CommandGroup, Number
from portal.cli.commands import ChangeCommand, QuestionCommand, TenantContext
from portal.cli.output import json_out, table
from portal.cli.parameters import day_option, json_option, typed
from portal.core import text
from portal.shared.limits import operations
from portal.shared.limits.definitions import get_definition

commands = CommandGroup(
    "limits", help="Explain limits, lift them for one customer, list who is over."
)


@commands.command("explain", cls=QuestionCommand)
@click.argument("name")
@click.argument("number")
@json_option
@click.pass_obj
def explain(context: TenantContext, name: str, number: str, as_json: bool) -> None:
    """How many of NAME (e.g. members) the customer or contract NUMBER may have, and how that came
    about.
    """
    owner = get_definition(name).find(number)
    usage = operations.usage_of(context.tenant, name, owner)
    if as_json:
        json_out(asdict(usage))
        return
    table(
        ["", "count", "of"], [(step.label, step.count, "、".join(step.of)) for step in usage.steps]
    )
    line = f"{usage.used} / {usage.limit}"
    if usage.used > usage.limit:
        line += " (frozen)"
    click.echo(line)


@commands.command("lift", cls=ChangeCommand)
@click.argument("name")
@click.argument("number")
@click.argument("value", type=Number(0, 100_000))
@click.option(
    "--reason",
    required=True,
    callback=typed(text.one_line, longest=200),
    help="For the audit trail.",
)
@day_option("--until", help="The last day it holds; otherwise for good.")
@click.pass_obj
def lift(
    context: TenantContext, name: str, number: str, value: int, reason: str, until: date | None
) -> str:
    """Let NUMBER have VALUE of NAME in place of what the rules give; 0 goes back to those."""
    owner = get_definition(name).find(number)
    usage = operations.override(
        context.tenant, name, owner, value, reason, until=until, by=context.by
    )
    return f"{number}: {usage.used} / {usage.limit}"


@commands.command("over", cls=QuestionCommand)
@json_option
@click.pass_obj
def over(context: TenantContext, as_json: bool) -> None:
    """Who has more than the limit says: they keep what they have and can add nothing."""
    rows = [
        (name, owner.subject, usage.used, usage.limit)
        for name, owner, usage in operations.over(context.tenant)
    ]
    table(["limit", "owner", "used", "limit is"], rows, as_json)
