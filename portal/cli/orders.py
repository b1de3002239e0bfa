"""What commands of orders say and bill, the same for every brand (OPS-10)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Protocol

import click

from portal.cli.bill_lines import Rates, rates_of, rates_on
from portal.cli.commands import TenantContext
from portal.cli.parameters import typed
from portal.config import Tenant
from portal.core import LabelledEnum, jobs, session, text, yen
from portal.shared.billing.lines import BillLine
from portal.shared.orders.models import OrderMixin

reason_option = click.option(
    "--reason",
    required=True,
    callback=typed(text.one_line, longest=200),
    help="Stands on the new documents.",
)


class OrderWithStatus(Protocol):
    """An order of any brand, each of which has states of its own."""

    @property
    def number(self) -> str:
        """How customers and operators call it."""

    @property
    def status(self) -> LabelledEnum:
        """Where it stands."""

    @property
    def total(self) -> int | None:
        """What is billed, in yen with tax; None before."""


def order_line(order: OrderWithStatus) -> str:
    """Where the order stands now, in a line."""
    line = f"{order.number}: {order.status.label}"
    if order.total is not None:
        line += f" {yen(order.total)}"
    return line


def rates_to_correct(tenant: Tenant, billed: Sequence[BillLine], day: date) -> Rates:
    """Any rate of the day; the usual one is that of the bill, which may bear no tax."""
    known = rates_on(tenant, day)
    was_billed = rates_of(billed)
    if was_billed.usual is None:
        return known
    return replace(known, usual=was_billed.usual)


def rates_to_refund(tenant: Tenant, billed: Sequence[BillLine], day: date) -> Rates:
    """Those of the bill: what is given back is given back at the rate at which it was paid."""
    if not billed:  # the operation says that there is no bill
        return rates_on(tenant, day)
    return rates_of(billed)


def draw_at_once(context: TenantContext, order: OrderMixin, job_ids: Sequence[int]) -> None:
    """Commit what was issued, and draw it now by these jobs, not when the worker comes by."""
    number = order.number
    click.echo(f"{number}: documents issued: {len(job_ids)}")
    if context.dry_run:
        return
    # A document is drawn in a transaction of its own, because that takes seconds; what it is drawn
    # from must be committed by then.
    session().commit()
    waiting = [job_id for job_id in job_ids if not jobs.run(job_id)]
    if waiting:
        click.echo(f"{number}: {len(waiting)} could not be drawn; the worker tries again", err=True)
