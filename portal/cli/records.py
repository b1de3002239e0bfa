"""`flask documents`, `flask mail` and `flask audit`: what is kept, found again (COM-74, OPS-14,
COM-90).
"""

import json
import re
from datetime import date
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import select

from portal.cli.command_line import CommandGroup, Number, login
from portal.cli.commands import ChangeCommand, QuestionCommand, TenantContext
from portal.cli.output import fail, harmless, json_out, local_minute, table
from portal.cli.parameters import FILE, day_option, json_option, limit_option
from portal.core import NotFound, OutboxMail, require, session, to_local
from portal.core import audit as trail
from portal.core.audit_chain import Anchor, count_unmarked, find_faults, make_anchor
from portal.core.db import each_tenant
from portal.core.jobs import WorkStatus
from portal.shared import resending
from portal.shared.accounts import operations as accounts
from portal.shared.documents import operations, verification
from portal.web.requests import registry

documents = CommandGroup("documents", help="Find and verify issued documents.")
mail = CommandGroup("mail", help="See and resend mail.")
audit = CommandGroup("audit", help="Search and verify the audit trail.")
_LARGEST_ID = 2**63 - 1
_YEN = Number(0, _LARGEST_ID)
_NOT_KEPT = "(the text is not kept: it is blanked once a mail is sent or can be sent no more)"
_URL = re.compile(r"https?://\S+")


@documents.command("find", cls=QuestionCommand)
@day_option("--since", help="The first transaction date.")
@day_option("--until", help="The last transaction date.")
@click.option("--least", type=_YEN, help="Yen, tax included.")
@click.option("--most", type=_YEN, help="Yen, tax included.")
@click.option("--counterparty", default="", help="Words of the name.")
@click.option("--number", default="", help="The document's own number.")
@click.option("--account", default="", help="The account's number.")
@limit_option()
@json_option
def find(
    since: date | None,
    until: date | None,
    least: int | None,
    most: int | None,
    counterparty: str,
    number: str,
    account: str,
    limit: int,
    as_json: bool,
) -> None:
    """Documents by transaction date, total and counterparty."""
    # One more than is shown tells whether there are more.
    found = operations.search(
        limit=limit + 1,
        since=since,
        until=until,
        least=least,
        most=most,
        counterparty=counterparty,
        number=number,
        account_id=accounts.find_account(account).id if account else None,
    )
    if len(found) > limit:
        click.echo(f"there are more than {limit}; see --limit", err=True)
    rows = [
        (
            document.number,
            document.kind,
            document.transaction_date,
            document.amount,
            document.counterparty,
            document.about,
            document.replaced_by,
        )
        for document in found[:limit]
    ]
    columns = ["number", "kind", "date", "total", "counterparty", "about", "replaced_by"]
    table(columns, rows, as_json)


@documents.command("verify", cls=QuestionCommand)
def verify() -> str:
    """Compare every document with the audit trail: row, file and number; what is wrong is named."""
    bad = [str(fault) for fault in verification.find_faults()]
    bad += [f"trail {fault.sequence}: {fault.reason}" for fault in find_faults()]
    if bad:
        fail("; ".join(bad))
    return "all documents are whole"


@mail.command("list", cls=QuestionCommand)
@click.option(
    "--status", type=click.Choice([status.value for status in WorkStatus]), help="Only these."
)
@limit_option()
@json_option
def list_mails(status: str | None, limit: int, as_json: bool) -> None:
    """The newest mails."""
    statement = select(OutboxMail)
    if status:
        statement = statement.where(OutboxMail.status == status)
    newest = (OutboxMail.created_at.desc(), OutboxMail.id.desc())
    rows = [
        (
            found.id,
            f"{to_local(found.created_at):%m-%d %H:%M}",
            found.status,
            found.tries,
            found.recipient,
            found.subject,
            found.last_error,
        )
        for found in session().scalars(statement.order_by(*newest).limit(limit))
    ]
    table(["id", "at", "status", "tries", "to", "subject", "error"], rows, as_json)


def _find_mail(mail_id: int) -> OutboxMail:
    """The mail with this id. Raises NotFound."""
    found: OutboxMail | None = session().get(OutboxMail, mail_id)
    return require(found, NotFound("no mail %(id)s", id=mail_id))


mail_argument = click.argument("mail_id", type=Number(1, _LARGEST_ID))


@mail.command("show", cls=QuestionCommand)
@mail_argument
@json_option
def show(mail_id: int, as_json: bool) -> None:
    """What is known of a mail.

    Addresses in its text are left out: who opens one acts for its reader.
    """
    found = _find_mail(mail_id)
    facts = {
        "at": local_minute(found.created_at),
        "status": found.status.value,
        "sent": local_minute(found.done_at),
        "to": found.recipient,
        "subject": found.subject,
        "event": found.event,
        "tries": found.tries,
        "error": found.last_error,
    }
    text = None
    if found.blanked_at is None:
        # An operator who followed a link to set a password would act as the member.
        text = harmless(_URL.sub("(address left out)", found.body)).rstrip()
    if as_json:
        json_out({**facts, "text": text})
        return
    for name, value in facts.items():
        click.echo(f"{name + ':':<9}{harmless(str(value))}".rstrip())
    click.echo("")
    click.echo(_NOT_KEPT if text is None else text)


@mail.command("retry", cls=ChangeCommand)
@mail_argument
@click.pass_obj
def retry(context: TenantContext, mail_id: int) -> str:
    """Send a mail again; one with a link to set a password is made anew, with a new link."""
    found = _find_mail(mail_id)
    if resending.resend(context.tenant, found, by=context.by):
        return f"a new mail with a new link will be sent to {found.recipient}"
    return f"mail {found.id} will be sent again"


@audit.command("search", cls=QuestionCommand)
@click.option("--subject", default="", help="e.g. reservation:FR000123")
@limit_option()
@json_option
def search(subject: str, limit: int, as_json: bool) -> None:
    """The newest events, or those of one subject."""
    statement = select(trail.AuditEvent)
    if subject:
        # The trail keeps long subjects cut off.
        kept = subject[: trail.LONGEST_SUBJECT]
        statement = statement.where(trail.AuditEvent.subject == kept)
    newest = statement.order_by(trail.AuditEvent.sequence.desc()).limit(limit)
    rows = [
        (
            event.sequence,
            local_minute(event.at),
            local_minute(event.recorded_at),
            event.actor_name,
            event.actor_login,
            event.action,
            event.subject,
            json.dumps(event.changes, ensure_ascii=False),
        )
        for event in session().scalars(newest)
    ]
    columns = ["#", "at", "recorded", "who", "login", "action", "subject", "changes"]
    table(columns, rows, as_json)


def _read_anchors(
    _context: click.Context, _parameter: click.Parameter, path: Path | None
) -> list[Anchor] | None:
    """The anchors in a file; empty lines and those that begin with # say nothing."""
    if path is None:
        return None
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    try:
        return [Anchor.parse(line) for line in lines if line and not line.startswith("#")]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@audit.command("verify", cls=QuestionCommand)
@click.option(
    "--anchor",
    "anchors",
    type=FILE,
    callback=_read_anchors,
    help="Lines of `flask audit anchor` that were kept elsewhere, to compare with.",
)
@click.pass_obj
def verify_chain(context: TenantContext, anchors: list[Anchor] | None) -> str:
    """Check that no event was altered, taken out or made by anybody but this server."""
    tenant_key = context.tenant.key
    compared = [anchor for anchor in anchors or () if anchor.tenant == tenant_key]
    # To compare with nothing would say that the chain holds against anchors that are not there.
    if anchors is not None and not compared:
        fail(f"the file has no anchor of {tenant_key}")
    faults = list(find_faults(compared))
    if faults:
        first = faults[0]
        places = f"{len(faults)} places in all"
        fail(f"the chain is broken at event {first.sequence}, {places}: {first.reason}")
    findings = ["the chain holds"]
    unmarked = count_unmarked()
    if unmarked:
        findings.append(f"{unmarked} events are from before they were marked")
    if compared:
        findings.append(f"and agrees with {len(compared)} anchors")
    return "; ".join(findings)


@audit.command("anchor")
@with_appcontext
def anchor() -> None:
    """Print where each brand's trail ends, a line each, to be kept outside of this machine."""
    keys = sorted(registry().current().by_key)
    for _key in each_tenant(keys, by=login(), reason="audit anchor"):
        click.echo(str(make_anchor()))
