"""Composing mail: three small templates an event, in the tenant's name, stored in the outbox (COM-80, COM-81)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from portal.core import clock, outbox
from portal.core.money import yen
from portal.core.tenancy.schema import Tenant

_TEMPLATES = Path(__file__).parent.parent / "templates" / "emails"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["yen"] = yen
    environment.filters["when"] = lambda at: f"{clock.to_local(at):%Y/%m/%d %H:%M}"
    environment.filters["day"] = lambda day: f"{day:%Y/%m/%d}"
    return environment


def compose(
    tenant: Tenant, event: str, recipient: str, *, account_id: int | None = None, **context: object
) -> outbox.OutboxMail:
    """Store the mail of `event` for `recipient` in the running transaction.

    Templates: ``emails/<event>/subject.txt``, ``body.txt`` and ``body.html``; they see `tenant` and `context`.
    """
    environment = _environment()
    parts = {
        name: environment.get_template(f"{event}/{name}").render(tenant=tenant, **context)
        for name in ("subject.txt", "body.txt", "body.html")
    }
    return outbox.enqueue(
        event,
        sender=tenant.mail.address,
        sender_name=tenant.mail.name,
        recipient=recipient,
        subject=parts["subject.txt"].strip(),
        body=parts["body.txt"],
        html=parts["body.html"],
        account_id=account_id,
    )
