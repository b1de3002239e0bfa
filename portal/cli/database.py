"""`flask db`: migrations."""

import os
from collections.abc import Callable

import click
from alembic import command
from alembic.util import CommandError
from flask import current_app
from flask.cli import AppGroup

from portal.core import migrate
from portal.settings import ROOT, Settings
from portal.web.output import fail

db_commands = AppGroup("db", help="Migrate the database.")
FOLDER = ROOT / "migrations"


def owner_url() -> str:
    """The owner's URL: DATABASE_OWNER_URL where the application's own role owns nothing (PostgreSQL)."""
    settings: Settings = current_app.extensions["settings"]
    url = os.environ.get("DATABASE_OWNER_URL") or settings.database
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _alembic(do: Callable[..., object], *words: str, **options: bool) -> None:
    """Let Alembic `do` it as the owner; what it refuses is one line and exit code 2."""
    try:
        migrate.run(FOLDER, owner_url(), do, *words, **options)
    except CommandError as error:
        fail(str(error))


@db_commands.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database up to date."""
    _alembic(command.upgrade, revision)
    click.echo("database is up to date")


@db_commands.command("downgrade")
@click.argument("revision")
@click.confirmation_option(prompt="This takes tables and their rows away. Go on?")
def downgrade(revision: str) -> None:
    """Take the database back to REVISION."""
    _alembic(command.downgrade, revision)


@db_commands.command("revision")
@click.argument("message")
def revision(message: str) -> None:
    """Write a new migration from what the models say."""
    _alembic(command.revision, message, autogenerate=True)


@db_commands.command("check")
def check() -> None:
    """Fail when the models say something that no migration does."""
    _alembic(command.check)
