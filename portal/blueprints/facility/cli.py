"""`flask facility`: what awaits an operator, and every step of a reservation's life (FAC-12)."""

from datetime import date, datetime
from pathlib import Path

import click

from portal.blueprints.facility import booking, imports, operations, queries
from portal.blueprints.facility.models import Status
from portal.cli.bill_lines import lines_option, rates_on, read_bill_lines
from portal.cli.command_line import CommandError, CommandGroup, Number, read_file, read_text
from portal.cli.commands import (
    ChangeCommand,
    QuestionCommand,
    TenantCommand,
    TenantContext,
    import_csv,
)
from portal.cli.orders import (
    draw_at_once,
    order_line,
    rates_to_correct,
    rates_to_refund,
    reason_option,
)
from portal.cli.output import local_minute, table
from portal.cli.parameters import (
    FILE,
    FILE_OR_STANDARD_INPUT,
    day_option,
    instant_argument,
    instant_option,
    json_option,
    limit_option,
    printable,
    typed,
    typed_or_none,
)
from portal.core import LARGEST, clock, text, transaction_mode, yen
from portal.shared.inquiries.files import keep
from portal.shared.inquiries.outreach import Outreach, begin, find_recipient
from portal.shared.invoicing.operations import Remittance

commands = CommandGroup("facility", help="Facility rental: reservations from request to payment.")
_HIGHEST_PRICE = 2**31 - 1
_LISTED = "number status start facility customer contact owed overdue issue".split()

number_argument = click.argument("number")
even_so_option = click.option(
    "--even-so",
    default="",
    metavar="REASON",
    callback=typed(text.one_line, longest=200),
    help="Do it against the rules, for this reason, which is kept in the trail.",
)


@commands.command("list", cls=QuestionCommand)
@click.option(
    "--status",
    type=click.Choice([status.value for status in Status]),
    help="Only these; otherwise all that await you.",
)
@limit_option(50)
@json_option
def list_reservations(status: str | None, limit: int, as_json: bool) -> None:
    """Reservations that await somebody, by start."""
    rows = [
        (
            reservation.number,
            reservation.status.label,
            local_minute(reservation.starts_at),
            reservation.facility_name,
            reservation.billing["name"],
            reservation.contact["name"],
            operations.owed(reservation),
            "yes" if operations.is_overdue(reservation) else "",
            "due" if reservation.documents_due_at else "",
        )
        # The state of each money is asked row by row: a worklist is short, and what is owed is
        # never stored.
        for reservation in queries.worklist(Status(status) if status else None, limit)
    ]
    table(_LISTED, rows, as_json)


@commands.command("confirm", cls=ChangeCommand)
@number_argument
@click.pass_obj
def confirm(context: TenantContext, number: str) -> str:
    """予約受付 → 予約確定."""
    reservation = queries.any_reservation(number)
    operations.confirm(context.tenant, reservation, by=context.by)
    return order_line(reservation)


@commands.command("decline", cls=ChangeCommand)
@number_argument
@click.pass_obj
def decline(context: TenantContext, number: str) -> str:
    """Decline a request: 予約受付 → キャンセル."""
    reservation = queries.any_reservation(number)
    operations.decline(context.tenant, reservation, by=context.by)
    return order_line(reservation)


@commands.command("start", cls=ChangeCommand)
@number_argument
@even_so_option
@instant_option(
    "--at", help="When the use began, in Tokyo; otherwise as booked, or now if that is earlier."
)
@click.pass_obj
def start(context: TenantContext, number: str, even_so: str, at: datetime | None) -> str:
    """予約確定 → ご利用中, from the day of use on."""
    reservation = queries.any_reservation(number)
    operations.start(context.tenant, reservation, by=context.by, even_so=even_so, at=at)
    return order_line(reservation)


@commands.command("finish", cls=ChangeCommand)
@number_argument
@click.option("--done", required=True, callback=typed(text.multiline), help="What was done.")
@click.option("--worker", required=True, callback=typed(printable, longest=100), help="Who did it.")
@click.option(
    "--minutes",
    type=Number(1),
    help="How long the work took, at most as long as the use; otherwise as long.",
)
@click.option("--materials", default="", help="What was used, separated by 、")
@instant_option(
    "--ended-at",
    help="When the use ended, in Tokyo; otherwise as booked, or now if that is earlier.",
)
@click.pass_obj
def finish(
    context: TenantContext,
    number: str,
    done: str,
    worker: str,
    minutes: int | None,
    materials: str,
    ended_at: datetime | None,
) -> str:
    """ご利用中 → ご利用済, with the work report."""
    reservation = queries.any_reservation(number)
    report = operations.WorkReport(done=done, worker=worker, minutes=minutes, materials=materials)
    operations.finish(context.tenant, reservation, report, by=context.by, ended_at=ended_at)
    return order_line(reservation)


@commands.command("fix-amount", cls=ChangeCommand)
@number_argument
@lines_option
@click.pass_obj
def fix_amount(context: TenantContext, number: str, lines: tuple[str, ...]) -> str:
    """ご利用済 → 請求確定."""
    reservation = queries.any_reservation(number)
    day = reservation.traded_on
    billed = read_bill_lines(lines, day, rates_on(context.tenant, day))
    operations.fix_amount(context.tenant, reservation, billed, by=context.by)
    return order_line(reservation)


@commands.command("pay", cls=ChangeCommand)
@number_argument
@click.option("--amount", type=Number(1, LARGEST), help="Yen; otherwise all that is owed.")
@day_option("--on", help="The day it came in; otherwise today.")
@click.option(
    "--note", default="", callback=typed(text.one_line, longest=200), help="For operators."
)
@click.pass_obj
def pay(context: TenantContext, number: str, amount: int | None, on: date | None, note: str) -> str:
    """Record what was received: 請求確定 → お支払済."""
    reservation = queries.any_reservation(number)
    remittance = Remittance(amount=amount, received_on=on or clock.today(), note=note)
    operations.record_payment(context.tenant, reservation, by=context.by, remittance=remittance)
    return order_line(reservation)


@commands.command("issue", cls=ChangeCommand)
@number_argument
@click.pass_obj
def issue(context: TenantContext, number: str) -> None:
    """Issue what is due and not issued yet, and draw it at once."""
    reservation = queries.any_reservation(number)
    job_ids = operations.issue(context.tenant, reservation, by=context.by)
    draw_at_once(context, reservation, job_ids)


@commands.command("correct", cls=ChangeCommand)
@number_argument
@lines_option
@reason_option
@click.pass_obj
def correct(context: TenantContext, number: str, lines: tuple[str, ...], reason: str) -> str:
    """Bill these lines in place of those billed: new documents replace the old."""
    reservation = queries.any_reservation(number)
    day = reservation.traded_on
    # Those of the day of trade: a rate that changed since applies to nothing of it.
    rates = rates_to_correct(context.tenant, operations.BILLING.lines(reservation), day)
    billed = read_bill_lines(lines, day, rates)
    job_ids = operations.correct(context.tenant, reservation, billed, reason, by=context.by)
    draw_at_once(context, reservation, job_ids)
    return order_line(reservation)


@commands.command("refund", cls=ChangeCommand)
@number_argument
@lines_option
@reason_option
@click.pass_obj
def refund(context: TenantContext, number: str, lines: tuple[str, ...], reason: str) -> str:
    """Give these lines back after the payment, at its rates: 適格返還請求書."""
    reservation = queries.any_reservation(number)
    day = reservation.traded_on
    rates = rates_to_refund(context.tenant, operations.BILLING.lines(reservation), day)
    given_back = read_bill_lines(lines, day, rates)
    note, job_ids = operations.refund(
        context.tenant, reservation, given_back, reason, by=context.by
    )
    given = f"{reservation.number}: 返還 {yen(note.total)} ({note.number})"
    draw_at_once(context, reservation, job_ids)
    return f"{order_line(reservation)}\n{given}"


@commands.command("cancel", cls=ChangeCommand)
@number_argument
@click.option(
    "--charge",
    type=Number(0, LARGEST),
    help="Yen; 0 waives it. Otherwise by the tenant's table, as of now.",
)
@click.pass_obj
def cancel(context: TenantContext, number: str, charge: int | None) -> str:
    """Cancel before the use, with the charge that is due."""
    reservation = queries.any_reservation(number)
    # None lets the tenant's table decide; 0 is a decision of the operator's.
    operations.cancel(context.tenant, reservation, by=context.by, charge=charge)
    return order_line(reservation)


@commands.command("reschedule", cls=ChangeCommand)
@number_argument
@instant_argument("starts")
@instant_argument("ends")
@even_so_option
@click.pass_obj
def reschedule(
    context: TenantContext, number: str, starts: datetime, ends: datetime, even_so: str
) -> str:
    """Move a reservation to another time, in Tokyo, that a member could book too."""
    reservation = queries.any_reservation(number)
    booking.reschedule(context.tenant, reservation, starts, ends, by=context.by, even_so=even_so)
    return f"{reservation.number}: {local_minute(reservation.starts_at)}"


@commands.command("edit-reservation", cls=ChangeCommand)
@number_argument
@click.option("--purpose", callback=typed_or_none(printable, longest=200), help="ご利用目的.")
@click.option(
    "--billing-name", callback=typed_or_none(printable, longest=100), help="会社名・お名前."
)
@click.option("--billing-department", callback=typed_or_none(printable, longest=80), help="部署名.")
@click.option("--billing-person", callback=typed_or_none(printable, longest=80), help="ご担当者.")
@click.option(
    "--billing-postal-code", callback=typed_or_none(text.postal_code, longest=7), help="郵便番号."
)
@click.option(
    "--billing-address",
    callback=typed_or_none(printable, longest=300),
    help="The whole address on one line.",
)
@click.pass_obj
def edit_reservation(
    context: TenantContext,
    number: str,
    purpose: str | None,
    billing_name: str | None,
    billing_department: str | None,
    billing_person: str | None,
    billing_postal_code: str | None,
    billing_address: str | None,
) -> str:
    """Correct what a reservation copied.

    Documents that are issued stay; `correct` replaces them.
    """
    reservation = queries.any_reservation(number)
    billing = {
        "name": billing_name,
        "department": billing_department,
        "person": billing_person,
        "postal_code": billing_postal_code,
        "address": billing_address,
    }
    # What was left out is None and stays as it is; "" would empty it.
    given = {name: value for name, value in billing.items() if value is not None}
    changed = booking.edit_copies(reservation, purpose=purpose, billing=given, by=context.by)
    return f"{reservation.number}: {', '.join(changed) or 'nothing'} changed"


@commands.command("write", cls=ChangeCommand)
@number_argument
@click.argument("body", type=FILE_OR_STANDARD_INPUT)
@click.option("--attach", multiple=True, type=FILE, help="Repeatable.")
@click.pass_obj
def write(context: TenantContext, number: str, body: Path, attach: tuple[Path, ...]) -> str:
    """Write first, about a reservation: the text is in the file BODY (- reads standard input)."""
    tenant = context.tenant
    if not tenant.has("inquiries"):
        raise CommandError(f"{tenant.key} has no inquiries (features.inquiries)")
    with transaction_mode("read"):
        queries.any_reservation(number)  # a wrong number is told before anybody types a text
    written = text.multiline(read_text(body))
    files = [read_file(path) for path in attach]
    reservation = queries.any_reservation(number)
    message = Outreach(
        body=written,
        about=reservation.number,
        label="ご予約についてのご連絡",
        files=keep(tenant, [(file.name, file.data) for file in files], by=context.by),
    )
    recipient = find_recipient(reservation.account_id, reservation.contact["email"])
    begun = begin(tenant, recipient, message, by=context.by)
    return f"{reservation.number}: {begun.number} to {begun.name}"


@commands.command("remind", cls=ChangeCommand)
@click.pass_obj
def remind(context: TenantContext) -> str:
    """Mail the reminders that are due; the worker does so by itself."""
    return f"{operations.remind(context.tenant)} reminders mailed"


@commands.command("edit", cls=ChangeCommand)
@click.argument("code")
@click.option("--hourly", "hourly_price", type=Number(0, _HIGHEST_PRICE), help="Yen without tax.")
@click.option("--daily", "daily_price", type=Number(0, _HIGHEST_PRICE), help="Yen without tax.")
@click.option(
    "--name", callback=typed_or_none(printable, longest=100), help="As customers read it."
)
@click.option("--place", callback=typed_or_none(longest=100), help="Where it stands.")
@click.option("--capacity", type=Number(1, 999), help="How many persons at most.")
@click.option(
    "--bookable/--not-bookable", "is_active", default=None, help="Whether customers can reserve it."
)
@click.pass_obj
def edit(
    context: TenantContext,
    code: str,
    hourly_price: int | None,
    daily_price: int | None,
    name: str | None,
    place: str | None,
    capacity: int | None,
    is_active: bool | None,
) -> str:
    """Change a facility; what is reserved already keeps name and price (COM-33)."""
    facility = queries.any_facility(code)
    wanted: dict[str, str | int | None] = {
        "name": name,
        "hourly_price": hourly_price,
        "daily_price": daily_price,
        "place": place,
        "capacity": capacity,
        "is_active": is_active,
    }
    # What was left out is None and stays as it is; 0 is a price.
    given = {name: value for name, value in wanted.items() if value is not None}
    changed = booking.edit_facility(facility, given, by=context.by)
    return f"{facility.code}: {', '.join(changed) or 'nothing'} changed"


@commands.command("set-photo", cls=ChangeCommand)
@click.argument("code")
@click.argument("file", type=FILE)
@click.pass_obj
def set_photo(context: TenantContext, code: str, file: Path) -> str:
    """Give a facility its picture, a PNG file."""
    picture = read_file(file)  # before anything is locked: it may be a pipe
    facility = queries.any_facility(code)
    booking.set_photo(facility, picture.data, by=context.by)
    return f"{facility.code}: {picture.name}"


@commands.command("import-facilities", cls=TenantCommand)
@click.argument("file", type=FILE)
@click.pass_obj
def import_facilities(context: TenantContext, file: Path) -> str:
    """Import facilities from CSV; the same file twice changes nothing."""
    return import_csv(context, read_file(file), imports.Facilities())


@commands.command("import-reservations", cls=TenantCommand)
@click.argument("file", type=FILE)
@click.pass_obj
def import_reservations(context: TenantContext, file: Path) -> str:
    """Import old reservations from CSV; the same file twice changes nothing."""
    return import_csv(context, read_file(file), imports.Reservations())
