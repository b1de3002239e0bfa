"""What commands print: tables for people, JSON for programs, one line for what went wrong (OPS-10)."""

import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, NoReturn

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from portal.cli.command_line import CommandError
from portal.cli.commands import Command, Option, call, json_option, limit_option, question
from portal.core.clock import to_local

_GAP = 2
"""Blanks between two columns."""
_LONGEST_WHOLE = 32
"""A number, a date or another word of so many characters is never broken in two."""
_NARROWEST = 6
"""A column of text has at least so many cells."""
Column = str | tuple[str, str | Callable[[Any], object]]

# What a customer typed must not be able to steer the operator's terminal.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(typed: str) -> str:
    """What somebody typed, without what would steer a terminal."""
    return _CONTROL.sub("�", typed)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], as_json: bool = False) -> None:
    """Print `rows` under `columns`, or as a JSON list of objects when `as_json`.

    A table is as wide as the terminal, or 80 columns when there is none; long cells are folded,
    never cut. Where it has no room, each row is a record of its own, a column a line.
    """
    rows = list(rows)
    if as_json:
        json_out([dict(zip(columns, row, strict=True)) for row in rows])
        return
    cells = [[harmless(_words(value)) for value in row] for row in rows]
    console = Console(highlight=False)
    widths = _widths(columns, cells, console.width - _GAP * (len(columns) - 1))
    if widths is None:
        _print_records(console, columns, cells)
        return
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, _GAP - 1, 0, 0))
    for index, column in enumerate(columns):
        side: Literal["left", "right"] = "right" if _is_number(rows, index) else "left"
        drawn.add_column(column, overflow="fold", width=widths[index], justify=side)
    for line in cells:
        drawn.add_row(*(Text(cell) for cell in line))
    console.print(drawn)


def _widths(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """How many cells of the terminal each column gets; None where they cannot all stand side by
    side.

    The widest give way first, and none so far that a number, a date or a heading is broken in two:
    such could be neither read nor copied.
    """
    below = list(zip(*cells, strict=True)) or [()] * len(columns)
    widths = []
    least = []
    for column, texts in zip(columns, below, strict=True):
        lines = [line for text in (column, *texts) for line in text.split("\n")]
        words = [word for line in lines for word in line.split() if word.isascii()]
        widths.append(max(map(cell_len, lines)))
        whole = [len(word) for word in words if len(word) <= _LONGEST_WHOLE]
        least.append(min(widths[-1], max([_NARROWEST, *whole])))
    if sum(least) > room:
        return None
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda index: widths[index] - least[index])
        widths[widest] -= 1
    return widths


def _print_records(
    console: Console, columns: Sequence[str], cells: Sequence[Sequence[str]]
) -> None:
    """Row for row, a column a line: for terminals that are too narrow for a table."""
    for line in cells:
        record = Table.grid(padding=(0, _GAP, 0, 0))
        record.add_column(no_wrap=True)
        record.add_column(overflow="fold")
        for column, cell in zip(columns, line, strict=True):
            record.add_row(column, Text(cell))
        console.print(record)
        console.print()


def json_out(data: object) -> None:
    """Print `data` as JSON, Japanese as it is; dates and the like become text, instants as the
    clock in Tokyo.
    """
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: object) -> str:
    """What JSON has no form for; instants as ISO 8601 has them, by the clock in Tokyo."""
    return to_local(value).isoformat() if isinstance(value, datetime) else str(value)


def fail(message: str) -> NoReturn:
    """End the command with exit code 2 and one line on standard error."""
    raise CommandError(" ".join(harmless(message).split()))


def _is_number(rows: Sequence[Sequence[Any]], index: int) -> bool:
    values = [row[index] for row in rows if row[index] is not None]
    return bool(values) and all(
        isinstance(value, int) and not isinstance(value, bool) for value in values
    )


def _words(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{to_local(value):%Y-%m-%d %H:%M}"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def moment(attribute: str, form: str = "%Y-%m-%d %H:%M") -> Callable[[Any], str]:
    """Reads an instant as the clock in Tokyo says it; empty where there is none."""

    def read(found: Any) -> str:
        at = attrgetter(attribute)(found)
        return f"{to_local(at):{form}}" if at else ""

    return read


def listing(
    group: click.Group, name: str, columns: Iterable[Column], *options: Option, most: int = 30
) -> Option:
    """Make the command `name` of a brand: it prints what the function returns, with --limit (else
    `most`) and --json.

    A column is an attribute, or a heading and the attribute or function that its cells are read
    with.
    """
    pairs = [(column, column) if isinstance(column, str) else column for column in columns]
    readers = [attrgetter(read) if isinstance(read, str) else read for _heading, read in pairs]

    def register(find: Command) -> Command:
        @functools.wraps(find)
        def command(as_json: bool, **words: Any) -> None:
            rows = [[read(found) for read in readers] for found in call(find, words)]
            table([heading for heading, _read in pairs], rows, as_json)

        return question(group, name, *options, limit_option(most), json_option)(command)

    return register
