"""`flask documents`: find and verify issued documents (COM-74)."""

from datetime import datetime
from typing import Any

import click
from flask.cli import AppGroup

from portal.shared.auth import enrolment
from portal.shared.documents import operations
from portal.web.commands import json_option, limit_option, tenant_command
from portal.web.output import fail, table

documents = AppGroup("documents", help="Find and verify issued documents.")
_DAY = click.DateTime(["%Y-%m-%d"])
_YEN = click.IntRange(0, 2**63 - 1)


@documents.command("find")
@click.option("--since", type=_DAY, help="The first transaction date.")
@click.option("--until", type=_DAY, help="The last transaction date.")
@click.option("--least", type=_YEN, help="Yen, tax included.")
@click.option("--most", type=_YEN, help="Yen, tax included.")
@click.option("--counterparty", default="", help="Part of the name.")
@click.option("--number", default="", help="The document's own number.")
@click.option("--account", default="", help="The account's number.")
@limit_option
@json_option
@tenant_command
def find(
    since: datetime | None,
    until: datetime | None,
    least: int | None,
    most: int | None,
    counterparty: str,
    number: str,
    account: str,
    limit: int,
    as_json: bool,
    **_: Any,
) -> None:
    """Documents by transaction date, total and counterparty."""
    found = operations.search(
        since=since.date() if since else None,
        until=until.date() if until else None,
        least=least,
        most=most,
        counterparty=counterparty,
        number=number,
        account_id=enrolment.find_account(account).id if account else None,
        limit=limit + 1,
    )
    rows = [[d.number, d.kind, d.transaction_date, d.total, d.counterparty, d.about] for d in found[:limit]]
    table(["number", "kind", "date", "total", "counterparty", "about"], rows, as_json)
    if len(found) > limit:
        click.echo(f"there are more than {limit}; see --limit", err=True)


@documents.command("verify")
@tenant_command
def verify(**_: Any) -> None:
    """Check every document's bytes against its digest."""
    bad = [f"{document.number}: {why}" for document, why in operations.verify()]
    if bad:
        fail("; ".join(bad))
    click.echo("all documents are whole")
