"""`flask inquiries`: what customers ask, and the answers (COM-51, COM-52)."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from portal.cli.listing import listing, moment
from portal.core.actor import Actor
from portal.core.clock import to_local
from portal.core.tenancy.schema import Tenant
from portal.shared.inquiries import files, operations, queries
from portal.shared.inquiries.models import Status
from portal.web.commands import Mistake, json_option, tenant_command, typed
from portal.web.output import table
from portal.web.urls import base_of

inquiries = AppGroup("inquiries", help="What customers ask: list, show, answer, assign, close.")


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


@listing(inquiries, "list", _AWAITED, _STATUS)
def list_(status: str | None, limit: int, **_: Any) -> Iterable[Any]:
    """Inquiries that await somebody, the oldest first."""
    return queries.worklist(Status(status) if status else None, limit)


@inquiries.command("show")
@click.argument("number")
@json_option
@tenant_command
def show(number: str, as_json: bool, **_: Any) -> None:
    """One thread, with its files' names."""
    found = queries.any_inquiry(number)
    if not as_json:
        known = (("category", found.label), ("about", found.about), ("from", f"{found.name} <{found.email}>"))
        table([found.number, found.status.label], [*known, *found.fields])
    rows = [
        (f"{to_local(m.created_at):%Y-%m-%d %H:%M}", m.by_kind, m.by_name, m.body, "\n".join(f.name for f in attached))
        for m, attached in queries.thread(found)
    ]
    table(["at", "", "who", "text", "files"], rows, as_json)


@inquiries.command("answer")
@click.argument("number")
@click.option("--text", default="", help="The answer; otherwise it is read from standard input or an editor.")
@click.option(
    "--attach", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Repeatable."
)
@tenant_command
def answer(number: str, text: str, attach: tuple[Path, ...], tenant: Tenant, by: Actor, **_: Any) -> None:
    """Answer the customer, who is mailed a notice."""
    found = queries.any_inquiry(number)
    kept = files.keep(tenant.inquiries, [(path.name, path.read_bytes()) for path in attach])
    base = base_of(tenant, current_app.extensions["settings"])
    operations.answer(tenant, found, text or _written(), kept, by=by, link_base=base)
    click.echo(f"{number}: {found.status.label}")


def _written() -> str:
    """The answer from a pipe, or from the operator's editor. Raises Mistake when there is none."""
    given = click.edit("") if sys.stdin.isatty() else sys.stdin.read()
    if not given or not given.strip():
        raise Mistake("the answer is empty")
    return given.strip()


@inquiries.command("assign")
@click.argument("number")
@click.argument("to", callback=typed(longest=120))
@tenant_command
def assign(number: str, to: str, by: Actor, **_: Any) -> None:
    """Give it to an operator by name."""
    operations.assign(queries.any_inquiry(number), to, by=by)
    click.echo(f"{number}: {to}")


def _step(name: str, to: Status) -> None:
    @inquiries.command(name, help=f"An inquiry goes to {to.label}.")
    @click.argument("number")
    @tenant_command
    def command(number: str, by: Actor, **_: Any) -> None:
        found = queries.any_inquiry(number)
        operations.move(found, to, by=by)
        click.echo(f"{number}: {found.status.label}")


_step("take", Status.IN_PROGRESS)
_step("close", Status.CLOSED)
