"""The command line itself: groups, what a mistake looks like, who is at the keyboard, what comes in
(OPS-10).

Whatever somebody types, pipes in or interrupts ends in one line on standard error, never in a
traceback.
"""

import errno
import os
import pwd
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy.exc import DataError, OperationalError, ProgrammingError

from portal.config import Tenant
from portal.core import DatabaseBusy, RuleBroken
from portal.core.csvio import CsvErrors
from portal.core.engine import UnfitRole

STANDARD_INPUT = Path("-")
# SQLSTATE, PostgreSQL's appendix A: undefined_table and undefined_column, insufficient_privilege.
_NO_SUCH_TABLE = ("42P01", "42703")
_NO_RIGHT = "42501"
_WHOSE = "DATABASE_URL is for portal_app, DATABASE_OWNER_URL for the owner, who migrates"
_LONGEST_TEXT = 100_000
"""Characters of a text that becomes a notice, an article, a message: a page shows it whole."""
_PROGRESS_TERMINAL = 500
_PROGRESS_LOG = 10_000


class CommandError(click.ClickException):
    """A mistake of whoever typed the command: one line, exit code 2."""

    exit_code = 2


@contextmanager
def one_line() -> Iterator[None]:
    """What a person can do something about is told in one line, with the exit code that fits."""
    try:
        yield
    except (RuleBroken, CsvErrors, UnfitRole) as error:
        raise CommandError(str(error)) from None
    except click.UsageError as error:
        raise _in_one_line(error) from None
    except UnicodeError:
        # Bytes that are no UTF-8 come from a terminal as surrogates, which nothing can encode.
        raise CommandError("what was typed or piped in is not UTF-8") from None
    except (OverflowError, DataError):
        # SQLite's driver raises the one, PostgreSQL the other.
        raise CommandError("a number, a date or a text is larger than can be kept") from None
    except DatabaseBusy as error:
        raise click.ClickException(str(error)) from None
    except (OperationalError, ProgrammingError) as error:
        trouble = _database_trouble(error)
        if trouble is None:
            raise
        raise trouble from None
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever read our output has enough; click ends quietly
            raise
        raise CommandError(
            f"{error.filename or 'input or output'}: {error.strerror or error}"
        ) from None


def _database_trouble(error: OperationalError | ProgrammingError) -> click.ClickException | None:
    """What is the matter with the database, and what to do; None where the program is to blame."""
    reason = str(error.orig).strip().partition("\n")[0]
    # psycopg's errors bear a code of the SQL standard; SQLite's have only words.
    state = getattr(error.orig, "sqlstate", "")
    if state == _NO_RIGHT:
        return CommandError(f"the database: {reason} ({_WHOSE})")
    if isinstance(error, ProgrammingError) and state not in _NO_SUCH_TABLE:
        return None
    message = f"the database: {reason}"
    if state in _NO_SUCH_TABLE or reason.startswith("no such "):
        message += " (flask db upgrade brings it up to date)"
    return click.ClickException(message)


class Number(click.IntRange):
    """A whole number within bounds, and called so where something else was typed."""

    name = "whole number"


def _in_one_line(error: click.UsageError, called: str = "") -> CommandError:
    """A mistake in how the command `called` so is called; where to read how it is."""
    message = " ".join(error.format_message().split())
    path = error.ctx.command_path if error.ctx else called
    if path:
        message += f" ({path} --help)"
    return CommandError(message)


class PortalCommand(click.Command):
    """A command whose mistakes are told in one line; with `feature` for tenants that have it on
    (COM-03).
    """

    def __init__(
        self,
        name: str | None,
        *,
        callback: Callable[..., object] | None = None,
        params: list[click.Parameter] | None = None,
        help: str | None = None,  # noqa: A002 - click's
        feature: str = "",
    ) -> None:
        super().__init__(name, callback=callback, params=params, help=help)
        self.feature = feature

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """Read what was typed."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            # The mistake is found before there is a context that could name the command.
            names = [parent.command_path] if parent else []
            raise _in_one_line(error, " ".join([*names, info_name or ""])) from None

    def invoke(self, ctx: click.Context) -> object:
        """Run it."""
        with one_line():
            result: object = super().invoke(ctx)
            return result


class CommandGroup(AppGroup):
    """A group of such commands; with `feature` they are for tenants that have it on (COM-03)."""

    command_class = PortalCommand

    def __init__(self, name: str, *, help: str, feature: str = "") -> None:  # noqa: A002 - click's
        super().__init__(name, help=help)
        self.feature = feature

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise _in_one_line(error) from None


def require_offered(tenant: Tenant) -> None:
    """Refuse a command of a module or feature that the tenant has not switched on (COM-03).

    Raises CommandError.
    """
    # From the command up to the program: a brand's commands stand in its group.
    context: click.Context | None = click.get_current_context()
    while context is not None:
        command = context.command
        for key, brand in current_app.extensions["brands"].items():
            if brand.commands is command and key not in tenant.modules:
                on = ", ".join(tenant.modules) or "none"
                raise CommandError(f"the module {key} is off at {tenant.key!r}; on is: {on}")
        if isinstance(command, PortalCommand | CommandGroup):
            feature = command.feature
            if feature and not tenant.has(feature):
                raise CommandError(f"features.{feature} is off at {tenant.key!r}")
        context = context.parent


def login() -> str:
    """The account of this machine that runs the command."""
    # Not LOGNAME or USER, which anybody sets to anything.
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container may run under a number that has no name
        return f"uid {number}"


class FileContent(NamedTuple):
    """A file as it was read: its name without the folders, and its bytes."""

    name: str
    data: bytes


def read_file(path: Path) -> FileContent:
    """What stands in a file, or comes out of a named pipe."""
    return FileContent(path.name, path.read_bytes())


def _standard_input() -> bytes:
    return sys.stdin.buffer.read()


def is_terminal() -> bool:
    """Whether somebody sits at the keyboard, so that there is nothing to read from a pipe."""
    return sys.stdin.isatty()


def read_text(path: Path) -> str:
    """What is written in a file, or comes from standard input (-), as `as_text` takes it."""
    if path == STANDARD_INPUT:
        return as_text("standard input", _standard_input())
    return as_text(str(path), path.read_bytes())


def as_text(name: str, data: bytes) -> str:
    """What is written in `data`, called `name`.

    Raises CommandError for nothing, too much, and no UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")  # editors of Windows begin a file with a byte order mark
    except UnicodeDecodeError:
        raise CommandError(f"{name} is not UTF-8") from None
    if "\0" in text:  # PostgreSQL keeps none
        raise CommandError(f"{name} is no text")
    if not text.strip():
        raise CommandError(f"{name} is empty")
    if len(text) > _LONGEST_TEXT:
        raise CommandError(f"{name} is longer than {_LONGEST_TEXT:,} characters")
    return text


@contextmanager
def progress() -> Iterator[Callable[[int], None]]:
    """Say on standard error how many lines are done: on one line of a terminal, now and then in a
    log.
    """
    if not sys.stderr.isatty():
        yield _report_to_log
        return
    yield _report_to_terminal
    click.echo("\r\x1b[K", err=True, nl=False)


def _report_to_terminal(count: int) -> None:
    if count % _PROGRESS_TERMINAL == 0:
        click.echo(f"\r{count:,} lines checked", err=True, nl=False)


def _report_to_log(count: int) -> None:
    if count % _PROGRESS_LOG == 0:
        click.echo(f"{count:,} lines checked", err=True)
