"""Searching an account's rows: what may be asked is told once, each way to ask is built once (COM-21).

Plain columns of the bare tables, because lists are read far more often than anything else; the statement names the
tenant itself, and the SQL guard checks it. Dates are days in Asia/Tokyo, both included.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, select

from portal.core import Query, require_key
from portal.core.clock import day_start
from portal.core.text import folded, like_escape

Criterion = tuple[Callable[[Any], ColumnElement[bool]], Callable[[Any], Any]]
"""What is compared with the value, and how the value is read."""


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
    """On that day or later."""
    return column.__ge__, day_start


def until(column: Any) -> Criterion:
    """On that day or earlier."""
    return column.__lt__, lambda day: day_start(day + timedelta(days=1))


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
    """A list and what it is searched by; `listed` binds `tenant`, and what else a call gives as `values`."""

    def __init__(self, listed: Select[Any], criteria: Mapping[str, Criterion]) -> None:
        self._listed, self._criteria = listed, criteria
        self._built: dict[tuple[str, ...], Select[Any]] = {}

    def find(self, asked: Mapping[str, Any], **values: Any) -> Query:
        """What matches all that is `asked`; nothing and empty text ask for nothing."""
        given = {
            name: read(asked[name])
            for name, (_meant, read) in self._criteria.items()
            if asked.get(name)
        }
        names = tuple(given)
        if names not in self._built:
            self._built[names] = self._listed.where(
                *(self._criteria[name][0](bindparam(name)) for name in names)
            )
        return Query(self._built[names], {"tenant": require_key(), **values, **given})
