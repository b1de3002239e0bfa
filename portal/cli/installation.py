"""`flask db`, which migrates, and `flask tenants`, which says what an admin wants to know of
tenants.toml (OPS-02, OPS-04).
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
from alembic import command
from alembic.util import CommandError
from flask import current_app

from portal.cli.command_line import CommandGroup
from portal.cli.output import fail, json_out, table
from portal.cli.parameters import FILE, json_option
from portal.config import Tenant
from portal.config.registry import LoadResult, resolved
from portal.config.schema import json_schema
from portal.core import migrate, tenant_scope, transaction_mode
from portal.settings import ROOT, Settings
from portal.shared.limits import operations as limits
from portal.web.requests import registry

db_commands = CommandGroup("db", help="Migrate the database.")
tenants = CommandGroup("tenants", help="Check and show what tenants.toml says.")
FOLDER = ROOT / "migrations"
_LONGEST_CELL = 60


def _alembic(do: Callable[..., object], *words: str, **options: bool) -> None:
    """Let Alembic `do` it as the owner; what it refuses is one line and exit code 2."""
    settings: Settings = current_app.extensions["settings"]
    # The application's own role owns no table and could not change one.
    try:
        migrate.run(FOLDER, settings.owner_database, do, *words, **options)
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
def check_models() -> None:
    """Fail when the models say something that no migration does."""
    _alembic(command.check)


def _good_reading(file: Path) -> LoadResult:
    """What this file says; ends the command when it is broken."""
    reading = registry().read(file, str(file))
    if reading.mistakes:
        fail(f"{reading.mistakes[0]} (all mistakes: flask tenants check {file})")
    return reading


def _in_force() -> LoadResult:
    """What is in force; said on standard error when that is not what the file says."""
    registry().look_now()
    mistakes = registry().mistakes
    if mistakes:
        click.echo(
            f"{mistakes[0]} (all mistakes: flask tenants check); "
            "shown is the last good file, which is in force",
            err=True,
        )
    return registry().in_force


@tenants.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
def check(file: Path | None, as_json: bool) -> None:
    """Say everything that is wrong with the tenants file, or with FILE before it takes that one's
    place.

    One line for each: file, line, key, what is wrong and what would be right. Exits with 2 when
    there is a mistake; warnings alone exit with 0.
    """
    reading = registry().read(file, str(file or ""))
    found = (*reading.mistakes, *reading.warnings)
    if as_json:
        json_out([dataclasses.asdict(mistake) for mistake in found])
    else:
        for mistake in found:
            click.echo(str(mistake))
    if reading.mistakes:
        raise click.exceptions.Exit(2)
    if not as_json:
        click.echo(
            f"{len(reading.tenants.by_key)} tenants, no mistakes, {len(reading.warnings)} warnings"
        )


@tenants.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All tenants: where they live, whether they are open, what they offer."""
    reading = _in_force()
    rows = []
    for tenant in reading.tenants.by_key.values():
        hosts = [host for host, owner in reading.tenants.by_host.items() if owner is tenant]
        rows.append(
            (
                tenant.key,
                tenant.name,
                tenant.status,
                _list_cell(tenant.modules, as_json),
                _list_cell(hosts, as_json),
            )
        )
    table(["key", "name", "status", "modules", "hosts"], rows, as_json)


def _list_cell(values: Sequence[str], as_json: bool) -> list[str] | str:
    return list(values) if as_json else "\n".join(values)


@tenants.command("show")
@click.argument("key")
@json_option
def show(key: str, as_json: bool) -> None:
    """Everything about the tenant KEY as it is in force, and the line of the file that says so, or
    "default".
    """
    reading = _in_force()
    if key not in reading.tenants.by_key:
        fail(f"no tenant {key!r}; there are: {', '.join(reading.tenants.by_key)}")
    rows: list[tuple[str, object, str]] = []
    for name, value, line in resolved(reading, key):
        shown = value if as_json else _first_line(value)
        rows.append((name, shown, f"{reading.name}:{line}" if line else "default"))
    table(["key", "value", "from"], rows, as_json)


def _first_line(value: object) -> str:
    """A value as a table shows it: of several lines the first."""
    text = value
    if not isinstance(text, str):
        text = json.dumps(value, ensure_ascii=False, default=str)
    first, _newline, rest = text.strip().partition("\n")
    return f"{first[:_LONGEST_CELL]}…" if rest else first


@tenants.command("diff")
@click.argument("file", type=FILE)
@json_option
def diff(file: Path, as_json: bool) -> None:
    """What would change with FILE in place of the tenants file, and whom it would put over a
    limit.
    """
    new = _good_reading(file)
    table(["tenant", "key", "now", "then"], list(_changes(_in_force(), new)), as_json)


def _values(reading: LoadResult, key: str) -> dict[str, object]:
    """All values of a tenant by their names; none of one that is not there."""
    if key not in reading.tenants.by_key:
        return {}
    return {name: value for name, value, _line in resolved(reading, key)}


def _changes(old: LoadResult, new: LoadResult) -> Iterator[tuple[str, str, object, object]]:
    """What differs: tenant, key, value now and then."""
    for key in sorted(old.tenants.by_key.keys() | new.tenants.by_key.keys()):
        before = _values(old, key)
        after = _values(new, key)
        if not before:
            yield key, "", "", "is there"
            continue
        if not after:
            yield key, "", "is there", "is gone"
            continue
        names = [name for name in after | before if before.get(name) != after.get(name)]
        yield from ((key, name, before.get(name), after.get(name)) for name in names)
        # Nothing else can put somebody over a limit.
        if any(name.startswith(("limits", "formulas")) for name in names):
            yield from _over_limits(new.tenants.by_key[key])


def _over_limits(tenant: Tenant) -> list[tuple[str, str, object, object]]:
    """Who would have more than their limit, in the form of `_changes`."""
    with tenant_scope(tenant.key), transaction_mode("read"):
        return [
            (tenant.key, f"over {name}", owner.subject, f"{usage.used} / {usage.limit}")
            for name, owner, usage in limits.over(tenant)
        ]


@tenants.command("schema")
def schema() -> None:
    """The JSON Schema of tenants.toml, which editors use for completion."""
    json_out(json_schema(registry().tenant_type))
