"""`flask support`: contracts, what they have, who may ask (SUP-01 … SUP-07)."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import click

from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import Contract, UnitKind
from portal.blueprints.support.operations import CONTACTS, Registrant
from portal.cli.command_line import CommandError, CommandGroup
from portal.cli.commands import DAY, TEXT, command, json_option, record, step, typed
from portal.cli.output import table
from portal.config import Tenant
from portal.core import Actor, text
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account
from portal.shared.limits import operations as limits

commands = CommandGroup("support", help="Support desk: contracts and their contacts.")
_WHO = "FAMILY:GIVEN:EMAIL[:DUTY]"
_UNIT = (
    click.argument("kind", type=click.Choice([kind.value for kind in UnitKind])),
    click.argument("unit", callback=typed(longest=60)),
)
_MAIN = click.option("--main", required=True, metavar=_WHO, help="主担当.")
_DEPUTIES = click.option("--deputy", multiple=True, metavar=_WHO, help="副担当; repeatable.")
_CONTRACT = (
    record("account", accounts.find_account, "ACCOUNT"),
    click.argument("product"),
    click.option("--form", required=True, **DAY, help="The application form's day."),
)
_PRODUCTS = click.option(
    "--product", "products", multiple=True, help="Only to contacts of this; repeatable."
)
_EVEN_SO = click.option(
    "--even-so", is_flag=True, help="Take a name that looks like a company's or department's."
)
_PERSON = click.argument("person")


@command(commands, "add-contract", *_CONTRACT)
def add_contract(account: Account, product: str, form: date, tenant: Tenant, by: Actor) -> str:
    """A contract of PRODUCT for ACCOUNT; prints its number."""
    return operations.add_contract(tenant, account, product, form, by=by).number


@command(
    commands, "announce", click.argument("title", callback=typed(longest=120)), TEXT, _PRODUCTS
)
def announce(title: str, body: str, products: tuple[str, ...], tenant: Tenant, by: Actor) -> str:
    """Mail every contact the file BODY (-: standard input), and publish it."""
    mailed = operations.announce(tenant, title, body, products, by=by)
    return f"{mailed} mailed"


def _unit(operation: Callable[..., None]) -> Callable[..., Any]:
    def do(tenant: Tenant, contract: Contract, kind: str, unit: str, *, by: Actor) -> Any:
        operation(contract, UnitKind(kind), unit, by=by)
        return limits.usage_of(tenant, CONTACTS, contract)

    return do


def _register(
    tenant: Tenant, contract: Contract, main: str, deputy: tuple[str, ...], **how: Any
) -> None:
    people = [_registrant(spec) for spec in (main, *deputy)]
    operations.register(tenant, contract, people, **how)


def _add(tenant: Tenant, contract: Contract, person: str, **how: Any) -> None:
    operations.add_contact(tenant, contract, _registrant(person), **how)


def _edit(
    tenant: Tenant, contract: Contract, person: str, to: str, *, by: Actor, even_so: bool
) -> None:
    contact = queries.contact(contract, person)
    operations.edit_contact(
        tenant, contract, contact, _registrant(to), contact.version, by=by, even_so=even_so
    )


def _of_person(operation: Callable[..., None]) -> Callable[..., None]:
    def do(tenant: Tenant, contract: Contract, person: str, *, by: Actor) -> None:
        operation(tenant, contract, queries.contact(contract, person), by=by)

    return do


def _registrant(spec: str) -> Registrant:
    """Somebody as they are typed. Raises CommandError."""
    parts = [text.usual_width(part) for part in spec.split(":")]
    try:
        family, given, email, *duty = parts
        return Registrant(family, given, text.email(email), *duty)
    except (TypeError, ValueError):
        raise CommandError(f"{spec!r}: write {_WHO}, e.g. 山田:太郎:yamada@one.example") from None


def _say(contract: Contract, use: Any) -> None:
    click.echo(
        f"{contract.number}: {use.used} / {use.limit}{' (frozen)' if use.used > use.limit else ''}"
    )


def _show(contract: Contract, as_json: bool | None) -> None:
    rows = [
        (one.role.label, one.person, one.duty, email) for one, email in queries.contacts(contract)
    ]
    table(["role", "person", "duty", "e-mail"], rows, bool(as_json))


_step = partial(step, commands, queries.any_contract)
for name, operation, text_ in (
    (
        "add-unit",
        operations.add_unit,
        "An app, option or connection more; prints contacts used and allowed.",
    ),
    (
        "end-unit",
        operations.end_unit,
        "End an app, option or connection; contacts above the limit stay.",
    ),
):
    _step(_say, name, _unit(operation), text_, *_UNIT)
_FIRST = (
    "The first registration of a contract's contacts, who are mailed a link to set their password."
)
_step(_show, "register", _register, _FIRST, _MAIN, _DEPUTIES, _EVEN_SO)
_step(
    _show, "add-contact", _add, "A 副担当 more.", click.argument("person", metavar=_WHO), _EVEN_SO
)
_EDIT = "Change the name, address and duty of PERSON (the full name)."
_step(_show, "edit-contact", _edit, _EDIT, _PERSON, click.argument("to", metavar=_WHO), _EVEN_SO)
_MAKE = "Make the 副担当 PERSON (the full name) the 主担当."
_REMOVE = "Remove the 副担当 PERSON (the full name)."
_step(_show, "hand-over", _of_person(operations.hand_over), _MAKE, _PERSON)
_step(_show, "remove-contact", _of_person(operations.remove_contact), _REMOVE, _PERSON)
_step(
    _show,
    "show",
    lambda *_found, as_json, **_by: as_json,
    "The contacts of a contract.",
    json_option,
    kind="question",
)
