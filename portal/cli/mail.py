"""`flask mail`: what waits, what failed, sending again (OPS-14)."""

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select

from portal.core import audit, leases
from portal.core.actor import Actor
from portal.core.clock import to_local
from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.leases import WorkStatus
from portal.core.outbox import OutboxMail
from portal.web.commands import json_option, limit_option, tenant_command
from portal.web.output import table

mail = AppGroup("mail", help="See and resend mail.")


@mail.command("list")
@click.option("--status", type=click.Choice([s.value for s in WorkStatus]), help="Only these.")
@limit_option
@json_option
@tenant_command
def list_(status: str | None, limit: int, as_json: bool, **_: Any) -> None:
    """The newest mails."""
    statement = select(OutboxMail).order_by(OutboxMail.created_at.desc(), OutboxMail.id.desc()).limit(limit)
    if status:
        statement = statement.where(OutboxMail.status == status)
    rows = [
        [m.id, f"{to_local(m.created_at):%m-%d %H:%M}", m.status, m.tries, m.recipient, m.subject, m.last_error]
        for m in session().scalars(statement)
    ]
    table(["id", "at", "status", "tries", "to", "subject", "error"], rows, as_json)


@mail.command("retry")
@click.argument("mail_id", type=click.IntRange(1, 2**63 - 1))
@tenant_command
def retry(mail_id: int, by: Actor, **_: Any) -> None:
    """Send a mail again."""
    found = session().get(OutboxMail, mail_id)
    if found is None:
        raise NotFound("no mail %(id)s", id=mail_id)
    leases.retry(found)
    audit.record("mail.retry", f"mail:{mail_id}", by=by)
    click.echo(f"mail {mail_id} will be sent again")
