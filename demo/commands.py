"""`flask demo`: believable data for the demo brands, and who can sign in where (OPS-20)."""

from datetime import timedelta
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import func, select

from demo import facility, notices, people, support, workshop
from portal.cli.command_line import CommandError, CommandGroup
from portal.cli.output import json_out, table
from portal.cli.parameters import json_option
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.db import session, tenant_scope
from portal.core.jobs import Job, WorkStatus
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Account

demo = CommandGroup("demo", help="Fill and show the demo brands.")


_FILLS = {"facility": facility.fill, "support": support.fill}
_OWN_FILLS = {("workshop", "support"): workshop.fill}
"""Where a brand's business is another than its module's usual one."""


def _tenants() -> list[Tenant]:
    if not current_app.extensions["settings"].demo:
        raise CommandError("this installation is not a demo (PORTAL_DEMO=1)")
    return list(current_app.extensions["tenants"].current().by_key.values())


@demo.command("load")
@with_appcontext
def load() -> None:
    """Fill every brand that has no customers yet; what is there stays as it is."""
    for tenant in _tenants():
        with tenant_scope(tenant.key):
            if session().scalar(select(func.count()).select_from(Account)):
                continue
            people.fill(tenant)
            notices.fill(tenant)
            for module in tenant.modules:
                fill = _OWN_FILLS.get((tenant.key, module)) or _FILLS.get(module)
                if fill is not None:
                    fill(tenant)
            _settle()
            session().commit()
            click.echo(f"{tenant.key}: filled")


def _settle() -> None:
    """Old mails count as sent; the newest documents are drawn first, so that a visitor finds them
    ready.
    """
    now = clock.now()
    for mail in session().scalars(select(OutboxMail)):
        mail.status = WorkStatus.DONE
        mail.done_at = mail.created_at
    for place, job in enumerate(
        session().scalars(select(Job).order_by(Job.created_at.desc(), Job.id))
    ):
        job.due_at = now + timedelta(microseconds=place)


@demo.command("accounts")
@json_option
@with_appcontext
def accounts(as_json: bool) -> None:
    """Who can sign in where."""
    found: list[dict[str, Any]] = [
        {
            "tenant": tenant.key,
            "host": tenant.base_url.partition("://")[2],
            "role": person.role,
            "fields": person.fields(tenant),
        }
        for tenant in _tenants()
        for person in people.CAST
    ]
    if as_json:
        json_out(found)
        return
    rows = [[f"http://{a['host']}/", a["role"], "  ".join(a["fields"].values())] for a in found]
    table(["address", "role", "sign-in"], rows, False)
