"""`flask invoices` and `flask payments`: what is owed, what came in, what goes back (COM-71)."""

from collections.abc import Iterable, Sequence
from datetime import date

import click

from portal.cli.command_line import CommandError, CommandGroup, Number
from portal.cli.commands import ChangeCommand, QuestionCommand, TenantCommand, TenantContext
from portal.cli.output import table
from portal.cli.parameters import day_option, json_option, limit_option, typed
from portal.core import LARGEST, clock, text, yen
from portal.shared.accounts import operations as accounts
from portal.shared.invoicing import operations, queries
from portal.shared.invoicing.models import Invoice, Payment
from portal.shared.invoicing.operations import Remittance
from portal.shared.orders import closing
from portal.web.brand import billings_of

invoices = CommandGroup("invoices", help="What was billed and what of it is owed; closing days.")
payments = CommandGroup("payments", help="What came in: allocate it to invoices, pay it back.")
_INVOICES = (
    "number",
    "customer",
    "date",
    "due",
    "total",
    "credited",
    "received",
    "owed",
    "overdue",
)
_PAYMENTS = ("number", "date", "amount", "allocated", "paid_back", "left", "method", "receipt")
_AMOUNT = Number(1, LARGEST)


@invoices.command("list", cls=QuestionCommand)
@click.option("--open", "only_open", is_flag=True, help="Only those of which something is owed.")
@click.option("--overdue", "only_overdue", is_flag=True, help="Only those past their due date.")
@click.option("--account", default="", help="The account's number.")
@limit_option()
@json_option
def list_invoices(
    only_open: bool, only_overdue: bool, account: str, limit: int, as_json: bool
) -> None:
    """Invoices, newest first; those that are owed, first what is due first."""
    account_id = accounts.find_account(account).id if account else None
    found: Sequence[Invoice]
    if only_open or only_overdue:
        due_before = clock.today() if only_overdue else None
        found = queries.open_invoices(account_id=account_id, due_before=due_before, limit=limit)
    else:
        found = queries.newest_invoices(account_id=account_id, limit=limit)
    table(_INVOICES, [_invoice_row(invoice) for invoice in found], as_json)


def _invoice_row(invoice: Invoice) -> tuple[object, ...]:
    is_overdue = (
        invoice.balance > 0 and invoice.due_on is not None and invoice.due_on < clock.today()
    )
    return (
        invoice.number,
        invoice.billing["name"],
        invoice.traded_on,
        invoice.due_on,
        invoice.total,
        invoice.credited,
        invoice.received,
        invoice.balance,
        "yes" if is_overdue else "",
    )


@invoices.command("show", cls=QuestionCommand)
@click.argument("number")
@json_option
def show(number: str, as_json: bool) -> None:
    """An invoice with its orders, payments and credit notes, in the order of their dates."""
    invoice = queries.get_invoice(number)
    rows: list[tuple[object, ...]] = [
        ("invoice", invoice.number, invoice.traded_on, invoice.total, "")
    ]
    rows += [
        ("order", item.about, item.traded_on, None, item.title)
        for item in queries.items_on(invoice)
    ]
    rows += [
        (
            "credit note",
            note.number,
            clock.to_local(note.credited_at).date(),
            -note.total,
            note.reason,
        )
        for note in queries.notes_of({invoice.id})
    ]
    for payment in queries.payments_of({invoice.id}):
        part = queries.allocated(payment).get(invoice.id, 0)
        rows.append(("payment", payment.number, payment.received_on, -part, payment.note))
    rows.append(("owed", "", invoice.due_on, invoice.balance, ""))
    table(("what", "number", "date", "amount", "text"), rows, as_json)


@invoices.command("close", cls=TenantCommand)
@day_option("--on", required=True, help="A closing day that has come, e.g. the last of a month.")
@click.pass_obj
def close(context: TenantContext, on: date) -> None:
    """Issue the invoices of a closing day: one for each account and billing address.

    Each is done by itself; the same day again finds nothing.
    """
    # What waited for a closing date when the terms were changed is still closed.
    if context.tenant.terms.invoicing != "closing" and not queries.pending_items(on):
        raise CommandError(f"{context.tenant.key} bills each order by itself (terms.invoicing)")
    count = 0
    for billing in billings_of(context.tenant):
        made = closing.close(billing, context.tenant, on, by=context.by, is_dry_run=context.dry_run)
        for invoice in made:
            count += 1
            click.echo(f"{invoice.number}: {invoice.billing['name']} {yen(invoice.total)}")
    click.echo(f"{count} invoices")


@payments.command("list", cls=QuestionCommand)
@click.option("--left", "only_rest", is_flag=True, help="Only those of which something is left.")
@click.option("--account", default="", help="The account's number.")
@limit_option()
@json_option
def list_payments(only_rest: bool, account: str, limit: int, as_json: bool) -> None:
    """Payments, newest first; what is left of one is the customer's."""
    account_id = accounts.find_account(account).id if account else None
    found = queries.newest_payments(account_id=account_id, only_rest=only_rest, limit=limit)
    table(_PAYMENTS, [_payment_row(payment) for payment in found], as_json)


def _payment_row(payment: Payment) -> tuple[object, ...]:
    return (
        payment.number,
        payment.received_on,
        payment.amount,
        payment.allocated,
        payment.refunded,
        payment.rest,
        payment.method,
        payment.receipt_number,
    )


@payments.command("record", cls=ChangeCommand)
@click.argument("account")
@click.argument("amount", type=_AMOUNT)
@click.option(
    "--invoice", "numbers", multiple=True, help="Repeatable; otherwise all that the account owes."
)
@day_option("--on", help="The day it came in; otherwise today.")
@click.option(
    "--method",
    default=operations.BANK_TRANSFER,
    callback=typed(text.one_line, longest=20),
    help="How it was paid; otherwise 銀行振込. Stands on the receipt.",
)
@click.option(
    "--note", default="", callback=typed(text.one_line, longest=200), help="For operators."
)
@click.pass_obj
def record(
    context: TenantContext,
    account: str,
    amount: int,
    numbers: tuple[str, ...],
    on: date | None,
    method: str,
    note: str,
) -> str:
    """Record money from an ACCOUNT and allocate it, first to what is due first.

    What invoices do not take stays with the payment.
    """
    account_id = accounts.find_account(account).id
    found = _wanted(account_id, numbers)
    money = Remittance(amount=amount, received_on=on or clock.today(), method=method, note=note)
    payment = operations.receive(context.tenant, account_id, money, found, by=context.by)
    _follow(context, found)
    return f"{payment.number}: {yen(payment.allocated)} allocated, {yen(payment.rest)} left"


def _wanted(account_id: int, numbers: Iterable[str]) -> Sequence[Invoice]:
    """These invoices of the account, or all of which something is owed. Raises CommandError."""
    found = [queries.get_invoice(number) for number in numbers]
    for invoice in found:
        if invoice.account_id != account_id:
            raise CommandError(f"{invoice.number} is another account's")
    return found or queries.open_invoices(account_id=account_id)


def _follow(context: TenantContext, found: Iterable[Invoice]) -> None:
    """Let the orders on these invoices follow their money."""
    for billing in billings_of(context.tenant):
        billing.follow(context.tenant, found, by=context.by)


@payments.command("allocate", cls=ChangeCommand)
@click.argument("payment")
@click.argument("invoice")
@click.argument("amount", type=_AMOUNT, required=False)
@click.pass_obj
def allocate(context: TenantContext, payment: str, invoice: str, amount: int | None) -> str:
    """Give an INVOICE of what is left of a PAYMENT: AMOUNT yen, or as much as it takes."""
    money = queries.get_payment(payment)
    claim = queries.get_invoice(invoice)
    given = operations.allocate(money, claim, amount, by=context.by)
    _follow(context, [claim])
    return f"{claim.number}: {yen(given)} allocated, {yen(claim.balance)} owed"


@payments.command("pay-back", cls=ChangeCommand)
@click.argument("payment")
@click.argument("amount", type=_AMOUNT, required=False)
@day_option("--on", help="The day it was paid back; otherwise today.")
@click.pass_obj
def pay_back(context: TenantContext, payment: str, amount: int | None, on: date | None) -> str:
    """Record that what is left of a PAYMENT, or AMOUNT yen of it, was paid back to the customer."""
    money = queries.get_payment(payment)
    given = operations.pay_back(money, amount, on or clock.today(), by=context.by)
    return f"{money.number}: {yen(given)} paid back, {yen(money.rest)} left"
