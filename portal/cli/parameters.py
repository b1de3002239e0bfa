"""Options and arguments that many commands take, and callbacks that check what was typed into them
(OPS-10).
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from portal.cli.command_line import Number
from portal.core import clock, text
from portal.shared.documents.typefaces import UndrawableText, check_drawable

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FILE_OR_STANDARD_INPUT = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
"""A file, or standard input (-); `read_text` reads either."""

json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")


def limit_option(default: int = 30) -> Callable[[F], F]:
    """The option --limit: how many rows at most."""
    return click.option(
        "--limit",
        default=default,
        show_default=True,
        type=Number(1, 100_000),
        help="At most so many.",
    )


def day_option(
    *names: str,
    help: str,  # noqa: A002 - click's
    required: bool = False,
) -> Callable[[F], F]:
    """An option for a day, YYYY-MM-DD; the command gets a date, or None where it was left out.

    `names` are as click takes them: the option's, and the parameter's where that is another.
    """
    return click.option(
        *names, type=click.DateTime(["%Y-%m-%d"]), callback=_as_day, required=required, help=help
    )


def _as_day(
    _context: click.Context, _parameter: click.Parameter, at: datetime | None
) -> date | None:
    return at.date() if at else None


_INSTANT = click.DateTime(["%Y-%m-%dT%H:%M"])
_INSTANT_FORMAT = "YYYY-MM-DDTHH:MM"


def instant_option(name: str, *, help: str) -> Callable[[F], F]:  # noqa: A002 - click's
    """An option for an instant by the clock in Tokyo; the command gets it in UTC, or None where it
    was left out.
    """
    return click.option(
        name, type=_INSTANT, callback=_from_tokyo, metavar=_INSTANT_FORMAT, help=help
    )


def instant_argument(name: str) -> Callable[[F], F]:
    """An argument for an instant by the clock in Tokyo; the command gets it in UTC."""
    return click.argument(name, type=_INSTANT, callback=_from_tokyo, metavar=_INSTANT_FORMAT)


def _from_tokyo(
    _context: click.Context, _parameter: click.Parameter, at: datetime | None
) -> datetime | None:
    if at is None:
        return None
    # Beyond these the conversion, or a neighbouring day, leaves what Python has a date for.
    if not clock.FIRST_DAY <= at.date() <= clock.LAST_DAY:
        raise click.BadParameter(f"a day from {clock.FIRST_DAY} to {clock.LAST_DAY}")
    return at.replace(tzinfo=clock.TOKYO).astimezone(UTC)


def typed(
    read: Callable[[str], T], longest: int = 0
) -> Callable[[click.Context, click.Parameter, str], T | str]:
    """A callback: what was typed as `read` makes it, 1 to `longest` characters (0: any number), or
    the default.
    """

    def check(_context: click.Context, parameter: click.Parameter, value: str) -> T | str:
        # The default stands for "nothing was said", which `read` may refuse.
        if not value and value == parameter.default:
            return value
        return _read(read, value, longest)

    return check


def typed_or_none(
    read: Callable[[str], str] = text.normalise, *, longest: int
) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A callback: what was typed as `read` makes it, 1 to `longest` characters; None where it was
    left out.
    """

    def check(
        _context: click.Context, _parameter: click.Parameter, value: str | None
    ) -> str | None:
        return None if value is None else _read(read, value, longest)

    return check


def _read(read: Callable[[str], T], value: str, longest: int) -> T:
    """What `read` makes of a text. Raises BadParameter where it refuses it, or its length is
    wrong.
    """
    try:
        made = read(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    is_too_long = longest and isinstance(made, str) and len(made) > longest
    if not made or is_too_long:
        raise click.BadParameter(f"write 1 to {longest} characters" if longest else "is empty")
    return made


def printable(value: str) -> str:
    """One line of free text that documents can print (COM-70).

    Raises ValueError, which names the character.
    """
    return _drawable(text.one_line(value))


def printable_name(value: str) -> str:
    """A person's name that documents can print, in the usual width (COM-70).

    Raises ValueError, which names the character.
    """
    return _drawable(text.usual_width(value))


def _drawable(made: str) -> str:
    try:
        check_drawable(made)
    except UndrawableText as refused:
        raise ValueError(str(refused)) from None
    return made


def instant(value: str) -> datetime:
    """An ISO date and time, by the clock in Tokyo where it names no zone.

    Raises ValueError with an example.
    """
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("an ISO date and time, e.g. 2026-11-22T09:00") from None
    return at if at.tzinfo else at.replace(tzinfo=clock.TOKYO)
