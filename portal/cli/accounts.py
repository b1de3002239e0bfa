"""`flask accounts`: find and add customers."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import or_, select

from portal.core import text
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import enrolment
from portal.shared.auth.models import Account
from portal.web.commands import json_option, limit_option, tenant_command, typed
from portal.web.output import table

accounts = AppGroup("accounts", help="Find and add customers.")


@accounts.command("find")
@click.argument("words", default="")
@limit_option
@json_option
@tenant_command
def find(words: str, limit: int, as_json: bool, **_: Any) -> None:
    """Accounts by number or part of the name."""
    statement = select(Account).order_by(Account.number).limit(limit)
    if words:
        like = f"%{text.like_escape(words)}%"
        statement = statement.where(or_(Account.number == words, Account.name.like(like, escape="\\")))
    rows = [[a.number, a.name, a.status, a.telephone, a.address] for a in session().scalars(statement)]
    table(["number", "name", "status", "telephone", "address"], rows, as_json)


@accounts.command("add")
@click.argument("name", callback=typed(longest=100))
@click.option("--telephone", default="", callback=typed(text.telephone), help="With or without hyphens.")
@tenant_command
def add(name: str, telephone: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Add the customer NAME; then add its representative with `members add`."""
    click.echo(enrolment.add_account(tenant, by=by, name=name, telephone=telephone).number)
