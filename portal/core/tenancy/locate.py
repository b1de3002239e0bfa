"""Where each key of a TOML file stands: `tomllib` gives values without lines, and an admin needs the line.

The scanner walks text that `tomllib` has accepted already, so it only has to find the edges of keys and values.
"""

import re
import tomllib
from bisect import bisect_right
from typing import Any

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_CLOSE = re.compile(r"[ \t]*\]{1,2}")
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


class Lines:
    """The line (from 1) of every key, table and array item of a TOML text."""

    def __init__(self, text: str) -> None:
        """Scan `text`, which must be valid TOML; of anything else, what was understood so far is kept."""
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lines: dict[KeyPath, int] = {(): 1}
        self._items: dict[KeyPath, int] = {}
        self._at = 0
        self._scan()

    def of(self, path: KeyPath) -> int:
        """The line of `path`, or of its nearest ancestor that the file names."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _scan(self) -> None:
        table: KeyPath = ()
        while self._skip_blank() < len(self._text):
            begun = self._at
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            if self._at == begun:
                return

    def _skip_blank(self) -> int:
        self._at = _match(_BLANK, self._text, self._at)
        return self._at

    def _take(self, mark: str) -> bool:
        """Step over `mark` if it stands here, blanks before it aside."""
        found = self._text.startswith(mark, self._skip_blank())
        self._at += len(mark) if found else 0
        return found

    def _header(self) -> KeyPath:
        """``[a.b]`` or ``[[a.b]]``: the table that the following keys belong to."""
        begun = self._at
        is_item = self._text.startswith("[[", self._at)
        self._at += 2 if is_item else 1
        *parents, name = self._key()
        self._at = _match(_CLOSE, self._text, self._at)
        path = self._resolve((), parents)
        if not is_item:
            return self._note(self._resolve(path, [name]), begun)
        self._items[(*path, name)] = self._items.get((*path, name), -1) + 1
        return self._note((*path, name, self._items[(*path, name)]), begun)

    def _resolve(self, path: KeyPath, names: list[str]) -> KeyPath:
        """`path` with `names`, an array of tables standing for its newest item."""
        for name in names:
            path = (*path, name)
            if path in self._items:
                path = (*path, self._items[path])
        return path

    def _key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._skip_blank()
            found = _KEY_PART.match(self._text, self._at)
            if found is None:
                return names or [""]
            names.append(_plain(found.group()))
            self._at = found.end()
            if not self._take("."):
                return names

    def _pair(self, table: KeyPath) -> None:
        path = (*table, *self._key())
        begun = self._at
        if self._take("="):
            self._note(path, begun)
            self._value(path)

    def _value(self, path: KeyPath) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            while not self._take("}"):
                self._pair(path)
                if not self._take(","):
                    self._take("}")
                    return
        else:
            string = _match(_STRING, self._text, self._at)
            self._at = string if string > self._at else _match(_SCALAR, self._text, self._at)

    def _array(self, path: KeyPath) -> None:
        index = 0
        while not self._take("]"):
            self._note((*path, index), self._at)
            self._value((*path, index))
            index += 1
            if not self._take(","):
                self._take("]")
                return

    def _note(self, path: KeyPath, at: int) -> KeyPath:
        line = bisect_right(self._starts, at)
        for depth in range(1, len(path)):
            self._lines.setdefault(path[:depth], line)
        self._lines[path] = line
        return path


def _match(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where `pattern` ends when it stands at `at`, else `at`."""
    found = pattern.match(text, at)
    return found.end() if found else at


def _plain(token: str) -> str:
    """A key as it is meant, without its quotes."""
    if token[0] not in "\"'":
        return token
    try:
        return str(tomllib.loads(f"key = {token}")["key"])
    except tomllib.TOMLDecodeError:
        return token


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
