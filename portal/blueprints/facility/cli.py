"""`flask facility`: what awaits an operator, and every step of a reservation's life (FAC-12)."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from portal.blueprints.facility import booking, imports, operations, queries
from portal.blueprints.facility.models import Reservation, Status
from portal.core import jobs
from portal.core.actor import Actor
from portal.core.clock import TOKYO, to_local
from portal.core.db import session
from portal.core.money import LARGEST, yen
from portal.core.tenancy.schema import Tenant
from portal.shared.billing.lines import BillLine
from portal.web.commands import Mistake, json_option, tenant_command, typed
from portal.web.output import table

commands = AppGroup("facility", help="Facility rental: reservations from request to payment.")


@commands.command("list")
@click.option(
    "--status", type=click.Choice([s.value for s in Status]), help="Only these; otherwise all that await you."
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@json_option
@tenant_command
def list_(status: str | None, limit: int, as_json: bool, **_: Any) -> None:
    """Reservations that await somebody, by start."""
    rows = [
        (
            r.number,
            r.status.label,
            f"{to_local(r.starts_at):%Y-%m-%d %H:%M}",
            r.facility_name,
            r.billing["name"],
            r.contact["name"],
        )
        for r in queries.worklist(Status(status) if status else None, limit)
    ]
    table(["number", "status", "start", "facility", "customer", "contact"], rows, as_json)


def _step(name: str, operation: Any, text: str) -> None:
    """A command that takes one reservation one step on."""

    @commands.command(name, help=text)
    @click.argument("number")
    @tenant_command
    def command(number: str, tenant: Tenant, by: Actor, **_: Any) -> None:
        reservation = queries.any_reservation(number)
        operation(tenant, reservation, by=by)
        _say(reservation)


_step("confirm", operations.confirm, "予約受付 → 予約確定.")
_step("decline", operations.decline, "Decline a request: 予約受付 → キャンセル.")
_step("start", operations.start, "予約確定 → ご利用中.")
_step("pay", operations.record_payment, "Record the payment: 請求確定 → お支払済.")


@commands.command("cancel")
@click.argument("number")
@click.option(
    "--charge", type=click.IntRange(0, LARGEST), help="Yen; 0 waives it. Otherwise by the tenant's table, as of now."
)
@tenant_command
def cancel(number: str, charge: int | None, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Cancel before the use, with the charge that is due."""
    reservation = queries.any_reservation(number)
    operations.cancel(tenant, reservation, charge=charge, by=by)
    _say(reservation)


@commands.command("reschedule")
@click.argument("number")
@click.argument("starts", type=click.DateTime(["%Y-%m-%dT%H:%M"]), metavar="YYYY-MM-DDTHH:MM")
@click.argument("ends", type=click.DateTime(["%Y-%m-%dT%H:%M"]), metavar="YYYY-MM-DDTHH:MM")
@tenant_command
def reschedule(number: str, starts: datetime, ends: datetime, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Move a reservation to another time, in Tokyo."""
    reservation = queries.any_reservation(number)
    first, last = (at.replace(tzinfo=TOKYO).astimezone(UTC) for at in (starts, ends))
    booking.reschedule(tenant, reservation, first, last, by=by)
    click.echo(f"{number}: {to_local(reservation.starts_at):%Y-%m-%d %H:%M}")


@commands.command("remind")
@tenant_command
def remind(tenant: Tenant, **_: Any) -> None:
    """Mail the reminders that are due; the worker does so by itself."""
    click.echo(f"{operations.remind(tenant)} reminders mailed")


@commands.command("set-photo")
@click.argument("code")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_command
def set_photo(code: str, file: Path, by: Actor, **_: Any) -> None:
    """Give a facility its picture, a PNG file."""
    booking.set_photo(queries.facility(code), file.read_bytes(), by=by)
    click.echo(f"{code}: {file.name}")


@commands.command("finish")
@click.argument("number")
@click.option("--done", required=True, help="What was done.")
@click.option("--worker", required=True, help="Who did it.")
@click.option("--minutes", required=True, type=click.IntRange(1), help="How long it took.")
@click.option("--materials", default="", help="What was used, separated by 、")
@tenant_command
def finish(
    number: str, done: str, worker: str, minutes: int, materials: str, tenant: Tenant, by: Actor, **_: Any
) -> None:
    """ご利用中 → ご利用済, with the work report."""
    reservation = queries.any_reservation(number)
    operations.finish(tenant, reservation, operations.WorkReport(done, worker, minutes, materials), by=by)
    _say(reservation)


_lines_option = click.option(
    "--line",
    "lines",
    multiple=True,
    required=True,
    metavar="TEXT:QTY:UNIT:PRICE[:RATE]",
    help="Yen without tax; repeatable.",
)


@commands.command("fix-amount")
@click.argument("number")
@_lines_option
@tenant_command
def fix_amount(number: str, lines: tuple[str, ...], tenant: Tenant, by: Actor, **_: Any) -> None:
    """ご利用済 → 請求確定."""
    reservation = queries.any_reservation(number)
    operations.fix_amount(tenant, reservation, [_line(text, reservation, tenant) for text in lines], by=by)
    _say(reservation)


@commands.command("issue")
@click.argument("number")
@tenant_command
def issue(number: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Issue invoice and work report, and draw them at once."""
    reservation = queries.any_reservation(number)
    _draw(number, operations.issue(tenant, reservation, by=by))


@commands.command("correct")
@click.argument("number")
@_lines_option
@click.option("--reason", required=True, callback=typed(longest=200), help="Stands on the new documents.")
@tenant_command
def correct(number: str, lines: tuple[str, ...], reason: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Bill these lines in place of those billed before: new documents replace the old ones, which stay."""
    reservation = queries.any_reservation(number)
    meant = [_line(text, reservation, tenant) for text in lines]
    _draw(number, operations.correct(tenant, reservation, meant, reason, by=by))
    _say(reservation)


def _draw(number: str, drawing: list[int]) -> None:
    """Commit, and draw at once what was issued."""
    click.echo(f"{number}: {len(drawing)} documents issued")
    if click.get_current_context().params["dry_run"]:
        return
    session().commit()
    waiting = [job_id for job_id in drawing if not jobs.run(job_id)]
    if waiting:
        click.echo(f"{number}: {len(waiting)} could not be drawn; the worker tries again", err=True)


@commands.command("import-facilities")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_command
def import_facilities(file: Path, by: Actor, **_: Any) -> None:
    """Import facilities from CSV; the same file twice changes nothing."""
    _report(imports.facilities, file, by)


@commands.command("import-reservations")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_command
def import_reservations(file: Path, by: Actor, **_: Any) -> None:
    """Import old reservations from CSV; the same file twice changes nothing."""
    _report(imports.reservations, file, by)


def _report(importer: Any, file: Path, by: Actor) -> None:
    added, known = importer(file.read_bytes(), by=by)
    click.echo(f"{added} added, {known} known already")


def _line(text: str, reservation: Reservation, tenant: Tenant) -> BillLine:
    """A bill line as it is typed, at the standard rate of the day of use unless another is named. Raises Mistake."""
    parts = text.split(":")
    day = to_local(reservation.starts_at).date()
    begun = [rate for rate in tenant.tax.rates if rate.since <= day]
    try:
        name, quantity, unit, price, *rest = parts
        usual = max((rate for rate in begun if not rate.reduced), key=lambda rate: rate.since).rate
        percent = int(rest[0]) if rest else usual
        line = BillLine(name, int(quantity), unit, int(price), percent, day=day)
    except ValueError:
        raise Mistake(f"--line {text!r}: write TEXT:QTY:UNIT:PRICE[:RATE], e.g. 利用料:3:時間:4500") from None
    if abs(line.amount) > LARGEST:
        raise Mistake(f"--line {text!r}: at most {yen(LARGEST)}")
    kinds = [rate.reduced for rate in begun if rate.rate == percent]
    if len(rest) > 1 or not (kinds or percent == 0) or line.quantity < 1 or not line.description.strip():
        known = ", ".join(sorted({str(rate.rate) for rate in begun} | {"0"}, key=int))
        raise Mistake(f"--line {text!r}: a text, a quantity of 1 or more, and a rate out of {known}")
    return replace(line, reduced=bool(kinds and all(kinds)))


def _say(reservation: Reservation) -> None:
    total = f" {yen(reservation.total)}" if reservation.total is not None else ""
    click.echo(f"{reservation.number}: {reservation.status.label}{total}")
