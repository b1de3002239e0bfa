"""`flask audit`: who did what (COM-90)."""

import json
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select

from portal.core import audit as trail
from portal.core.audit import AuditEvent
from portal.core.clock import to_local
from portal.core.db import session
from portal.web.commands import json_option, limit_option, tenant_command
from portal.web.output import fail, table

audit = AppGroup("audit", help="Search and verify the audit trail.")


@audit.command("search")
@click.option("--subject", default="", help="e.g. reservation:FR000123")
@limit_option
@json_option
@tenant_command
def search(subject: str, limit: int, as_json: bool, **_: Any) -> None:
    """The newest events, or those of one subject."""
    statement = select(AuditEvent).order_by(AuditEvent.sequence.desc()).limit(limit)
    if subject:
        statement = statement.where(AuditEvent.subject == subject[: trail.LONGEST_SUBJECT])
    rows = [
        (
            e.sequence,
            f"{to_local(e.at):%Y-%m-%d %H:%M}",
            e.actor_name,
            e.action,
            e.subject,
            json.dumps(e.changes, ensure_ascii=False),
        )
        for e in session().scalars(statement)
    ]
    table(["#", "at", "who", "action", "subject", "changes"], rows, as_json)


@audit.command("verify")
@tenant_command
def verify(**_: Any) -> None:
    """Check the hash chain."""
    broken = list(trail.broken_links())
    if broken:
        fail(f"the chain is broken at event {broken[0]}, {len(broken)} places in all")
    click.echo("the chain holds")
