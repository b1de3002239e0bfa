"""What commands print: tables for people, JSON for programs, one line for a mistake (OPS-10)."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NoReturn

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from portal.cli.command_line import CommandError
from portal.core.clock import to_local

_GAP = 2
"""Blanks between two columns."""
_LONGEST_WHOLE = 32
"""A number, a date or another word of so many characters is never broken in two."""
_NARROWEST = 6
"""A column of text has at least so many cells."""

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
    cells = [[harmless(_as_text(value)) for value in row] for row in rows]
    console = Console(highlight=False)  # which would colour numbers and paths in what people typed
    widths = _widths(columns, cells, console.width - _GAP * (len(columns) - 1))
    if widths is None:
        _print_records(console, columns, cells)
        return
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, _GAP - 1, 0, 0))
    for index, column in enumerate(columns):
        side: Literal["left", "right"] = "right" if _is_number(rows, index) else "left"
        drawn.add_column(column, overflow="fold", width=widths[index], justify=side)
    for line in cells:
        # As Text: in a plain string rich would read [brackets] as its markup.
        drawn.add_row(*(Text(cell) for cell in line))
    console.print(drawn)


def _widths(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """How many cells of the terminal each column gets; None where they cannot all stand side by
    side.

    The widest give way first, and none so far that a number, a date or a heading is broken in two:
    such could be neither read nor copied.
    """
    below: list[tuple[str, ...]] = list(zip(*cells, strict=True)) or [()] * len(columns)
    widths = []
    minima = []
    for column, texts in zip(columns, below, strict=True):
        lines = [line for text in (column, *texts) for line in text.split("\n")]
        # Japanese has no blanks and breaks anywhere; only what is written in ASCII must stay whole.
        words = [word for line in lines for word in line.split() if word.isascii()]
        widths.append(max(map(cell_len, lines)))
        whole = [len(word) for word in words if len(word) <= _LONGEST_WHOLE]
        minima.append(min(widths[-1], max([_NARROWEST, *whole])))
    if sum(minima) > room:
        return None
    while sum(widths) > room:
        spare = [width - minimum for width, minimum in zip(widths, minima, strict=True)]
        widths[spare.index(max(spare))] -= 1
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


def _is_number(rows: Sequence[Sequence[object]], index: int) -> bool:
    """Whether a column holds numbers, which stand at its right side."""
    values = [row[index] for row in rows if row[index] is not None]
    # bool is a subclass of int, and "yes" is no number.
    return bool(values) and all(
        isinstance(value, int) and not isinstance(value, bool) for value in values
    )


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return local_minute(value)
    return str(value)


def local_minute(at: datetime | None) -> str:
    """An instant as the clock in Tokyo says it, e.g. 2026-11-22 09:00; empty for None."""
    return f"{to_local(at):%Y-%m-%d %H:%M}" if at else ""


def local_day(at: datetime | None) -> str:
    """The day of an instant in Tokyo, e.g. 2026-11-22; empty for None."""
    return f"{to_local(at):%Y-%m-%d}" if at else ""
