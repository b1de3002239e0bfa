"""Commands of orders, the same for every brand: what awaits somebody, a step, a bill, documents
(OPS-10).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import click

from portal.cli.bill_lines import Rates, lines_option, rates_of, rates_on, read_bill_lines
from portal.cli.command_line import is_dry_run
from portal.cli.commands import Command, step, typed
from portal.cli.output import Column, listing
from portal.config import Tenant
from portal.core import LabelledEnum, jobs, session, yen
from portal.shared.invoicing.models import CreditNote
from portal.shared.orders.billing import OrderBilling

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


def billed(
    operation: Command,
    day: Callable[[Any], date],
    rates: Callable[[Tenant, Any, date], Rates] | None = None,
) -> Command:
    """`operation` with the lines as they are typed, at `rates`, which are those of the order's
    `day` by themselves.
    """

    def do(tenant: Tenant, order: Any, lines: tuple[str, ...], **words: Any) -> Any:
        on = day(order)
        known = rates(tenant, order, on) if rates else rates_on(tenant, on)
        return operation(tenant, order, read_bill_lines(lines, on, known), **words)

    return do


def _rates_to_correct(how: OrderBilling[Any]) -> Callable[[Tenant, Any, date], Rates]:
    """Any rate of the day; the usual one is that of the bill, which may bear no tax."""

    def rates(tenant: Tenant, order: Any, day: date) -> Rates:
        known = rates_on(tenant, day)
        was_billed = rates_of(how.lines(order))
        return known if was_billed.usual is None else replace(known, usual=was_billed.usual)

    return rates


def _rates_to_refund(how: OrderBilling[Any]) -> Callable[[Tenant, Any, date], Rates]:
    """Those of the bill; of an order without one any, for the operation to say that there is none."""

    def rates(tenant: Tenant, order: Any, day: date) -> Rates:
        lines = how.lines(order)
        return rates_of(lines) if lines else rates_on(tenant, day)

    return rates


def say(order: Any, _done: None = None) -> None:
    """Where the order stands now."""
    total = f" {yen(order.total)}" if order.total is not None else ""
    click.echo(f"{order.number}: {order.status.label}{total}")


def export_documents(
    group: click.Group,
    find: Callable[[str], Any],
    how: OrderBilling[Any],
    day: Callable[[Any], date],
) -> None:
    """Make the commands `issue`, `correct` and `refund`."""
    command = partial(step, group, find)
    command(_draw, "issue", how.issue, "Issue what is due and not issued yet, and draw it at once.")
    command(
        _draw_and_say,
        "correct",
        billed(how.correct, day, _rates_to_correct(how)),
        "Bill these lines in place of those billed: new documents replace the old.",
        lines_option,
        _REASON,
    )
    command(
        _draw_and_say_refund,
        "refund",
        billed(how.refund, day, _rates_to_refund(how)),
        "Give these lines back after the payment, at its rates: 適格返還請求書.",
        lines_option,
        _REASON,
    )


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


def _draw_and_say_refund(order: Any, made: tuple[CreditNote, list[int]]) -> None:
    note, drawing = made
    said = f"{order.number}: 返還 {yen(note.total)} ({note.number})"
    _draw_and_say(order, drawing)
    click.echo(said)


def _draw_and_say(order: Any, drawing: list[int]) -> None:
    _draw(order, drawing)
    say(order)
