"""`flask inquiries`, `flask knowledge` and `flask notices`: what customers ask and read (COM-51,
COM-60, SUP-14).
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click

from portal.cli.command_line import (
    STANDARD_INPUT,
    CommandError,
    CommandGroup,
    Content,
    as_text,
    is_terminal,
    read_text,
)
from portal.cli.commands import (
    FILE,
    TEXT,
    Asked,
    command,
    contents,
    json_option,
    question,
    record,
    step,
    typed,
)
from portal.cli.output import harmless, listing, moment, table
from portal.config import Tenant
from portal.core import Actor, RuleBroken, audit, to_local
from portal.shared.auth.operator_actions import tag
from portal.shared.inquiries import operations, queries
from portal.shared.inquiries.files import keep, open_file
from portal.shared.inquiries.models import Inquiry, Status
from portal.shared.knowledge import operations as articles
from portal.shared.notices import operations as announcements
from portal.web.brand import brands_of

inquiries = CommandGroup(
    "inquiries", help="What customers ask: list, show, answer, assign, close.", feature="inquiries"
)
knowledge = CommandGroup("knowledge", help="Articles of the knowledge base.", feature="knowledge")
notices = CommandGroup("notices", help="Publish announcements.", feature="notices")
_AWAITED = (
    "number",
    ("status", "status.label"),
    ("since", moment("updated_at")),
    ("category", "label"),
    "about",
    ("from", "name"),
    ("assigned to", "assigned_to"),
)
_STATUSES = click.Choice([s.value for s in Status])
_STATUS = click.option("--status", type=_STATUSES, help="Otherwise all that await you.")
_ANSWER = (
    click.option(
        "--text",
        default="",
        callback=lambda _context, _option, text: Asked(lambda _words: text or _written()),
        help="The answer; otherwise it is read from standard input or an editor.",
    ),
    click.option("--attach", multiple=True, type=FILE, callback=contents, help="Repeatable."),
)
_FILES = click.argument("files", nargs=-1, required=True, type=FILE, callback=contents)
_QUIET = click.option("--quiet", is_flag=True, help="Mail nobody.")
_ARTICLES = (
    ("number", "Article.number"),
    ("key", "Article.key"),
    ("place", "Place.name"),
    ("title", "Article.title"),
    ("products", lambda found: found.Article.products.strip(",")),
    "helpful",
    ("not helpful", "unhelpful"),
    ("updated", moment("Article.updated_at", "%Y-%m-%d")),
    ("withdrawn", moment("Article.withdrawn_at", "%Y-%m-%d")),
)


@listing(inquiries, "list", _AWAITED, _STATUS)
def awaiting(status: str | None, limit: int) -> Iterable[Any]:
    """Inquiries that await somebody, the oldest first."""
    return queries.worklist(Status(status) if status else None, limit)


@question(inquiries, "show", record("found", queries.any_inquiry), json_option)
def show(found: Inquiry, as_json: bool) -> None:
    """One thread, with its files' names."""
    if not as_json:
        known = (
            ("category", found.label),
            ("about", found.about),
            ("from", f"{found.name} <{found.email}>"),
        )
        table([found.number, found.status.label], [*known, *found.fields])
    rows = [
        (
            f"{to_local(m.created_at):%Y-%m-%d %H:%M}",
            m.by_kind,
            m.by_name,
            m.body,
            "\n".join(f.name for f in attached),
        )
        for m, attached in queries.thread(found)
    ]
    table(["at", "", "who", "text", "files"], rows, as_json)


@command(
    inquiries,
    "files",
    record("found", queries.any_inquiry),
    click.option(
        "--to",
        "folder",
        default=".",
        type=click.Path(file_okay=False, path_type=Path),
        help="The folder to save them in; made where it is missing.",
    ),
)
def save_files(found: Inquiry, folder: Path, by: Actor) -> None:
    """Save what is attached to a thread, each file under a name of its own; none is overwritten."""
    attached = [file for _message, files in queries.thread(found) for file in files]
    if not attached:
        raise CommandError(f"{found.number} has no files")
    audit.record("inquiry.save_files", found, by=by, files=[file.name for file in attached])
    is_dry_run = click.get_current_context().params["dry_run"]
    if not is_dry_run:
        folder.mkdir(parents=True, exist_ok=True)
    for place, file in enumerate(attached, start=1):
        path = folder / f"{found.number}-{place:02d}-{file.name}"
        if is_dry_run:
            click.echo(harmless(str(path)))
            continue
        try:
            stored = open_file(file.sha256)
        except FileNotFoundError:
            raise CommandError(f"{file.name} is missing in the file store") from None
        try:
            with stored, path.open("xb") as out:
                shutil.copyfileobj(stored, out)
        except FileExistsError:
            raise CommandError(f"{path} is there already") from None
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from None
        click.echo(harmless(str(path)))


def _answer(tenant: Tenant, found: Inquiry, text: str, attach: list[Content], *, by: Actor) -> None:
    try:
        kept = keep(tenant, [(file.name, file.data) for file in attach], by=by)
        operations.answer(tenant, found, text, kept, by=by)
    except RuleBroken:
        if is_terminal():
            _keep_text(found, text)
        raise


def _keep_text(found: Inquiry, text: str) -> None:
    """Put a refused answer into a file of the operator's own, because the editor's is gone."""
    descriptor, path = tempfile.mkstemp(prefix=f"answer-{found.number}-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    click.echo(f"the answer was not sent; its text is kept in {path}", err=True)


def _written() -> str:
    """The answer from a pipe, or from the operator's editor. Raises CommandError when there is none."""
    if not is_terminal():
        return read_text(STANDARD_INPUT).strip()
    written = click.edit("")
    if not written or not written.strip():
        raise CommandError("the answer is empty")
    return written.strip()


def _assign(_tenant: Tenant, found: Inquiry, to: str, *, by: Actor) -> str:
    operations.assign(found, to, by=by)
    return to


def _move(to: Status) -> Callable[..., None]:
    return lambda _tenant, found, by: operations.move(found, to, by=by)


def _say(found: Inquiry, said: str | None) -> str:
    return f"{found.number}: {said or found.status.label}"


_step = partial(step, inquiries, queries.any_inquiry, _say)
_step("answer", _answer, "Answer the customer, who is mailed a notice.", *_ANSWER)
_step(
    "assign",
    _assign,
    "Give it to an operator by name.",
    click.argument("to", callback=typed(longest=120)),
)
for name, status in (("take", Status.IN_PROGRESS), ("close", Status.CLOSED)):
    _step(name, _move(status), f"An inquiry goes to {status.label}.")


@command(knowledge, "put", _FILES, _QUIET)
def put(files: list[Content], quiet: bool, tenant: Tenant, by: Actor) -> None:
    """Publish the Markdown FILES, or what changed of them; all or none."""
    known = {key for brand in brands_of(tenant) for key in brand.product_keys(tenant)}
    seen: set[str] = set()
    for file in files:
        try:
            written = articles.read(as_text(file.name, file.data))
        except ValueError as error:
            raise CommandError(f"{file.name}: {error}") from None
        if written.key in seen or not known.issuperset(written.products):
            raise CommandError(
                f"{file.name}: a product that is none of {', '.join(sorted(known))}, or a key used before"
            )
        seen.add(written.key)
        article, said = articles.put(written, by=by, quiet=quiet)
        click.echo(f"{article.number}: {said}")


@command(knowledge, "withdraw", click.argument("number"))
def withdraw(number: str, by: Actor) -> str:
    """Show an article no more; to put its file again shows it again."""
    articles.withdraw(number, by=by)
    return f"{number}: withdrawn"


@listing(knowledge, "list", _ARTICLES)
def every(limit: int) -> Iterable[Any]:
    """Articles by number, with how many readers they helped."""
    return articles.list_articles(limit)


@command(
    notices,
    "publish",
    click.argument("title", callback=typed(longest=120)),
    TEXT,
    click.option("--important", "is_important", is_flag=True, help="Marked 重要."),
    click.option("--category", default="", callback=typed(longest=20), help="One word, e.g. 休業."),
    click.option(
        "--audience", default="", callback=typed(tag), help="Only to accounts with this tag."
    ),
)
def publish(
    title: str, body: str, is_important: bool, category: str, audience: str, by: Actor
) -> str:
    """Publish TITLE with the Markdown in the file BODY (- reads standard input)."""
    said = announcements.publish(
        title, body, by=by, category=category, is_important=is_important, audience=audience
    )
    return said.number
