"""Commands that print a table of what they find: the columns are data (OPS-10)."""

import functools
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import click

from portal.core.clock import to_local
from portal.web.commands import Command, json_option, limit_option, tenant_command
from portal.web.output import table

Column = str | tuple[str, str | Callable[[Any], object]]
Option = Callable[[Command], Command]


def moment(attribute: str, form: str = "%Y-%m-%d %H:%M") -> Callable[[Any], str]:
    """Reads an instant as the clock in Tokyo says it; empty where there is none."""

    def read(found: Any) -> str:
        at = attrgetter(attribute)(found)
        return f"{to_local(at):{form}}" if at else ""

    return read


def listing(group: click.Group, name: str, columns: Iterable[Column], *options: Option) -> Option:
    """Make the command `name` of a brand: it prints what the function returns, with --limit and --json.

    A column is an attribute, or a heading and the attribute or function that its cells are read with.
    """
    pairs = [(column, column) if isinstance(column, str) else column for column in columns]
    readers = [attrgetter(read) if isinstance(read, str) else read for _heading, read in pairs]

    def register(find: Command) -> Command:
        @functools.wraps(find)
        def command(as_json: bool, **words: Any) -> None:
            rows = [[read(found) for read in readers] for found in find(**words)]
            table([heading for heading, _read in pairs], rows, as_json)

        made = tenant_command(command)
        for option in reversed((*options, limit_option, json_option)):
            made = option(made)
        return group.command(name)(made)

    return register
