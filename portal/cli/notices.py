"""`flask notices`: publish announcements (COM-60)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from portal.core.actor import Actor
from portal.shared.notices import operations
from portal.web.commands import tenant_command

notices = AppGroup("notices", help="Publish announcements.")


@notices.command("publish")
@click.argument("title")
@click.argument("body", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--important", is_flag=True)
@click.option("--category", default="")
@tenant_command
def publish(title: str, body: Path, important: bool, category: str, by: Actor, **_: Any) -> None:
    """Publish TITLE with the Markdown in the file BODY (- reads standard input)."""
    with click.open_file(str(body), encoding="utf-8") as file:
        notice = operations.publish(title, file.read(), by=by, category=category, is_important=important)
    click.echo(notice.number)
