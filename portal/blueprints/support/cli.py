"""`flask support`: contracts, what they have, who may ask (SUP-01 … SUP-07)."""

from datetime import date
from pathlib import Path

import click

from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import Contract, UnitKind
from portal.blueprints.support.operations import CONTACTS, Registrant
from portal.cli.command_line import CommandError, CommandGroup, read_text
from portal.cli.commands import ChangeCommand, QuestionCommand, TenantContext
from portal.cli.output import table
from portal.cli.parameters import FILE_OR_STANDARD_INPUT, day_option, json_option, typed
from portal.config import Tenant
from portal.core import text
from portal.shared.accounts import operations as accounts
from portal.shared.limits import operations as limits

commands = CommandGroup("support", help="Support desk: contracts and their contacts.")
_REGISTRANT = "FAMILY:GIVEN:EMAIL[:DUTY]"
number_argument = click.argument("number")
person_argument = click.argument("person")
kind_argument = click.argument("kind", type=click.Choice([kind.value for kind in UnitKind]))
unit_argument = click.argument("unit", callback=typed(text.one_line, longest=60))
even_so_option = click.option(
    "--even-so", is_flag=True, help="Take a name that looks like a company's or department's."
)


@commands.command("add-contract", cls=ChangeCommand)
@click.argument("account")
@click.argument("product")
@day_option("--form", required=True, help="The application form's day.")
@click.pass_obj
def add_contract(context: TenantContext, account: str, product: str, form: date) -> str:
    """A contract of PRODUCT for ACCOUNT; prints its number."""
    customer = accounts.find_account(account)
    contract = operations.add_contract(context.tenant, customer, product, form, by=context.by)
    return contract.number


@commands.command("show", cls=QuestionCommand)
@number_argument
@json_option
def show(number: str, as_json: bool) -> None:
    """The contacts of a contract."""
    _print_contacts(queries.any_contract(number), as_json)


@commands.command("add-unit", cls=ChangeCommand)
@number_argument
@kind_argument
@unit_argument
@click.pass_obj
def add_unit(context: TenantContext, number: str, kind: str, unit: str) -> str:
    """An app, option or connection more; prints contacts used and allowed."""
    contract = queries.any_contract(number)
    operations.add_unit(contract, UnitKind(kind), unit, by=context.by)
    return _usage_line(context.tenant, contract)


@commands.command("end-unit", cls=ChangeCommand)
@number_argument
@kind_argument
@unit_argument
@click.pass_obj
def end_unit(context: TenantContext, number: str, kind: str, unit: str) -> str:
    """End an app, option or connection; contacts above the limit stay."""
    contract = queries.any_contract(number)
    operations.end_unit(contract, UnitKind(kind), unit, by=context.by)
    return _usage_line(context.tenant, contract)


@commands.command("register", cls=ChangeCommand)
@number_argument
@click.option("--main", required=True, metavar=_REGISTRANT, help="主担当.")
@click.option("--deputy", multiple=True, metavar=_REGISTRANT, help="副担当; repeatable.")
@even_so_option
@click.pass_obj
def register(
    context: TenantContext, number: str, main: str, deputy: tuple[str, ...], even_so: bool
) -> None:
    """The first registration of a contract's contacts, who are mailed a link to set their
    password.
    """
    contract = queries.any_contract(number)
    # The first of them is the 主担当.
    people = [_registrant(typed_person) for typed_person in (main, *deputy)]
    operations.register(context.tenant, contract, people, by=context.by, even_so=even_so)
    _print_contacts(contract)


@commands.command("add-contact", cls=ChangeCommand)
@number_argument
@click.argument("person", metavar=_REGISTRANT)
@even_so_option
@click.pass_obj
def add_contact(context: TenantContext, number: str, person: str, even_so: bool) -> None:
    """A 副担当 more."""
    contract = queries.any_contract(number)
    registrant = _registrant(person)
    operations.add_contact(context.tenant, contract, registrant, by=context.by, even_so=even_so)
    _print_contacts(contract)


@commands.command("edit-contact", cls=ChangeCommand)
@number_argument
@person_argument
@click.argument("to", metavar=_REGISTRANT)
@even_so_option
@click.pass_obj
def edit_contact(context: TenantContext, number: str, person: str, to: str, even_so: bool) -> None:
    """Change the name, address and duty of PERSON (the full name)."""
    contract = queries.any_contract(number)
    contact = queries.contact(contract, person)
    # Nobody has looked at an older version: it is the one that is there.
    operations.edit_contact(
        context.tenant,
        contract,
        contact,
        _registrant(to),
        contact.version,
        by=context.by,
        even_so=even_so,
    )
    _print_contacts(contract)


@commands.command("hand-over", cls=ChangeCommand)
@number_argument
@person_argument
@click.pass_obj
def hand_over(context: TenantContext, number: str, person: str) -> None:
    """Make the 副担当 PERSON (the full name) the 主担当."""
    contract = queries.any_contract(number)
    contact = queries.contact(contract, person)
    operations.hand_over(context.tenant, contract, contact, by=context.by)
    _print_contacts(contract)


@commands.command("remove-contact", cls=ChangeCommand)
@number_argument
@person_argument
@click.pass_obj
def remove_contact(context: TenantContext, number: str, person: str) -> None:
    """Remove the 副担当 PERSON (the full name)."""
    contract = queries.any_contract(number)
    contact = queries.contact(contract, person)
    operations.remove_contact(context.tenant, contract, contact, by=context.by)
    _print_contacts(contract)


@commands.command("announce", cls=ChangeCommand)
@click.argument("title", callback=typed(text.one_line, longest=120))
@click.argument("body", type=FILE_OR_STANDARD_INPUT)
@click.option("--product", "products", multiple=True, help="Only to contacts of this; repeatable.")
@click.pass_obj
def announce(context: TenantContext, title: str, body: Path, products: tuple[str, ...]) -> str:
    """Mail every contact the file BODY (-: standard input), and publish it."""
    written = read_text(body)  # before anything is locked: somebody may be typing it
    mailed = operations.announce(context.tenant, title, written, products, by=context.by)
    return f"{mailed} mailed"


def _registrant(typed_person: str) -> Registrant:
    """Somebody as they are typed, FAMILY:GIVEN:EMAIL[:DUTY]. Raises CommandError."""
    parts = [text.usual_width(part) for part in typed_person.split(":")]
    try:
        family_name, given_name, email, *duty = parts
        # More than one duty is one argument too many: a TypeError.
        return Registrant(family_name, given_name, text.email(email), *duty)
    except (TypeError, ValueError):
        raise CommandError(
            f"{typed_person!r}: write {_REGISTRANT}, e.g. 山田:太郎:yamada@one.example"
        ) from None


def _usage_line(tenant: Tenant, contract: Contract) -> str:
    """How many contacts a contract has and may have."""
    usage = limits.usage_of(tenant, CONTACTS, contract)
    line = f"{contract.number}: {usage.used} / {usage.limit}"
    if usage.used > usage.limit:
        line += " (frozen)"
    return line


def _print_contacts(contract: Contract, as_json: bool = False) -> None:
    rows = [
        (contact.role.label, contact.person, contact.duty, email)
        for contact, email in queries.contacts(contract)
    ]
    table(["role", "person", "duty", "e-mail"], rows, as_json)
