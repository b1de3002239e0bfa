"""`flask documents`: find and verify issued documents (COM-74)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
from flask.cli import AppGroup

from portal.shared.documents import operations
from portal.web.commands import tenant_command
from portal.web.output import fail, table

documents = AppGroup("documents", help="Find and verify issued documents.")
_DAY = click.DateTime(["%Y-%m-%d"])


@documents.command("find")
@click.option("--since", type=_DAY)
@click.option("--until", type=_DAY)
@click.option("--least", type=int, help="Yen, tax included.")
@click.option("--most", type=int, help="Yen, tax included.")
@click.option("--counterparty", default="", help="Part of the name.")
@click.option("--json", "as_json", is_flag=True)
@tenant_command
def find(
    since: datetime | None,
    until: datetime | None,
    least: int | None,
    most: int | None,
    counterparty: str,
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
    )
    rows = [[d.number, d.kind, d.transaction_date, d.total, d.counterparty, d.about] for d in found]
    table(["number", "kind", "date", "total", "counterparty", "about"], rows, as_json)


@documents.command("verify")
@tenant_command
def verify(**_: Any) -> None:
    """Check every document's bytes against its digest."""
    bad = [f"{document.number}: {why}" for document, why in operations.verify()]
    if bad:
        fail("; ".join(bad))
    click.echo("all documents are whole")
