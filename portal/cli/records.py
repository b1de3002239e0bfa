"""`flask documents`, `flask mail` and `flask audit`: what is kept, found again (COM-74, OPS-14,
COM-90).
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import select

from portal.cli.command_line import CommandGroup, Number, login
from portal.cli.commands import DAY, FILE, command, json_option, question
from portal.cli.output import fail, harmless, json_out, listing, moment
from portal.config import Tenant
from portal.core import Actor, NotFound, OutboxMail, require, session, to_local
from portal.core import audit as trail
from portal.core.audit_chain import Anchor, count_unmarked, find_faults, make_anchor
from portal.core.db import each_tenant
from portal.core.jobs import WorkStatus
from portal.shared import resending
from portal.shared.accounts import operations as accounts
from portal.shared.documents import operations, verification
from portal.shared.documents.models import Document

documents = CommandGroup("documents", help="Find and verify issued documents.")
mail = CommandGroup("mail", help="See and resend mail.")
audit = CommandGroup("audit", help="Search and verify the audit trail.")


_YEN = Number(0, 2**63 - 1)
_FOUND = (
    "number",
    "kind",
    ("date", "transaction_date"),
    ("total", "amount"),
    "counterparty",
    "about",
    "replaced_by",
)
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
    wanted["account_id"] = accounts.find_account(account).id if account else None
    found = operations.search(limit=limit + 1, **wanted)
    if len(found) > limit:
        click.echo(f"there are more than {limit}; see --limit", err=True)
    return found[:limit]


@question(documents, "verify")
def verify() -> str:
    """Compare every document with the audit trail: row, file and number; what is wrong is named."""
    bad = [str(fault) for fault in verification.find_faults()]
    bad += [f"trail {fault.sequence}: {fault.reason}" for fault in find_faults()]
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


_NOT_KEPT = "(the text is not kept: it is blanked once a mail is sent or can be sent no more)"
_URL = re.compile(r"https?://\S+")


def _find_mail(mail_id: int) -> OutboxMail:
    """The mail with this id. Raises NotFound."""
    found: OutboxMail | None = session().get(OutboxMail, mail_id)
    return require(found, NotFound("no mail %(id)s", id=mail_id))


_MAIL_ID = click.argument("mail_id", type=Number(1, 2**63 - 1))


@question(mail, "show", _MAIL_ID, json_option)
def show(mail_id: int, as_json: bool) -> None:
    """What is known of a mail.

    Addresses in its text are left out: who opens one acts for its reader.
    """
    found = _find_mail(mail_id)
    sent = to_local(found.done_at) if found.done_at else None
    facts = {
        "at": f"{to_local(found.created_at):%Y-%m-%d %H:%M}",
        "status": found.status.value,
        "sent": f"{sent:%Y-%m-%d %H:%M}" if sent else "",
        "to": found.recipient,
        "subject": found.subject,
        "event": found.event,
        "tries": found.tries,
        "error": found.last_error,
    }
    text = None
    if found.blanked_at is None:
        text = harmless(_URL.sub("(address left out)", found.body)).rstrip()
    if as_json:
        json_out({**facts, "text": text})
        return
    for name, value in facts.items():
        click.echo(f"{name + ':':<9}{harmless(str(value))}".rstrip())
    click.echo("")
    click.echo(_NOT_KEPT if text is None else text)


@command(mail, "retry", _MAIL_ID)
def retry(mail_id: int, tenant: Tenant, by: Actor) -> str:
    """Send a mail again; one with a link to set a password is made anew, with a new link."""
    found = _find_mail(mail_id)
    if resending.resend(tenant, found, by=by):
        return f"a new mail with a new link will be sent to {found.recipient}"
    return f"mail {found.id} will be sent again"


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


def _read_anchors(_context: object, _option: object, path: Path | None) -> list[Anchor] | None:
    """The anchors in a file; empty lines and those that begin with # say nothing."""
    if path is None:
        return None
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    try:
        return [Anchor.parse(line) for line in lines if line and not line.startswith("#")]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_ANCHOR = click.option(
    "--anchor",
    "anchors",
    type=FILE,
    callback=_read_anchors,
    help="Lines of `flask audit anchor` that were kept elsewhere, to compare with.",
)


@question(audit, "verify", _ANCHOR)
def verify_chain(anchors: list[Anchor] | None, tenant: Tenant) -> str:
    """Check that no event was altered, taken out or made by anybody but this server."""
    own = [anchor for anchor in anchors or () if anchor.tenant == tenant.key]
    if anchors is not None and not own:
        fail(f"the file has no anchor of {tenant.key}")
    faults = list(find_faults(own))
    if faults:
        first = faults[0]
        places = f"{len(faults)} places in all"
        fail(f"the chain is broken at event {first.sequence}, {places}: {first.reason}")
    unmarked = count_unmarked()
    said = [f"{unmarked} events are from before they were marked"] if unmarked else []
    said += [f"and agrees with {len(own)} anchors"] if own else []
    return "; ".join(["the chain holds", *said])


@audit.command("anchor")
@with_appcontext
def anchor() -> None:
    """Print where each brand's trail ends, a line each, to be kept outside of this machine."""
    keys = sorted(current_app.extensions["tenants"].current().by_key)
    for _key in each_tenant(keys, by=login(), reason="audit anchor"):
        click.echo(str(make_anchor()))
