"""`flask notices`: publish announcements (COM-60)."""

from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from portal.core.actor import Actor
from portal.shared.auth.administration import tag
from portal.shared.notices import operations
from portal.web.commands import read_text, tenant_command, typed

notices = AppGroup("notices", help="Publish announcements.")


@notices.command("publish")
@click.argument("title", callback=typed(longest=120))
@click.argument("body", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--important", is_flag=True, help="Marked 重要.")
@click.option("--category", default="", callback=typed(longest=20), help="One word, e.g. 休業.")
@click.option("--audience", default="", callback=typed(tag), help="Only to accounts with this tag.")
@tenant_command
def publish(title: str, body: Path, important: bool, category: str, audience: str, by: Actor, **_: Any) -> None:
    """Publish TITLE with the Markdown in the file BODY (- reads standard input)."""
    notice = operations.publish(
        title, read_text(body), by=by, category=category, is_important=important, audience=audience
    )
    click.echo(notice.number)
