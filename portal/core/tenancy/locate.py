"""Where each key of a TOML file stands: `tomllib` gives values without lines, and an admin needs the line.

`tomllib` itself finds the edges: a statement ends with the line up to which it can be read on its own, and what an
array holds so far is seen by closing its brackets after each line.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

KeyPath = tuple[str | int, ...]

_CLOSERS = ("", "]", "]]", "]}", "]}]")
_COULD_END = re.compile(r"""]|\"{3}|'{3}""")


class Lines:
    """The line (from 1) of every key, table and array item of a TOML text."""

    def __init__(self, text: str) -> None:
        """Go over `text`, which must be valid TOML; of anything else, what was understood so far is kept."""
        self._lines: dict[KeyPath, int] = {(): 1}
        self._items: dict[KeyPath, int] = {}
        table: KeyPath = ()
        statement, begun, is_open = "", 1, False
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
            statement += f"{line}\n"
            if is_open and not _COULD_END.search(line):
                continue
            found, closer = _read(statement)
            is_open = found is None
            if found and statement.lstrip().startswith("["):
                table = self._header(found, begun)
            elif found:
                self._note(_paths(found, table), begun)
            begun = begun if is_open else number + 1
            statement = statement if closer else ""

    def of(self, path: KeyPath) -> int:
        """The line of `path`, or of its nearest ancestor that the file names."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _header(self, found: Any, line: int) -> KeyPath:
        """``[a.b]`` or ``[[a.b]]``: the table that the following keys belong to; for an array, its newest item."""
        path: KeyPath = ()
        while found:
            ((name, found),) = found.items()
            path = (*path, name)
            if isinstance(found, list):
                self._items[path] = self._items.get(path, -1) + 1
                found = {}
            if path in self._items:
                path = (*path, self._items[path])
        self._note((path[:depth] for depth in range(len(path))), line)
        self._lines[path] = line
        return path

    def _note(self, paths: Iterator[KeyPath], line: int) -> None:
        for path in paths:
            self._lines.setdefault(path, line)


def _read(statement: str) -> tuple[dict[str, Any] | None, str]:
    """What `statement` says and what had to be added to read it; None where nothing helps, as within a string."""
    for closer in _CLOSERS:
        try:
            return tomllib.loads(statement + closer), closer
        except (ValueError, RecursionError):
            continue
    return None, "?"


def _paths(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    yield path
    for part, inner in (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    ):
        yield from _paths(inner, (*path, part))


def within(data: Any, path: KeyPath) -> bool:
    """Whether `data`, as `tomllib` read it, says anything about `path` itself."""
    for part in path:
        there = part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data))
        if not there:
            return False
        data = data[part]
    return True


def dotted(path: KeyPath) -> str:
    """A path as an admin reads it: ``tenants.facility.calendar.closed[0].first``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).lstrip(".")
