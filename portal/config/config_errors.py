"""What is wrong in a tenants file, so that an admin can mend it: where, which key, what would be
right (OPS-02).

`tomllib` gives values without lines, but it finds the edges: a statement ends with the line up to
which it can be read on its own, and what it holds so far is seen by closing its strings and
brackets after each line.
"""

import json
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from portal.config.schema_base import did_you_mean, unwrapped

KeyPath = tuple[str | int, ...]
Finding = tuple[KeyPath, str]
"""A key inside one tenant's section, and what is wrong with it."""
_LONGEST_QUOTE = 40
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
        kind = "warning: " if self.is_warning else ""
        return f"{self.file}:{self.line}: {kind}{self.key + ': ' if self.key else ''}{self.message}"


class TenantsInvalid(Exception):
    """A tenants file cannot be used; `mistakes` says everything that is wrong with it."""

    def __init__(self, mistakes: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


def findings(error: ValidationError, model: type[BaseModel]) -> Iterator[Finding]:
    """What pydantic found wrong with data for `model`, in an admin's words."""
    found = error.errors(include_url=False)
    for detail in found:
        path = tuple(part for part in detail["loc"] if part != "[key]")
        if not _follows(detail, found):
            yield path, _words(detail, path, model)


def _follows(detail: ErrorDetails, found: Sequence[ErrorDetails]) -> bool:
    """Whether another mistake alone makes this one: a list is counted without its items that are
    wrong.
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
    said = f"{detail['msg'].removeprefix('Input ')}, but is {_quoted(detail['input'])}"
    if detail["type"] in ("too_short", "too_long"):
        said = _size(detail)
    return f"{said}{_meaning(path, model)}"


def _size(detail: ErrorDetails) -> str:
    """A list that is too short or too long."""
    count = len(detail["input"])
    bounds = detail["ctx"]
    if detail["type"] == "too_long":
        return f"has {count}; {bounds['max_length']} are the most"
    fewest = bounds["min_length"]
    return (
        "is empty; write one at least" if fewest == 1 else f"has {count}; {fewest} are the fewest"
    )


def _where_it_belongs(path: KeyPath, model: type[BaseModel]) -> str:
    """A hint for an unknown key: the table that has such a key, or else the nearest key of this
    one.
    """
    wanted = str(path[-1])
    for table, name, _field in walk(model):
        if name == wanted != "key":
            return f" here; it belongs to [{'.'.join(('tenants', 'KEY', *table))}]"
    keys = (name for table, name, _field in walk(model) if _is(table, path[:-1]))
    return did_you_mean(wanted, (name for name in keys if name != "key"))


def _meaning(path: KeyPath, model: type[BaseModel]) -> str:
    ends = (path, path[:-1])  # a key of one's own means what its holder does
    fields = (
        field for end in ends for table, name, field in walk(model) if _is((*table, name), end)
    )
    return next((f" ({unwrapped(field.description)})" for field in fields if field.description), "")


def _quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def walk(
    model: type[BaseModel], table: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, FieldInfo]]:
    """Every key under `model`: the table it stands in (KIND for a name of one's own), its name, its
    field.
    """
    for name, field in model.model_fields.items():
        yield table, name, field
        inner = _model_in(field.annotation)
        if inner is not None:
            yield from walk(
                inner, (*table, name, *(("KIND",) if get_origin(field.annotation) is dict else ()))
            )


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The table type that an annotation holds: itself, optional, or as the items of a list or
    table.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _is(place: tuple[str, ...], path: KeyPath) -> bool:
    """Whether `path` leads to `place`, by whatever items and names of one's own."""
    keys = [part for part in path if not isinstance(part, int)]
    return len(place) == len(keys) and all(
        part in (key, "KIND") for part, key in zip(place, keys, strict=True)
    )


class LineNumbers:
    """The line (from 1) of every key, table and array item of a TOML text."""

    def __init__(self, text: str) -> None:
        """Go over `text`, which must be valid TOML; of anything else, what was understood so far is
        kept.
        """
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
            said, closer = _read(statement)
            begun = begun or number
            paths = _paths(said, table)
            if said and statement.lstrip().startswith("["):
                table = _opened(said, newest)
                paths = (table[:depth] for depth in range(len(table)))
                self._lines[table] = begun  # [a.b] may have stood before [a]
            for path in paths:
                self._lines.setdefault(path, begun)
            begun = 0 if said or not closer else begun
            statement = statement if closer else ""

    def get(self, path: KeyPath) -> int | None:
        """The line that says something about `path` itself, None where none does."""
        return self._lines.get(path)

    def of(self, path: KeyPath) -> int:
        """The line of `path`, or of its nearest ancestor that the file names."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]


def _read(statement: str) -> tuple[dict[str, Any], str]:
    """What `statement` says so far, and what had to be added to read it."""
    for closer in _CLOSERS:
        with suppress(ValueError, RecursionError):
            return tomllib.loads(statement + closer), closer
    return {}, "]"  # goes on in any case


def _opened(said: Any, newest: dict[KeyPath, int]) -> KeyPath:
    """The table that ``[a.b]`` or ``[[a.b]]`` opens for the keys after it; of an array, its newest
    item.
    """
    path: KeyPath = ()
    while said:
        ((name, said),) = said.items()
        path = (*path, name)
        if isinstance(said, list):
            newest[path] = newest.get(path, -1) + 1
            said = {}
        if path in newest:
            path = (*path, newest[path])
    return path


def _paths(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    yield path
    for part, inner in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else ())
    ):
        yield from _paths(inner, (*path, part))


def dotted(path: KeyPath) -> str:
    """A path as an admin reads it: ``tenants.facility.calendar.closed[0].first``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).lstrip(".")
