"""`flask inquiries`: what customers ask, and the answers (COM-51, COM-52)."""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from portal.core.actor import Actor
from portal.core.clock import to_local
from portal.core.tenancy.schema import Tenant
from portal.shared.inquiries import files, operations, queries
from portal.shared.inquiries.models import Inquiry, Status
from portal.web.commands import FILE, Mistake, json_option, step, tenant_command, typed
from portal.web.output import listing, moment, table
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
_TEXT = click.option("--text", default="", help="The answer; otherwise it is read from standard input or an editor.")
_ATTACH = click.option("--attach", multiple=True, type=FILE, help="Repeatable.")


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


def _answer(tenant: Tenant, found: Inquiry, text: str, attach: tuple[Path, ...], *, by: Actor) -> None:
    kept = files.keep(tenant.inquiries, [(path.name, path.read_bytes()) for path in attach])
    base = base_of(tenant, current_app.extensions["settings"])
    operations.answer(tenant, found, text or _written(), kept, by=by, link_base=base)


def _written() -> str:
    """The answer from a pipe, or from the operator's editor. Raises Mistake when there is none."""
    given = click.edit("") if sys.stdin.isatty() else sys.stdin.read()
    if not given or not given.strip():
        raise Mistake("the answer is empty")
    return given.strip()


def _assign(_tenant: Tenant, found: Inquiry, to: str, *, by: Actor) -> str:
    operations.assign(found, to, by=by)
    return to


def _move(to: Status) -> Callable[..., None]:
    return lambda _tenant, found, by: operations.move(found, to, by=by)


def _say(found: Inquiry, said: str | None) -> None:
    click.echo(f"{found.number}: {said or found.status.label}")


_step = partial(step, inquiries, queries.any_inquiry, _say)
_step("answer", _answer, "Answer the customer, who is mailed a notice.", _TEXT, _ATTACH)
_step("assign", _assign, "Give it to an operator by name.", click.argument("to", callback=typed(longest=120)))
for name, status in (("take", Status.IN_PROGRESS), ("close", Status.CLOSED)):
    _step(name, _move(status), f"An inquiry goes to {status.label}.")
