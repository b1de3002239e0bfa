"""`flask accounts`: customers, found, added, merged, withdrawn and erased (OPS-13)."""

import click
from sqlalchemy import or_, select

from portal.cli.command_line import CommandError, CommandGroup
from portal.cli.commands import ChangeCommand, QuestionCommand, TenantContext, confirm, yes_option
from portal.cli.output import json_out, table
from portal.cli.parameters import json_option, limit_option, printable, typed
from portal.config import Tenant
from portal.core import session, text, transaction_mode
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account
from portal.shared.auth import operator_actions
from portal.shared.members import withdrawal
from portal.shared.searching import has_words

commands = CommandGroup("accounts", help="Find, add, show and merge customers.")
account_argument = click.argument("account", metavar="NUMBER")


@commands.command("find", cls=QuestionCommand)
@click.argument("words", default="")
@limit_option()
@json_option
def find(words: str, limit: int, as_json: bool) -> None:
    """Accounts by number, or by words that stand in the name or in its reading."""
    is_named_so = has_words(words, Account.name, Account.name_kana)
    is_numbered_so = Account.number.in_(text.number_spellings(words))
    statement = select(Account).where(or_(is_numbered_so, is_named_so))
    found = session().scalars(statement.order_by(Account.number).limit(limit))
    table(
        ["number", "name", "status", "telephone", "address"],
        [(one.number, one.name, one.status, one.telephone, one.address) for one in found],
        as_json,
    )


@commands.command("add", cls=ChangeCommand)
@click.argument("name", callback=typed(printable, longest=100))
@click.option(
    "--telephone", default="", callback=typed(text.telephone), help="With or without hyphens."
)
@click.pass_obj
def add(context: TenantContext, name: str, telephone: str) -> str:
    """Add the customer NAME; then add its representative with `members add`."""
    added = accounts.add_account(context.tenant, by=context.by, name=name, telephone=telephone)
    return added.number


@commands.command("show", cls=QuestionCommand)
@account_argument
@json_option
def show(account: str, as_json: bool) -> None:
    """Everything about one customer: data, members, what is theirs, the newest events."""
    found = operator_actions.overview(accounts.find_account(account))
    if as_json:
        json_out(found)
        return
    for part in ("account", "rows"):
        table([part, ""], list(found[part].items()))
    for part in ("members", "events"):
        click.echo()
        rows = found[part]
        columns = list(rows[0]) if rows else [part]
        table(columns, [list(row.values()) for row in rows])


@commands.command("tag", cls=ChangeCommand)
@account_argument
@click.argument("tags", nargs=-1)
@click.pass_obj
def tag(context: TenantContext, account: str, tags: tuple[str, ...]) -> str:
    """Sort a customer by TAGS, and by no others; notices can be for those with a tag alone."""
    found = accounts.find_account(account)
    try:
        operator_actions.set_tags(found, map(operator_actions.tag, tags), by=context.by)
    except ValueError as error:
        raise CommandError(str(error)) from None
    return f"{found.number}: {found.tags.strip(',') or 'no tags'}"


@commands.command("merge", cls=ChangeCommand)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="INTO")
@yes_option
@click.pass_obj
def merge(context: TenantContext, source: str, target: str, is_sure: bool) -> None:
    """Give all that FROM has to INTO: members, reservations, documents. FROM is withdrawn."""
    # What is asked about is read in a transaction that ends before: nobody waits for the answer.
    with transaction_mode("read"):
        giving = accounts.find_account(source)
        taking = accounts.find_account(target)
        operator_actions.can_merge(giving, taking).require()
        question = f"{_called(giving)} → {_called(taking)}"
    confirm(context, question, is_sure)
    giving = accounts.find_account(source)
    taking = accounts.find_account(target)
    moved = operator_actions.merge(giving, taking, by=context.by)
    table(["table", "moved"], list(moved.items()))


@commands.command("withdraw", cls=ChangeCommand)
@account_argument
@click.option(
    "--reason",
    required=True,
    callback=typed(text.one_line, longest=1000),
    help="Why; kept in the audit trail.",
)
@yes_option
@click.pass_obj
def withdraw(context: TenantContext, account: str, reason: str, is_sure: bool) -> str:
    """退会 for a customer who asked by telephone: nobody of it signs in again.

    Open business refuses it.
    """
    tenant = context.tenant
    with transaction_mode("read"):
        found = accounts.find_account(account)
        _refuse_open_business(tenant, found)
        question = _called(found)
    confirm(context, question, is_sure)
    found = accounts.find_account(account)
    _refuse_open_business(tenant, found)  # it may have come up while they thought
    withdrawal.withdraw(tenant, found, reason, by=context.by)
    return f"{found.number}: withdrawn; erased in {tenant.erase_after_days} days"


@commands.command("erase", cls=ChangeCommand)
@account_argument
@yes_option
@click.pass_obj
def erase(context: TenantContext, account: str, is_sure: bool) -> str:
    """Erase now what is personal of a customer who has left. Documents and the audit trail stay."""
    with transaction_mode("read"):
        found = accounts.find_account(account)
        withdrawal.can_erase(found).require()
        question = _called(found)
    confirm(context, question, is_sure)
    found = accounts.find_account(account)
    withdrawal.erase(found, by=context.by)
    return f"{found.number}: erased"


def _called(account: Account) -> str:
    """How an account is called where a person is asked about it."""
    return f"{account.number} {account.name}"


def _refuse_open_business(tenant: Tenant, account: Account) -> None:
    """Refuse a withdrawal, and name on standard error all that is open. Raises RuleBroken."""
    for what in withdrawal.open_business(tenant, account):
        click.echo(str(what.message), err=True)
    withdrawal.can_be_withdrawn(tenant, account).require()
