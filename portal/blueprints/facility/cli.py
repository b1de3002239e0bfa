"""`flask facility`: what awaits an operator, and every step of a reservation's life (FAC-12)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from portal.blueprints.facility import booking, imports, issuing, operations, queries
from portal.blueprints.facility.models import Reservation, Status
from portal.core import jobs
from portal.core.actor import Actor
from portal.core.clock import TOKYO, to_local
from portal.core.db import session
from portal.core.money import LARGEST, yen
from portal.core.tenancy.schema import Tenant
from portal.web.commands import FILE, bill_lines, importing, lines_option, step, tenant_command, typed
from portal.web.output import listing, moment

commands = AppGroup("facility", help="Facility rental: reservations from request to payment.")
_AWAITED = (
    "number",
    ("status", "status.label"),
    ("start", moment("starts_at")),
    ("facility", "facility_name"),
    ("customer", lambda found: found.billing["name"]),
    ("contact", lambda found: found.contact["name"]),
)
_STATUSES = click.Choice([s.value for s in Status])
_STATUS = click.option("--status", type=_STATUSES, help="Only these; otherwise all that await you.")
_REASON = click.option("--reason", required=True, callback=typed(longest=200), help="Stands on the new documents.")
_CHARGE = click.option(
    "--charge", type=click.IntRange(0, LARGEST), help="Yen; 0 waives it. Otherwise by the tenant's table, as of now."
)
_REPORT = (
    click.option("--done", required=True, help="What was done."),
    click.option("--worker", required=True, help="Who did it."),
    click.option("--minutes", required=True, type=click.IntRange(1), help="How long it took."),
    click.option("--materials", default="", help="What was used, separated by 、"),
)
_INSTANT = click.DateTime(["%Y-%m-%dT%H:%M"])
_TIMES = [click.argument(name, type=_INSTANT, metavar="YYYY-MM-DDTHH:MM") for name in ("starts", "ends")]


@listing(commands, "list", _AWAITED, _STATUS, most=50)
def list_(status: str | None, limit: int, **_: Any) -> Iterable[Reservation]:
    """Reservations that await somebody, by start."""
    return queries.worklist(Status(status) if status else None, limit)


@commands.command("remind")
@tenant_command
def remind(tenant: Tenant, **_: Any) -> None:
    """Mail the reminders that are due; the worker does so by itself."""
    click.echo(f"{operations.remind(tenant)} reminders mailed")


@commands.command("set-photo")
@click.argument("code")
@click.argument("file", type=FILE)
@tenant_command
def set_photo(code: str, file: Path, by: Actor, **_: Any) -> None:
    """Give a facility its picture, a PNG file."""
    booking.set_photo(queries.facility(code), file.read_bytes(), by=by)
    click.echo(f"{code}: {file.name}")


def _reschedule(tenant: Tenant, reservation: Reservation, starts: datetime, ends: datetime, *, by: Actor) -> None:
    first, last = (at.replace(tzinfo=TOKYO).astimezone(UTC) for at in (starts, ends))
    booking.reschedule(tenant, reservation, first, last, by=by)


def _finish(tenant: Tenant, reservation: Reservation, *, by: Actor, **report: Any) -> None:
    operations.finish(tenant, reservation, operations.WorkReport(**report), by=by)


def _billed(operation: Any) -> Any:
    """`operation` with the lines as they are typed, at the rates of the day of use."""

    def do(tenant: Tenant, reservation: Reservation, lines: tuple[str, ...], **words: Any) -> Any:
        meant = bill_lines(tenant, lines, to_local(reservation.starts_at).date())
        return operation(tenant, reservation, meant, **words)

    return do


def _say(reservation: Reservation, _done: None = None) -> None:
    total = f" {yen(reservation.total)}" if reservation.total is not None else ""
    click.echo(f"{reservation.number}: {reservation.status.label}{total}")


def _say_when(reservation: Reservation, _done: None) -> None:
    click.echo(f"{reservation.number}: {to_local(reservation.starts_at):%Y-%m-%d %H:%M}")


def _draw(reservation: Reservation, drawing: list[int]) -> None:
    """Commit, and draw at once what was issued."""
    number = reservation.number
    click.echo(f"{number}: {len(drawing)} documents issued")
    if click.get_current_context().params["dry_run"]:
        return
    session().commit()
    waiting = [job_id for job_id in drawing if not jobs.run(job_id)]
    if waiting:
        click.echo(f"{number}: {len(waiting)} could not be drawn; the worker tries again", err=True)


def _draw_and_say(reservation: Reservation, drawing: list[int]) -> None:
    _draw(reservation, drawing)
    _say(reservation)


_command = partial(step, commands, queries.any_reservation)
_step = partial(_command, _say)
_step("confirm", operations.confirm, "予約受付 → 予約確定.")
_step("decline", operations.decline, "Decline a request: 予約受付 → キャンセル.")
_step("start", operations.start, "予約確定 → ご利用中.")
_step("finish", _finish, "ご利用中 → ご利用済, with the work report.", *_REPORT)
_step("fix-amount", _billed(operations.fix_amount), "ご利用済 → 請求確定.", lines_option)
_step("pay", operations.record_payment, "Record the payment: 請求確定 → お支払済.")
_step("cancel", operations.cancel, "Cancel before the use, with the charge that is due.", _CHARGE)
_command(_say_when, "reschedule", _reschedule, "Move a reservation to another time, in Tokyo.", *_TIMES)
_command(_draw, "issue", issuing.issue, "Issue invoice and work report, and draw them at once.")
for name, amend, text in (
    ("correct", issuing.correct, "Bill these lines in place of those billed: new documents replace the old."),
    ("refund", issuing.refund, "Give these lines back after the payment: 適格返還請求書."),
):
    _command(_draw_and_say, name, _billed(amend), text, lines_option, _REASON)
importing(commands, "import-facilities", imports.facilities, "facilities")
importing(commands, "import-reservations", imports.reservations, "old reservations")
