"""Commands of orders, the same for every brand: what awaits somebody, a step, a bill, documents (OPS-10)."""

from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from typing import Any

import click

from portal.core import LabelledEnum, Tenant, jobs, session, yen
from portal.shared.documents.billed import OrderDocuments
from portal.web.command_line import is_dry_run
from portal.web.commands import Command, bill_lines, lines_option, step, typed
from portal.web.output import Column, listing

_REASON = click.option(
    "--reason", required=True, callback=typed(longest=200), help="Stands on the new documents."
)


def awaiting(
    group: click.Group,
    statuses: type[LabelledEnum],
    find: Callable[[Any, int], Iterable[Any]],
    columns: Iterable[Column],
    text: str,
    said: str = "Only these; otherwise all that await you.",
    most: int = 50,
) -> None:
    """Make the command `list`: what `find` gives for a status, or for none, and a limit."""
    option = click.option("--status", type=click.Choice([s.value for s in statuses]), help=said)

    def list_(status: str | None, limit: int, **_: Any) -> Iterable[Any]:
        return find(statuses(status) if status else None, limit)

    list_.__doc__ = text
    listing(group, "list", columns, option, most=most)(list_)


def billed(operation: Command, day: Callable[[Any], date]) -> Command:
    """`operation` with the lines as they are typed, at the rates of the order's `day`."""

    def do(tenant: Tenant, order: Any, lines: tuple[str, ...], **words: Any) -> Any:
        return operation(tenant, order, bill_lines(tenant, lines, day(order)), **words)

    return do


def say(order: Any, _done: None = None) -> None:
    """Where the order stands now."""
    total = f" {yen(order.total)}" if order.total is not None else ""
    click.echo(f"{order.number}: {order.status.label}{total}")


def export_documents(
    group: click.Group, find: Callable[[str], Any], how: OrderDocuments, day: Callable[[Any], date]
) -> None:
    """Make the commands `issue`, `correct` and `refund`."""
    command = partial(step, group, find)
    command(_draw, "issue", how.issue, "Issue what is due and not issued yet, and draw it at once.")
    for name, amend, text in (
        (
            "correct",
            how.correct,
            "Bill these lines in place of those billed: new documents replace the old.",
        ),
        ("refund", how.refund, "Give these lines back after the payment: 適格返還請求書."),
    ):
        command(_draw_and_say, name, billed(amend, day), text, lines_option, _REASON)


def _draw(order: Any, drawing: list[int]) -> None:
    """Commit, and draw at once what was issued."""
    number = order.number
    click.echo(f"{number}: documents issued: {len(drawing)}")
    if is_dry_run():
        return
    session().commit()
    waiting = [job_id for job_id in drawing if not jobs.run(job_id)]
    if waiting:
        click.echo(f"{number}: {len(waiting)} could not be drawn; the worker tries again", err=True)


def _draw_and_say(order: Any, drawing: list[int]) -> None:
    _draw(order, drawing)
    say(order)
