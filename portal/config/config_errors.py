"""What is wrong in a tenants file, so that an admin can mend it: where, which key, what would be
right (OPS-02).

`tomllib` gives values without lines, but it finds the edges: a statement ends with the line up to
which it can be read on its own, and what it holds so far is seen by closing its strings and
brackets after each line.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from portal.config.schema_base import did_you_mean, unwrapped

KeyPath = tuple[str | int, ...]
RawTable = Mapping[str, object]
"""A table as it stands in the file, before its types have been looked at: anything may be in it."""
Finding = tuple[KeyPath, str]
"""A key inside one tenant's section, and what is wrong with it."""
# Enough to find it; a pasted text must not fill the screen.
_LONGEST_QUOTE = 40
# What may be open where a line ends: a string, and arrays and inline tables within one another.
_CLOSERS = [
    string + array
    for array in ("", "]", "]]", "]}", "]}]", "]}]}", "]}]}]")
    for string in ("", '"""', "'''")
]


@dataclass(frozen=True)
class ConfigError:
    """One thing wrong in the file, or (`is_warning`) one that works and is likely not meant."""

    file: str
    line: int
    key: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        parts = [f"{self.file}:{self.line}"]
        if self.is_warning:
            parts.append("warning")
        if self.key:
            parts.append(self.key)
        return ": ".join([*parts, self.message])


class TenantsInvalid(Exception):
    """A tenants file cannot be used; `mistakes` says everything that is wrong with it."""

    def __init__(self, mistakes: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


def findings(error: ValidationError, model: type[BaseModel]) -> Iterator[Finding]:
    """What pydantic found wrong with data for `model`, in an admin's words."""
    found = error.errors(include_url=False)
    for detail in found:
        # Of a wrong key in a table of free names pydantic adds "[key]" to its place.
        path = tuple(part for part in detail["loc"] if part != "[key]")
        if not _follows(detail, found):
            yield path, _words(detail, path, model)


def _follows(detail: ErrorDetails, found: Sequence[ErrorDetails]) -> bool:
    """Whether this mistake only follows from another one.

    pydantic counts a list without its wrong items, and calls it too short then.
    """
    depth = len(detail["loc"])
    return detail["type"] == "default_factory_not_called" or (
        detail["type"] == "too_short"
        and any(len(one["loc"]) > depth and one["loc"][:depth] == detail["loc"] for one in found)
    )


def _words(detail: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key{_where_it_belongs(path, model)}"
        case "missing":
            return f"is missing{_meaning(path, model)}"
        # pydantic gives the known words as a sentence alone: 'a', 'b' or 'c'.
        case "literal_error":
            known = [
                word.strip("'")
                for word in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")
            ]
            return f"{_quoted(detail['input'])} is unknown{did_you_mean(detail['input'], known)}"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "string_pattern_mismatch":
            return f"{_quoted(detail['input'])} will not do{_meaning(path, model)}"
    message = f"{detail['msg'].removeprefix('Input ')}, but is {_quoted(detail['input'])}"
    if detail["type"] in ("too_short", "too_long"):
        message = _size(detail)
    return f"{message}{_meaning(path, model)}"


def _size(detail: ErrorDetails) -> str:
    """A list that is too short or too long."""
    count = len(detail["input"])
    bounds = detail["ctx"]
    if detail["type"] == "too_long":
        return f"has {count}; {bounds['max_length']} are the most"
    fewest = bounds["min_length"]
    if fewest == 1:
        return "is empty; write one at least"
    return f"has {count}; {fewest} are the fewest"


def _where_it_belongs(path: KeyPath, model: type[BaseModel]) -> str:
    """A hint for an unknown key: the table that has such a key, or else the nearest key here."""
    # A key in the wrong table is the commonest mistake: in TOML all after a header belongs to it.
    wanted = str(path[-1])
    for table, name, _field in walk(model):
        # Several kinds of tables have a `key`: to point at one of them would mislead.
        if name == wanted != "key":
            return f" here; it belongs to [{'.'.join(('tenants', 'KEY', *table))}]"
    keys = (name for table, name, _field in walk(model) if _is(table, path[:-1]))
    return did_you_mean(wanted, (name for name in keys if name != "key"))


def _meaning(path: KeyPath, model: type[BaseModel]) -> str:
    """What the key at `path` is for, in brackets; "" where nothing says so."""
    for end in (path, path[:-1]):  # a key of one's own means what its holder does
        for table, name, field in walk(model):
            if field.description and _is((*table, name), end):
                return f" ({unwrapped(field.description)})"
    return ""


def _quoted(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > _LONGEST_QUOTE:
        return f"{text[:_LONGEST_QUOTE]}…"
    return text


def walk(
    model: type[BaseModel], table: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, FieldInfo]]:
    """Every key under `model`: its table (KIND for a name of one's own), its name, its field."""
    for name, field in model.model_fields.items():
        yield table, name, field
        inner = _model_in(field.annotation)
        if inner is not None:
            path = (*table, name)
            if get_origin(field.annotation) is dict:
                path = (*path, "KIND")
            yield from walk(inner, path)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The table type that an annotation holds: itself, optional, or as items of a list or table."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def _is(place: tuple[str, ...], path: KeyPath) -> bool:
    """Whether `path` leads to `place`, by whatever items and names of one's own."""
    keys = [part for part in path if not isinstance(part, int)]
    return len(place) == len(keys) and all(
        part in (key, "KIND") for part, key in zip(place, keys, strict=True)
    )


class LineNumbers:
    """The line (from 1) of every key, table and array item of a TOML text."""

    def __init__(self, text: str = "") -> None:
        """Go over `text`, which must be valid TOML.

        Where it is not, what was understood up to there is kept.
        """
        # The file itself is there in any case, so that every path has an ancestor.
        self._lines: dict[KeyPath, int] = {(): 1}
        newest: dict[KeyPath, int] = {}
        table: KeyPath = ()
        statement = ""
        closer = ""
        begun = 0
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
            statement += f"{line}\n"
            if closer.strip("]}") not in line:  # the string goes on
                continue
            # A statement is whole when nothing had to be added; until then it goes on with the next
            # line, and what it names so far begins here.
            parsed, closer = _read(statement)
            begun = begun or number
            paths = _paths(parsed, table)
            if parsed and statement.lstrip().startswith("["):
                table = _opened(parsed, newest)
                paths = (table[:depth] for depth in range(len(table)))
                self._lines[table] = begun  # [a.b] may have stood before [a]
            for path in paths:
                self._lines.setdefault(path, begun)
            if parsed or not closer:
                begun = 0
            if not closer:
                statement = ""

    def get(self, path: KeyPath) -> int | None:
        """The line that says something about `path` itself, None where none does."""
        return self._lines.get(path)

    def nearest(self, path: KeyPath) -> int:
        """The line of `path`, or of its nearest ancestor that the file names."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]


def _read(statement: str) -> tuple[dict[str, object], str]:
    """What `statement` says so far, and what had to be added to read it."""
    for closer in _CLOSERS:
        # TOMLDecodeError is a ValueError; brackets without end go too deep.
        with suppress(ValueError, RecursionError):
            return tomllib.loads(statement + closer), closer
    return {}, "]"  # goes on in any case


def _opened(parsed: dict[str, object], newest: dict[KeyPath, int]) -> KeyPath:
    """The table that ``[a.b]`` or ``[[a.b]]`` opens for the keys after it.

    ``[[a.b]]`` opens the newest item of its array.
    """
    path: KeyPath = ()
    inner: object = parsed
    while isinstance(inner, dict) and inner:
        # A header alone says one name within another.
        ((name, inner),) = inner.items()
        path = (*path, name)
        if isinstance(inner, list):
            newest[path] = newest.get(path, -1) + 1
        if path in newest:
            path = (*path, newest[path])
    return path


def _paths(value: object, path: KeyPath) -> Iterator[KeyPath]:
    """`path`, and the paths of all that `value` holds."""
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _paths(item, (*path, place))


def dotted(path: KeyPath) -> str:
    """A path as an admin reads it: ``tenants.facility.calendar.closed[0].first``."""
    return "".join(map(_dotted_part, path)).lstrip(".")


def _dotted_part(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}"
