"""`flask db`: migrations."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from alembic import command
from alembic.config import Config
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


@contextmanager
def _told() -> Iterator[None]:
    """What Alembic refuses is one line and exit code 2."""
    try:
        yield
    except CommandError as error:
        fail(str(error))


@contextmanager
def _migrations() -> Iterator[Config]:
    """Alembic's configuration, on a connection of the owner."""
    engine = migrate.owner_engine(owner_url())
    try:
        with _told(), engine.begin() as connection:
            yield migrate.config(FOLDER, connection)
    finally:
        engine.dispose()


@db_commands.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database up to date."""
    with _told():
        migrate.upgrade(FOLDER, owner_url(), revision)
    click.echo("database is up to date")


@db_commands.command("downgrade")
@click.argument("revision")
@click.confirmation_option(prompt="This takes tables and their rows away. Go on?")
def downgrade(revision: str) -> None:
    """Take the database back to REVISION."""
    with _told():
        migrate.downgrade(FOLDER, owner_url(), revision)


@db_commands.command("revision")
@click.argument("message")
def revision(message: str) -> None:
    """Write a new migration from what the models say."""
    with _migrations() as config:
        command.revision(config, message, autogenerate=True)


@db_commands.command("check")
def check() -> None:
    """Fail when the models say something that no migration does."""
    with _migrations() as config:
        command.check(config)
