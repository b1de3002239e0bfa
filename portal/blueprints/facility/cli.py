"""`flask facility`: what awaits an operator, and every step of a reservation's life (FAC-12)."""

from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import click

from portal.blueprints.facility import booking, imports, operations, queries
from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.cli import orders
from portal.cli.bill_lines import lines_option
from portal.cli.command_line import CommandError, CommandGroup, Content, Number
from portal.cli.commands import (
    CONTENT,
    DAY,
    FILE,
    TEXT,
    command,
    contents,
    importing,
    printable,
    record,
    step,
    typed,
    typed_or_none,
)
from portal.cli.output import moment
from portal.config import Tenant
from portal.core import LARGEST, TOKYO, Actor, clock, to_local
from portal.core.text import multiline, postal_code
from portal.shared.inquiries.files import keep
from portal.shared.inquiries.outreach import Outreach, begin, find_recipient
from portal.shared.invoicing.operations import Remittance

commands = CommandGroup("facility", help="Facility rental: reservations from request to payment.")
_AWAITED = (
    "number",
    ("status", "status.label"),
    ("start", moment("starts_at")),
    ("facility", "facility_name"),
    ("customer", lambda found: found.billing["name"]),
    ("contact", lambda found: found.contact["name"]),
    ("owed", operations.owed),
    ("overdue", lambda found: "yes" if operations.is_overdue(found) else ""),
    ("issue", lambda found: "due" if found.documents_due_at else ""),
)
_CHARGE = click.option(
    "--charge",
    type=Number(0, LARGEST),
    help="Yen; 0 waives it. Otherwise by the tenant's table, as of now.",
)
_INSTANT = click.DateTime(["%Y-%m-%dT%H:%M"])
_WRITTEN = "YYYY-MM-DDTHH:MM"


def _read_tokyo(_context: object, _parameter: object, at: datetime | None) -> datetime | None:
    """A callback: the instant (UTC) that a clock in Tokyo shows; None where it was left out."""
    if at is None:
        return None
    if not clock.FIRST_DAY <= at.date() <= clock.LAST_DAY:
        raise click.BadParameter(f"a day from {clock.FIRST_DAY} to {clock.LAST_DAY}")
    return at.replace(tzinfo=TOKYO).astimezone(UTC)


_REPORT = (
    click.option("--done", required=True, callback=typed(multiline), help="What was done."),
    click.option(
        "--worker", required=True, callback=typed(printable, longest=100), help="Who did it."
    ),
    click.option(
        "--minutes",
        type=Number(1),
        help="How long the work took, at most as long as the use; otherwise as long.",
    ),
    click.option("--materials", default="", help="What was used, separated by 、"),
    click.option(
        "--ended-at",
        type=_INSTANT,
        callback=_read_tokyo,
        metavar=_WRITTEN,
        help="When the use ended, in Tokyo; otherwise as booked, or now if that is earlier.",
    ),
)
_AT = click.option(
    "--at",
    type=_INSTANT,
    callback=_read_tokyo,
    metavar=_WRITTEN,
    help="When the use began, in Tokyo; otherwise as booked, or now if that is earlier.",
)
_EVEN_SO = click.option(
    "--even-so",
    default="",
    metavar="REASON",
    callback=typed(longest=200),
    help="Do it against the rules, for this reason, which is kept in the trail.",
)
_RECEIVED = (
    click.option("--amount", type=Number(1, LARGEST), help="Yen; otherwise all that is owed."),
    click.option("--on", "received_on", **DAY, help="The day it came in; otherwise today."),
    click.option("--note", default="", callback=typed(longest=200), help="For operators."),
)
_BILLING = (
    ("name", printable, 100, "会社名・お名前."),
    ("department", printable, 80, "部署名."),
    ("person", printable, 80, "ご担当者."),
    ("postal_code", postal_code, 7, "郵便番号."),
    ("address", printable, 300, "The whole address on one line."),
)
"""What can be corrected of a copied billing address: its name, how it is read, its length, the
help.
"""
_PRICE = Number(0, 2**31 - 1)
_TIMES = [
    click.argument(name, type=_INSTANT, callback=_read_tokyo, metavar=_WRITTEN)
    for name in ("starts", "ends")
]


@command(commands, "remind")
def remind(tenant: Tenant) -> str:
    """Mail the reminders that are due; the worker does so by itself."""
    return f"{operations.remind(tenant)} reminders mailed"


@command(commands, "set-photo", record("facility", queries.any_facility, "CODE"), CONTENT)
def set_photo(facility: Facility, file: Content, by: Actor) -> str:
    """Give a facility its picture, a PNG file."""
    booking.set_photo(facility, file.data, by=by)
    return f"{facility.code}: {file.name}"


@command(
    commands,
    "edit",
    record("facility", queries.any_facility, "CODE"),
    click.option("--hourly", "hourly_price", type=_PRICE, help="Yen without tax."),
    click.option("--daily", "daily_price", type=_PRICE, help="Yen without tax."),
    click.option(
        "--name", callback=typed_or_none(printable, longest=100), help="As customers read it."
    ),
    click.option("--place", callback=typed_or_none(longest=100), help="Where it stands."),
    click.option("--capacity", type=Number(1, 999), help="How many persons at most."),
    click.option(
        "--bookable/--not-bookable",
        "is_active",
        default=None,
        help="Whether customers can reserve it.",
    ),
)
def edit(facility: Facility, by: Actor, **wanted: Any) -> str:
    """Change a facility; what is reserved already keeps name and price (COM-33)."""
    given = {name: wanted[name] for name in booking.EDITABLE if wanted[name] is not None}
    changed = booking.edit_facility(facility, given, by=by)
    return f"{facility.code}: {', '.join(changed) or 'nothing'} changed"


@command(
    commands,
    "edit-reservation",
    record("reservation", queries.any_reservation),
    click.option("--purpose", callback=typed_or_none(printable, longest=200), help="ご利用目的."),
    *(
        click.option(
            f"--billing-{name.replace('_', '-')}",
            name,
            callback=typed_or_none(read, longest=n),
            help=words,
        )
        for name, read, n, words in _BILLING
    ),
)
def edit_reservation(
    reservation: Reservation, purpose: str | None, by: Actor, **wanted: Any
) -> str:
    """Correct what a reservation copied.

    Documents that are issued stay; `correct` replaces them.
    """
    given = {name: wanted[name] for name, *_ in _BILLING if wanted[name] is not None}
    changed = booking.edit_copies(reservation, purpose=purpose, billing=given, by=by)
    return f"{reservation.number}: {', '.join(changed) or 'nothing'} changed"


@command(
    commands,
    "write",
    record("reservation", queries.any_reservation),
    TEXT,
    click.option(
        "--attach", "attached", multiple=True, type=FILE, callback=contents, help="Repeatable."
    ),
)
def write(
    tenant: Tenant, reservation: Reservation, body: str, attached: list[Content], by: Actor
) -> str:
    """Write first, about a reservation: the text is in the file BODY (- reads standard input)."""
    if not tenant.has("inquiries"):
        raise CommandError(f"{tenant.key} has no inquiries (features.inquiries)")
    message = Outreach(
        body=multiline(body),
        about=reservation.number,
        label="ご予約についてのご連絡",
        files=keep(tenant, [(file.name, file.data) for file in attached], by=by),
    )
    recipient = find_recipient(reservation.account_id, reservation.contact["email"])
    begun = begin(tenant, recipient, message, by=by)
    return f"{reservation.number}: {begun.number} to {begun.name}"


def _reschedule(
    tenant: Tenant,
    reservation: Reservation,
    starts: datetime,
    ends: datetime,
    even_so: str,
    *,
    by: Actor,
) -> None:
    booking.reschedule(tenant, reservation, starts, ends, by=by, even_so=even_so)


def _finish(
    tenant: Tenant, reservation: Reservation, ended_at: datetime | None, *, by: Actor, **report: Any
) -> None:
    made = operations.WorkReport(**report)
    operations.finish(tenant, reservation, made, by=by, ended_at=ended_at)


def _pay(
    tenant: Tenant,
    reservation: Reservation,
    amount: int | None,
    received_on: date | None,
    note: str,
    *,
    by: Actor,
) -> None:
    owed = operations.owed(reservation) or 0
    remittance = Remittance(
        amount=owed if amount is None else amount,
        received_on=received_on or clock.today(),
        note=note,
    )
    operations.record_payment(tenant, reservation, by=by, remittance=remittance)


def _say_when(reservation: Reservation, _done: None) -> None:
    click.echo(f"{reservation.number}: {to_local(reservation.starts_at):%Y-%m-%d %H:%M}")


def _day(reservation: Reservation) -> date:
    return reservation.traded_on


def _facilities(_tenant: Tenant) -> imports.Facilities:
    return imports.Facilities()


def _reservations(_tenant: Tenant) -> imports.Reservations:
    return imports.Reservations()


orders.awaiting(
    commands, Status, queries.worklist, _AWAITED, "Reservations that await somebody, by start."
)
_command = partial(step, commands, queries.any_reservation)
_step = partial(_command, orders.say)
_step("confirm", operations.confirm, "予約受付 → 予約確定.")
_step("decline", operations.decline, "Decline a request: 予約受付 → キャンセル.")
_step("start", operations.start, "予約確定 → ご利用中, from the day of use on.", _EVEN_SO, _AT)
_step("finish", _finish, "ご利用中 → ご利用済, with the work report.", *_REPORT)
_step(
    "fix-amount", orders.billed(operations.fix_amount, _day), "ご利用済 → 請求確定.", lines_option
)
_step(
    "pay", _pay, "Record what was received: once nothing is owed, 請求確定 → お支払済.", *_RECEIVED
)
_step("cancel", operations.cancel, "Cancel before the use, with the charge that is due.", _CHARGE)
_command(
    _say_when,
    "reschedule",
    _reschedule,
    "Move a reservation to another time, in Tokyo, that a member could book too.",
    *_TIMES,
    _EVEN_SO,
)
orders.export_documents(commands, queries.any_reservation, operations.BILLING, _day)
importing(commands, "import-facilities", _facilities, "facilities")
importing(commands, "import-reservations", _reservations, "old reservations")
