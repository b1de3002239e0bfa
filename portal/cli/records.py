"""`flask documents`, `flask mail` and `flask audit`: what is kept, found again (COM-74, OPS-14, COM-90)."""

import json
from collections.abc import Iterable
from typing import Any

import click
from sqlalchemy import select

from portal.core import Actor, NotFound, OutboxMail, jobs, need, session
from portal.core import audit as trail
from portal.core.jobs import WorkStatus
from portal.shared.auth import enrolment
from portal.shared.documents import operations
from portal.shared.documents.models import Document
from portal.web.command_line import CommandGroup
from portal.web.commands import DAY, command, question
from portal.web.output import fail, listing, moment

documents = CommandGroup("documents", help="Find and verify issued documents.")
mail = CommandGroup("mail", help="See and resend mail.")
audit = CommandGroup("audit", help="Search and verify the audit trail.")


_YEN = click.IntRange(0, 2**63 - 1)
_FOUND = ("number", "kind", ("date", "transaction_date"), "total", "counterparty", "about")
_ASKED = (
    click.option("--since", **DAY, help="The first transaction date."),
    click.option("--until", **DAY, help="The last transaction date."),
    click.option("--least", type=_YEN, help="Yen, tax included."),
    click.option("--most", type=_YEN, help="Yen, tax included."),
    click.option("--counterparty", default="", help="Part of the name."),
    click.option("--number", default="", help="The document's own number."),
    click.option("--account", default="", help="The account's number."),
)


@listing(documents, "find", _FOUND, *_ASKED)
def find(limit: int, account: str, **asked: Any) -> Iterable[Document]:
    """Documents by transaction date, total and counterparty."""
    wanted = {name: value for name, value in asked.items() if name in operations.SEARCHED}
    wanted["account_id"] = enrolment.find_account(account).id if account else None
    found = operations.search(limit=limit + 1, **wanted)
    if len(found) > limit:
        click.echo(f"there are more than {limit}; see --limit", err=True)
    return found[:limit]


@question(documents, "verify")
def verify() -> str:
    """Check every document's bytes against its digest."""
    bad = [f"{document.number}: {why}" for document, why in operations.verify()]
    if bad:
        fail("; ".join(bad))
    return "all documents are whole"


_MAILS = (
    "id",
    ("at", moment("created_at", "%m-%d %H:%M")),
    "status",
    "tries",
    ("to", "recipient"),
    "subject",
    ("error", "last_error"),
)
_STATUS = click.option(
    "--status", type=click.Choice([s.value for s in WorkStatus]), help="Only these."
)


@listing(mail, "list", _MAILS, _STATUS)
def list_(status: str | None, limit: int) -> Iterable[OutboxMail]:
    """The newest mails."""
    statement = (
        select(OutboxMail).order_by(OutboxMail.created_at.desc(), OutboxMail.id.desc()).limit(limit)
    )
    return session().scalars(statement.where(OutboxMail.status == status) if status else statement)


@command(mail, "retry", click.argument("mail_id", type=click.IntRange(1, 2**63 - 1)))
def retry(mail_id: int, by: Actor) -> str:
    """Send a mail again."""
    jobs.retry(need(session().get(OutboxMail, mail_id), NotFound("no mail %(id)s", id=mail_id)))
    trail.record("mail.retry", f"mail:{mail_id}", by=by)
    return f"mail {mail_id} will be sent again"


_EVENTS = (
    ("#", "sequence"),
    ("at", moment("at")),
    ("recorded", moment("recorded_at")),
    ("who", "actor_name"),
    ("login", "actor_login"),
    "action",
    "subject",
    ("changes", lambda event: json.dumps(event.changes, ensure_ascii=False)),
)


@listing(
    audit,
    "search",
    _EVENTS,
    click.option("--subject", default="", help="e.g. reservation:FR000123"),
)
def search(subject: str, limit: int) -> Iterable[trail.AuditEvent]:
    """The newest events, or those of one subject."""
    statement = select(trail.AuditEvent).order_by(trail.AuditEvent.sequence.desc()).limit(limit)
    asked = trail.AuditEvent.subject == subject[: trail.LONGEST_SUBJECT]
    return session().scalars(statement.where(asked) if subject else statement)


@question(audit, "verify")
def verify_chain() -> str:
    """Check the hash chain."""
    broken = list(trail.broken_links())
    if broken:
        fail(f"the chain is broken at event {broken[0]}, {len(broken)} places in all")
    return "the chain holds"
