"""`flask documents`: issued documents found, proved, handed over (COM-72, COM-74, OPS-14)."""

from datetime import date
from pathlib import Path

import click

from portal.cli.command_line import CommandError, CommandGroup, Number
from portal.cli.commands import ChangeCommand, QuestionCommand, TenantCommand, TenantContext
from portal.cli.output import fail, harmless, table
from portal.cli.parameters import day_option, json_option, limit_option
from portal.cli.saving import check_absent, save_new
from portal.core import audit, audit_chain, session, transaction_mode
from portal.core.db import hold_snapshot
from portal.core.files import FileDamaged
from portal.shared.accounts import operations as accounts
from portal.shared.documents import bundle as bundles
from portal.shared.documents import operations, verification
from portal.shared.documents.models import DocumentKind

documents = CommandGroup("documents", help="Find, verify and hand over issued documents.")
_YEN = Number(0, 2**63 - 1)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_KIND = click.Choice([kind.value for kind in DocumentKind])


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
    hold_snapshot()
    bad = [str(fault) for fault in verification.find_faults()]
    bad += [f"trail {fault.sequence}: {fault.reason}" for fault in audit_chain.find_faults()]
    count = verification.count_unsealed()
    if count:
        click.echo(f"{count} documents have no digest in the trail: documents seal", err=True)
    if bad:
        fail("; ".join(bad))
    return "all documents are whole"


@documents.command("seal", cls=ChangeCommand)
@click.pass_obj
def seal(context: TenantContext) -> str:
    """Put the digests of documents that were issued before there were any into the audit trail.

    They are sealed as they stand now: compare them with your copies first.
    """
    return f"{verification.seal(by=context.by)} documents sealed"


@documents.command("open", cls=ChangeCommand)
@click.argument("number")
@click.option("--kind", type=_KIND, help="Where two kinds have the number.")
@click.option("--to", "target", type=_NEW_FILE, help="A new file; otherwise the document's name.")
@click.pass_obj
def open_document(
    context: TenantContext, number: str, kind: str | None, target: Path | None
) -> None:
    """Save the PDF of a document, checked against its digest; nothing is overwritten."""
    document = operations.get_document(number, DocumentKind(kind) if kind else None)
    try:
        file, name, digest = operations.open_file(document)
    except (FileNotFoundError, FileDamaged):
        raise CommandError(f"{number}: its file is missing or damaged: documents verify") from None
    path = target or Path(name)
    with file:
        check_absent(path)
        kind = document.kind.value
        audit.record("document.save_file", document, by=context.by, kind=kind, digest=digest)
        if not context.dry_run:
            # First the trail, then the file: whatever left the portal stands in the trail.
            session().commit()
            save_new(file, path)
    click.echo(harmless(str(path)))


@documents.command("bundle", cls=TenantCommand)
@day_option("--from", "since", required=True, help="The first transaction date.")
@day_option("--until", required=True, help="The last transaction date.")
@click.option("--account", default="", help="The account's number; otherwise all accounts.")
@click.option("--to", "target", type=_NEW_FILE, required=True, help="A new ZIP file.")
@click.pass_obj
def bundle(context: TenantContext, since: date, until: date, account: str, target: Path) -> str:
    """Write documents into a ZIP that can be checked without the portal, to hand it over.

    With an index, what proves them, and a program that checks it all.
    """
    if since > until:
        raise CommandError("--from is later than --until")
    check_absent(target)
    with transaction_mode("read"):
        # The trail must tell of the documents as they are read, however long that takes.
        hold_snapshot()
        account_id = accounts.find_account(account).id if account else None
        wanted = bundles.Selection(since, until, account_id, account)
        made = bundles.make_bundle(context.tenant, wanted)
    with made.file:
        _tell_absent(made.absent)
        if not context.dry_run:
            bundles.record(wanted, made, by=context.by)
            # First the trail, then the file: whatever left the portal stands in the trail.
            session().commit()
            save_new(made.file, target)
    return f"{made.count} documents, SHA-256 {made.digest}"


def _tell_absent(numbers: tuple[str, ...]) -> None:
    """Say on standard error whose file the bundle does not have."""
    for number in numbers:
        click.echo(f"{number}: has no file: not drawn yet, or see documents verify", err=True)
