"""`flask accounts`: find, add, show and merge customers (OPS-13)."""

from collections.abc import Iterable
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import or_, select

from portal.core import text
from portal.core.actor import Actor
from portal.core.db import session, transaction_mode
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import administration, enrolment, withdrawal
from portal.shared.auth.models import Account
from portal.web.commands import Mistake, json_option, tenant_command, typed
from portal.web.output import json_out, listing, table

accounts = AppGroup("accounts", help="Find, add, show and merge customers.")
_yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
_FOUND = ("number", "name", "status", "telephone", "address")


@listing(accounts, "find", _FOUND, click.argument("words", default=""))
def find(words: str, limit: int, **_: Any) -> Iterable[Account]:
    """Accounts by number or part of the name."""
    statement = select(Account).order_by(Account.number).limit(limit)
    if words:
        named = Account.name.contains(words, autoescape=True)
        statement = statement.where(or_(Account.number == words, named))
    return session().scalars(statement)


@accounts.command("add")
@click.argument("name", callback=typed(longest=100))
@click.option("--telephone", default="", callback=typed(text.telephone), help="With or without hyphens.")
@tenant_command
def add(name: str, telephone: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Add the customer NAME; then add its representative with `members add`."""
    click.echo(enrolment.add_account(tenant, by=by, name=name, telephone=telephone).number)


@accounts.command("show")
@click.argument("number")
@json_option
@tenant_command
def show(number: str, as_json: bool, **_: Any) -> None:
    """Everything about one customer: data, members, what is theirs, the newest events."""
    found = administration.overview(enrolment.find_account(number))
    if as_json:
        json_out(found)
        return
    for part in ("account", "rows"):
        table([part, ""], list(found[part].items()))
    for part in ("members", "events"):
        click.echo()
        table(list(found[part][0]) if found[part] else [part], [list(row.values()) for row in found[part]])


@accounts.command("tag")
@click.argument("number")
@click.argument("tags", nargs=-1)
@tenant_command
def tag(number: str, tags: tuple[str, ...], by: Actor, **_: Any) -> None:
    """Sort a customer by TAGS, and by no others; notices can be for those with a tag alone."""
    account = enrolment.find_account(number)
    try:
        administration.set_tags(account, map(administration.tag, tags), by=by)
    except ValueError as error:
        raise Mistake(str(error)) from None
    click.echo(f"{number}: {account.tags.strip(',') or 'no tags'}")


@accounts.command("merge")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="INTO")
@_yes_option
@tenant_command
def merge(source: str, target: str, yes: bool, by: Actor, **_: Any) -> None:
    """Give all that FROM has to INTO: members, reservations, documents. FROM is withdrawn."""
    _ask(yes, source, target)
    moved = administration.merge(enrolment.find_account(source), enrolment.find_account(target), by=by)
    table(["table", "moved"], list(moved.items()))


@accounts.command("withdraw")
@click.argument("number")
@click.option("--reason", required=True, callback=typed(longest=1000), help="Why; kept in the audit trail.")
@_yes_option
@tenant_command
def withdraw(number: str, reason: str, yes: bool, tenant: Tenant, by: Actor, **_: Any) -> None:
    """退会 for a customer who asked by telephone: nobody of it signs in again. Open business refuses it."""
    _ask(yes, number)
    account = enrolment.find_account(number)
    for what in withdrawal.open_business(tenant, account):
        click.echo(what, err=True)
    withdrawal.withdraw(tenant, account, reason, by=by)
    click.echo(f"{number}: withdrawn; erased in {tenant.erase_after_days} days")


@accounts.command("erase")
@click.argument("number")
@_yes_option
@tenant_command
def erase(number: str, yes: bool, by: Actor, **_: Any) -> None:
    """Erase now what is personal of a customer who has left. Documents and the audit trail stay."""
    _ask(yes, number)
    withdrawal.erase(enrolment.find_account(number), by=by)
    click.echo(f"{number}: erased")


def _ask(yes: bool, *numbers: str) -> None:
    """Ask while no transaction is open, unless it is sure or only tried. Raises Abort."""
    if yes or click.get_current_context().params["dry_run"]:
        return
    with transaction_mode("read"):
        named = [f"{account.number} {account.name}" for account in map(enrolment.find_account, numbers)]
    click.confirm(f"{' → '.join(named)}: there is no way back. Go on?", abort=True)
