"""`flask support`: contracts, what they have, who may ask (SUP-01 … SUP-07)."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import UnitKind
from portal.blueprints.support.operations import CONTACTS, Registrant
from portal.core import text
from portal.core.actor import Actor
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import enrolment
from portal.shared.limits import operations as limits
from portal.web.commands import Mistake, json_option, read_text, tenant_command, typed
from portal.web.output import table
from portal.web.urls import base_of

commands = AppGroup("support", help="Support desk: contracts and their contacts.")
_KIND = click.Choice([kind.value for kind in UnitKind])
_even_so = click.option("--even-so", is_flag=True, help="Take a name that looks like a company's or department's.")


@commands.command("add-contract")
@click.argument("account")
@click.argument("product")
@click.option("--form", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The application form's day.")
@tenant_command
def add_contract(account: str, product: str, form: datetime, tenant: Tenant, by: Actor, **_: Any) -> None:
    """A contract of PRODUCT for ACCOUNT; prints its number."""
    found = enrolment.find_account(account)
    click.echo(operations.add_contract(tenant, found, product, form.date(), by=by).number)


def _unit(name: str, operation: Any, help_: str) -> None:
    @commands.command(name, help=help_)
    @click.argument("number")
    @click.argument("kind", type=_KIND)
    @click.argument("unit", callback=typed(longest=60))
    @tenant_command
    def command(number: str, kind: str, unit: str, tenant: Tenant, by: Actor, **_: Any) -> None:
        contract = queries.any_contract(number)
        operation(contract, UnitKind(kind), unit, by=by)
        use = limits.use(tenant, CONTACTS, contract)
        click.echo(f"{number}: {use.used} / {use.limit}{' (frozen)' if use.used > use.limit else ''}")


_unit("add-unit", operations.add_unit, "An app, option or connection more; prints contacts used and allowed.")
_unit("end-unit", operations.end_unit, "End an app, option or connection; contacts above the limit stay.")


@commands.command("register")
@click.argument("number")
@click.option("--main", required=True, metavar="FAMILY:GIVEN:EMAIL[:DUTY]", help="主担当.")
@click.option("--deputy", multiple=True, metavar="FAMILY:GIVEN:EMAIL[:DUTY]", help="副担当; repeatable.")
@_even_so
@tenant_command
def register(
    number: str, main: str, deputy: tuple[str, ...], even_so: bool, tenant: Tenant, by: Actor, **_: Any
) -> None:
    """The first registration of a contract's contacts, who are mailed a link to set their password."""
    people = [_registrant(spec) for spec in (main, *deputy)]
    contract = queries.any_contract(number)
    operations.register(tenant, contract, people, by=by, link_base=_base(tenant), even_so=even_so)
    _show(number)


@commands.command("add-contact")
@click.argument("number")
@click.argument("person", metavar="FAMILY:GIVEN:EMAIL[:DUTY]")
@_even_so
@tenant_command
def add_contact(number: str, person: str, even_so: bool, tenant: Tenant, by: Actor, **_: Any) -> None:
    """A 副担当 more."""
    contract, who = queries.any_contract(number), _registrant(person)
    operations.add_contact(tenant, contract, who, by=by, link_base=_base(tenant), even_so=even_so)
    _show(number)


def _contact(name: str, operation: Any, help_: str) -> None:
    @commands.command(name, help=help_)
    @click.argument("number")
    @click.argument("person")
    @tenant_command
    def command(number: str, person: str, by: Actor, **_: Any) -> None:
        contract = queries.any_contract(number)
        operation(contract, queries.contact(contract, person), by=by)
        _show(number)


_contact("hand-over", operations.hand_over, "Make the 副担当 PERSON (the full name) the 主担当.")
_contact("remove-contact", operations.remove_contact, "Remove the 副担当 PERSON (the full name).")


@commands.command("show")
@click.argument("number")
@json_option
@tenant_command
def show(number: str, as_json: bool, **_: Any) -> None:
    """The contacts of a contract."""
    _show(number, as_json=as_json)


@commands.command("announce")
@click.argument("title", callback=typed(longest=120))
@click.argument("body", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--product", "products", multiple=True, help="Only to contacts of this; repeatable.")
@tenant_command
def announce(title: str, body: Path, products: tuple[str, ...], tenant: Tenant, by: Actor, **_: Any) -> None:
    """Mail every contact the file BODY (-: standard input), and publish it."""
    mailed = operations.announce(tenant, title, read_text(body), products, by=by, link_base=_base(tenant))
    click.echo(f"{mailed} mailed")


def _show(number: str, *, as_json: bool = False) -> None:
    contacts = queries.contacts(queries.any_contract(number))
    rows = [(one.role.label, one.person, one.duty, email) for one, email in contacts]
    table(["role", "person", "duty", "e-mail"], rows, as_json)


def _registrant(spec: str) -> Registrant:
    """Somebody as they are typed. Raises Mistake."""
    parts = [text.normalise(part) for part in spec.split(":")]
    try:
        family, given, email, *duty = parts
        return Registrant(family, given, text.email(email), *duty)
    except (TypeError, ValueError):
        raise Mistake(f"{spec!r}: write FAMILY:GIVEN:EMAIL[:DUTY], e.g. 山田:太郎:yamada@one.example") from None


def _base(tenant: Tenant) -> str:
    return base_of(tenant, current_app.extensions["settings"])
