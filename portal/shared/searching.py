"""Searching an account's rows: what may be asked is told once, each way to ask is built once
(COM-21).

Plain columns of the bare tables, because lists are read far more often than anything else; the
statement names the tenant itself, and the SQL guard checks it. Dates are days in Asia/Tokyo, both
included.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select

from portal.core import Query, require_key
from portal.core.clock import day_start
from portal.core.folding import Folded
from portal.core.text import folded, like_escape

Criterion = tuple[Callable[[Any], ColumnElement[bool]], Callable[[Any], Any]]
"""What is compared with the value, and how the value is read."""


@dataclass(frozen=True, slots=True)
class Keywords:
    """Words between blanks of any width, all of which must be found; `holds` compares with the
    pattern of one.
    """

    holds: Callable[[Any], ColumnElement[bool]]


def keywords(*columns: Any) -> Keywords:
    """Each word stands in one of these columns, in whatever width and case."""

    def holds(asked: Any) -> ColumnElement[bool]:
        return or_(*(Folded(column).like(asked, escape="\\") for column in columns))

    return Keywords(holds)


def same(column: Any) -> Criterion:
    """Just that."""
    return column.__eq__, lambda value: value


def ticked(criterion: ColumnElement[bool]) -> Criterion:
    """What meets `criterion`, once it is asked for at all: the value itself says nothing more."""

    def meets(asked: Any) -> ColumnElement[bool]:
        # The statement must take the parameter that every search binds.
        return and_(criterion, asked.is_not(None))

    return meets, bool


def among(column: Any) -> Criterion:
    """One of several."""

    def compare(asked: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = column.in_(bindparam(asked.key, expanding=True))
        return found

    return compare, list


def part(column: Any) -> Criterion:
    """Stands somewhere in it."""
    return lambda asked: column.like(asked, escape="\\"), pattern


def part_of_number(column: Any) -> Criterion:
    """Stands somewhere in a public number, which is written in capitals however it was typed."""

    def read(asked: str) -> str:
        return pattern(asked.upper())

    return part(column)[0], read


def pattern(asked: str) -> str:
    """What LIKE finds it by, anywhere."""
    return f"%{like_escape(asked)}%"


def folded_pattern(asked: str) -> str:
    """What LIKE finds it by, anywhere in a column that is `Folded`."""
    return pattern(folded(asked))


def since(column: Any) -> Criterion:
    """On that day or later; from that minute on where an instant is asked for."""
    return column.__ge__, _beginning


def until(column: Any) -> Criterion:
    """On that day or earlier; up to that minute where an instant is asked for."""
    return column.__lt__, _end


def _beginning(asked: date) -> datetime:
    return asked if isinstance(asked, datetime) else day_start(asked)


def _end(asked: date) -> datetime:
    """The first instant that is too late: days and minutes are included as a whole."""
    if isinstance(asked, datetime):
        return asked + timedelta(minutes=1)
    return day_start(asked + timedelta(days=1))


def first_day(column: Any) -> Criterion:
    """On that day or later, for a column that holds days."""
    return column.__ge__, lambda day: day


def last_day(column: Any) -> Criterion:
    """On that day or earlier, for a column that holds days."""
    return column.__le__, lambda day: day


def own(table: Any, shown: Iterable[str]) -> Select[Any]:
    """An account's rows, as these columns; to be found with `account`."""
    of = table.c.tenant_id == bindparam("tenant"), table.c.account_id == bindparam("account")
    return select(*(table.c[name] for name in shown)).where(*of)


class Search:
    """A list and what it is searched by; `listed` binds `tenant`, and what else a call gives as
    `values`.
    """

    def __init__(self, listed: Select[Any], criteria: Mapping[str, Criterion | Keywords]) -> None:
        self._listed = listed
        self._criteria = criteria
        self._built: dict[tuple[str, ...], Select[Any]] = {}

    def find(self, asked: Mapping[str, Any], **values: Any) -> Query:
        """What matches all that is `asked`; nothing and empty text ask for nothing."""
        given: dict[str, Any] = {}
        compared: list[ColumnElement[bool]] = []
        for name, criterion in self._criteria.items():
            for key, value, compare in _bound(name, criterion, asked.get(name)):
                given[key] = value
                compared.append(compare(bindparam(key)))
        names = tuple(given)
        if names not in self._built:
            self._built[names] = self._listed.where(*compared)
        return Query(self._built[names], {"tenant": require_key(), **values, **given})


def _bound(
    name: str, criterion: Criterion | Keywords, asked: Any
) -> Iterator[tuple[str, Any, Callable[[Any], ColumnElement[bool]]]]:
    """What is bound for what was asked, under which name, and what is compared with it: of keywords
    each for itself.
    """
    if not asked:
        return
    if isinstance(criterion, Keywords):
        for place, word in enumerate(dict.fromkeys(asked.split())):
            yield f"{name}_{place}", folded_pattern(word), criterion.holds
        return
    compare, read = criterion
    yield name, read(asked), compare
