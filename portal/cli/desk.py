"""`flask inquiries`, `flask knowledge` and `flask notices`: what customers ask and read (COM-51,
COM-60, SUP-14).
"""

import os
import tempfile
from pathlib import Path

import click

from portal.cli.command_line import (
    STANDARD_INPUT,
    CommandError,
    CommandGroup,
    FileContent,
    as_text,
    is_terminal,
    read_file,
    read_text,
)
from portal.cli.commands import ChangeCommand, QuestionCommand, TenantContext
from portal.cli.output import harmless, local_day, local_minute, table
from portal.cli.parameters import FILE, FILE_OR_STANDARD_INPUT, json_option, limit_option, typed
from portal.cli.saving import save_new
from portal.core import RuleBroken, audit, text, transaction_mode
from portal.shared.auth.operator_actions import tag
from portal.shared.inquiries import operations, queries
from portal.shared.inquiries.files import keep, open_file
from portal.shared.inquiries.models import Inquiry, InquiryFile, Status
from portal.shared.knowledge import operations as articles
from portal.shared.notices import operations as announcements
from portal.web.brand import brands_of

inquiries = CommandGroup(
    "inquiries", help="What customers ask: list, show, answer, assign, close.", feature="inquiries"
)
knowledge = CommandGroup("knowledge", help="Articles of the knowledge base.", feature="knowledge")
notices = CommandGroup("notices", help="Publish announcements.", feature="notices")
number_argument = click.argument("number")


@inquiries.command("list", cls=QuestionCommand)
@click.option(
    "--status",
    type=click.Choice([status.value for status in Status]),
    help="Otherwise all that await you.",
)
@limit_option()
@json_option
def list_inquiries(status: str | None, limit: int, as_json: bool) -> None:
    """Inquiries that await somebody, the oldest first."""
    rows = [
        (
            inquiry.number,
            inquiry.status.label,
            local_minute(inquiry.updated_at),
            inquiry.label,
            inquiry.about,
            inquiry.name,
            inquiry.assigned_to,
        )
        for inquiry in queries.worklist(Status(status) if status else None, limit)
    ]
    columns = ["number", "status", "since", "category", "about", "from", "assigned to"]
    table(columns, rows, as_json)


@inquiries.command("show", cls=QuestionCommand)
@number_argument
@json_option
def show(number: str, as_json: bool) -> None:
    """One thread, with its files' names."""
    inquiry = queries.any_inquiry(number)
    if not as_json:
        known = (
            ("category", inquiry.label),
            ("about", inquiry.about),
            ("from", f"{inquiry.name} <{inquiry.email}>"),
        )
        table([inquiry.number, inquiry.status.label], [*known, *inquiry.fields])
    rows = [
        (
            local_minute(message.created_at),
            message.by_kind,
            message.by_name,
            message.body,
            "\n".join(file.name for file in files),
        )
        for message, files in queries.thread(inquiry)
    ]
    table(["at", "", "who", "text", "files"], rows, as_json)


@inquiries.command("files", cls=ChangeCommand)
@number_argument
@click.option(
    "--to",
    "folder",
    default=".",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to save them in; made where it is missing.",
)
@click.pass_obj
def save_files(context: TenantContext, number: str, folder: Path) -> None:
    """Save what is attached to a thread, each file under a name of its own; none is overwritten."""
    inquiry = queries.any_inquiry(number)
    attached = [file for _message, files in queries.thread(inquiry) for file in files]
    if not attached:
        raise CommandError(f"{inquiry.number} has no files")
    # Who took personal data out of the portal stands in the trail.
    audit.record(
        "inquiry.save_files", inquiry, by=context.by, files=[file.name for file in attached]
    )
    if not context.dry_run:
        folder.mkdir(parents=True, exist_ok=True)
    for place, file in enumerate(attached, start=1):
        path = folder / f"{inquiry.number}-{place:02d}-{file.name}"
        if not context.dry_run:
            _save_file(file, path)
        click.echo(harmless(str(path)))


def _save_file(file: InquiryFile, path: Path) -> None:
    """Save one attached file where none is yet. Raises CommandError."""
    try:
        stored = open_file(file.sha256)
    except FileNotFoundError:
        raise CommandError(f"{file.name} is missing in the file store") from None
    with stored:
        save_new(stored, path)


@inquiries.command("answer", cls=ChangeCommand)
@number_argument
@click.option(
    "--text",
    "given_text",
    default="",
    help="The answer; otherwise it is read from standard input or an editor.",
)
@click.option("--attach", multiple=True, type=FILE, help="Repeatable.")
@click.pass_obj
def answer(context: TenantContext, number: str, given_text: str, attach: tuple[Path, ...]) -> str:
    """Answer the customer, who is mailed a notice."""
    with transaction_mode("read"):
        queries.any_inquiry(number)  # a wrong number is told before anybody writes an answer
    body = given_text or _written_answer()
    files = [read_file(path) for path in attach]
    inquiry = queries.any_inquiry(number)
    try:
        _send_answer(context, inquiry, body, files)
    except RuleBroken:
        # What came out of a pipe or a file is still there; the editor's file is not.
        if is_terminal():
            _keep_text(inquiry, body)
        raise
    return _inquiry_line(inquiry)


def _send_answer(
    context: TenantContext, inquiry: Inquiry, body: str, files: list[FileContent]
) -> None:
    attached = [(file.name, file.data) for file in files]
    kept = keep(context.tenant, attached, by=context.by)
    operations.answer(context.tenant, inquiry, body, kept, by=context.by)


def _written_answer() -> str:
    """The answer from a pipe, or from the operator's editor.

    Raises CommandError when there is none.
    """
    if not is_terminal():
        return read_text(STANDARD_INPUT).strip()
    written = click.edit("")
    if not written or not written.strip():
        raise CommandError("the answer is empty")
    return written.strip()


def _keep_text(inquiry: Inquiry, body: str) -> None:
    """Put a refused answer into a file of the operator's own."""
    # mkstemp: no other user of this machine can read it.
    descriptor, path = tempfile.mkstemp(prefix=f"answer-{inquiry.number}-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(body)
    click.echo(f"the answer was not sent; its text is kept in {path}", err=True)


@inquiries.command("assign", cls=ChangeCommand)
@number_argument
@click.argument("to", callback=typed(text.one_line, longest=120))
@click.pass_obj
def assign(context: TenantContext, number: str, to: str) -> str:
    """Give it to an operator by name."""
    inquiry = queries.any_inquiry(number)
    operations.assign(inquiry, to, by=context.by)
    return f"{inquiry.number}: {to}"


@inquiries.command("take", cls=ChangeCommand)
@number_argument
@click.pass_obj
def take(context: TenantContext, number: str) -> str:
    """An inquiry goes to 対応中."""
    inquiry = queries.any_inquiry(number)
    operations.move(inquiry, Status.IN_PROGRESS, by=context.by)
    return _inquiry_line(inquiry)


@inquiries.command("close", cls=ChangeCommand)
@number_argument
@click.pass_obj
def close(context: TenantContext, number: str) -> str:
    """An inquiry goes to 完了."""
    inquiry = queries.any_inquiry(number)
    operations.move(inquiry, Status.CLOSED, by=context.by)
    return _inquiry_line(inquiry)


def _inquiry_line(inquiry: Inquiry) -> str:
    """Where an inquiry stands now."""
    return f"{inquiry.number}: {inquiry.status.label}"


@knowledge.command("put", cls=ChangeCommand)
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--quiet", is_flag=True, help="Mail nobody.")
@click.pass_obj
def put(context: TenantContext, files: tuple[Path, ...], quiet: bool) -> None:
    """Publish the Markdown FILES, or what changed of them; all or none."""
    contents = [read_file(path) for path in files]  # before anything is locked: they may be pipes
    tenant = context.tenant
    known = {key for brand in brands_of(tenant) for key in brand.product_keys(tenant)}
    seen: set[str] = set()
    for file in contents:
        try:
            written = articles.read(as_text(file.name, file.data))
        except ValueError as error:
            raise CommandError(f"{file.name}: {error}") from None
        # A product that was mistyped would hide the article from everybody.
        if written.key in seen or not known.issuperset(written.products):
            raise CommandError(
                f"{file.name}: a product that is none of {', '.join(sorted(known))}, "
                "or a key used before"
            )
        seen.add(written.key)
        article, outcome = articles.put(written, by=context.by, quiet=quiet)
        click.echo(f"{article.number}: {outcome}")


@knowledge.command("withdraw", cls=ChangeCommand)
@number_argument
@click.pass_obj
def withdraw(context: TenantContext, number: str) -> str:
    """Show an article no more; to put its file again shows it again."""
    articles.withdraw(number, by=context.by)
    return f"{number}: withdrawn"


@knowledge.command("list", cls=QuestionCommand)
@limit_option()
@json_option
def list_articles(limit: int, as_json: bool) -> None:
    """Articles by number, with how many readers they helped."""
    columns = [
        "number",
        "key",
        "place",
        "title",
        "products",
        "helpful",
        "not helpful",
        "updated",
        "withdrawn",
    ]
    rows = [
        (
            found.Article.number,
            found.Article.key,
            found.Place.name,
            found.Article.title,
            found.Article.products.strip(","),
            found.helpful,
            found.unhelpful,
            local_day(found.Article.updated_at),
            local_day(found.Article.withdrawn_at),
        )
        for found in articles.list_articles(limit)
    ]
    table(columns, rows, as_json)


@notices.command("publish", cls=ChangeCommand)
@click.argument("title", callback=typed(text.one_line, longest=120))
@click.argument("body", type=FILE_OR_STANDARD_INPUT)
@click.option("--important", "is_important", is_flag=True, help="Marked 重要.")
@click.option(
    "--category", default="", callback=typed(text.one_line, longest=20), help="One word, e.g. 休業."
)
@click.option("--audience", default="", callback=typed(tag), help="Only to accounts with this tag.")
@click.pass_obj
def publish(
    context: TenantContext, title: str, body: Path, is_important: bool, category: str, audience: str
) -> str:
    """Publish TITLE with the Markdown in the file BODY (- reads standard input)."""
    written = read_text(body)  # before anything is locked: somebody may be typing it
    notice = announcements.publish(
        title,
        written,
        by=context.by,
        category=category,
        is_important=is_important,
        audience=audience,
    )
    return notice.number
