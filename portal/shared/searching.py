"""Searching an account's rows: what may be asked is told once, each way to ask is built once
(COM-21).

Plain columns of the bare tables, because lists are read far more often than anything else; the
statement names the tenant itself, and the SQL guard checks it. Dates are days in Asia/Tokyo, both
included.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute

from portal.core import Query, require_key
from portal.core.clock import day_start
from portal.core.folding import Folded
from portal.core.text import folded, like_escape, number_key, without_last_long_vowel

T = TypeVar("T")
Bound = BindParameter[object]
"""The parameter of a statement that takes what was asked."""
Compare = Callable[[Bound], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that a list is searched by.

    `compare` makes the SQL, once for each way to ask; `read` makes of what was typed the value that
    is bound, with each search.
    """

    compare: Compare
    read: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Keywords:
    """Words between blanks of any width, all of which must be found.

    `holds` compares with the pattern of one.
    """

    holds: Compare


def keywords(*columns: ColumnElement[str] | InstrumentedAttribute[str]) -> Keywords:
    """Each word stands in one of these columns, in whatever width, case, kana and kanji."""

    def holds(asked: Bound) -> ColumnElement[bool]:
        return or_(*(Folded(column).like(asked, escape="\\") for column in columns))

    return Keywords(holds)


def has_words(
    typed: str, *columns: ColumnElement[str] | InstrumentedAttribute[str]
) -> ColumnElement[bool]:
    """All words of `typed` stand in one of these columns or another, found as `keywords` does: for
    statements that are built anew each time. Nothing typed asks for nothing.
    """
    held = keywords(*columns).holds
    return and_(true(), *(held(bindparam(None, words)) for words in _patterns(typed)))


def _patterns(typed: str) -> list[str]:
    """What LIKE finds each word by, each once."""
    return [folded_pattern(word) for word in dict.fromkeys(typed.split())]


def same(column: ColumnElement[T]) -> Criterion:
    """The column's value is just that."""

    def compare(asked: Bound) -> ColumnElement[bool]:
        return column == asked

    return Criterion(compare, _as_it_is)


def ticked(criterion: ColumnElement[bool]) -> Criterion:
    """What meets `criterion`, once it is asked for at all: the value itself says nothing more."""

    def meets(asked: Bound) -> ColumnElement[bool]:
        # The statement must take the parameter that every search binds.
        return and_(criterion, asked.is_not(None))

    return Criterion(meets, bool)


def among(column: ColumnElement[T]) -> Criterion:
    """The column's value is one of several."""

    def compare(asked: Bound) -> ColumnElement[bool]:
        # Expanding: the statement is built once and takes a list of any length.
        return column.in_(bindparam(asked.key, expanding=True))

    return Criterion(compare, list)


def part(column: ColumnElement[str]) -> Criterion:
    """What was typed stands somewhere in the column, in whatever width, case, kana and kanji."""
    return Criterion(_contains(Folded(column)), folded_pattern)


def part_of_number(column: ColumnElement[str]) -> Criterion:
    """Stands somewhere in a public number, in whatever width and case, hyphens or not."""

    def read(asked: str) -> str:
        return pattern(number_key(asked))

    return Criterion(_contains(func.replace(column, "-", "", type_=String())), read)


def _contains(column: ColumnElement[str]) -> Compare:
    def compare(asked: Bound) -> ColumnElement[bool]:
        return column.like(asked, escape="\\")

    return compare


def _as_it_is(asked: object) -> object:
    return asked


def pattern(asked: str) -> str:
    """What LIKE finds it by, anywhere."""
    return f"%{like_escape(asked)}%"


def folded_pattern(asked: str) -> str:
    """What LIKE finds it by, anywhere in a column that is `Folded`."""
    return pattern(without_last_long_vowel(folded(asked)))


def since(column: ColumnElement[datetime]) -> Criterion:
    """On that day or later; from that minute on where an instant is asked for."""

    def compare(asked: Bound) -> ColumnElement[bool]:
        return column >= asked

    return Criterion(compare, _beginning)


def until(column: ColumnElement[datetime]) -> Criterion:
    """On that day or earlier; up to that minute where an instant is asked for."""

    def compare(asked: Bound) -> ColumnElement[bool]:
        return column < asked

    return Criterion(compare, _end)


def _beginning(asked: date) -> datetime:
    # A datetime is a date too: an instant must be told apart before it is taken for a day.
    if isinstance(asked, datetime):
        return asked
    return day_start(asked)


def _end(asked: date) -> datetime:
    """The first instant that is too late: days and minutes are included as a whole."""
    if isinstance(asked, datetime):
        return asked + timedelta(minutes=1)
    return day_start(asked + timedelta(days=1))


def first_day(column: ColumnElement[date]) -> Criterion:
    """On that day or later, for a column that holds days."""

    def compare(asked: Bound) -> ColumnElement[bool]:
        return column >= asked

    return Criterion(compare, _as_it_is)


def last_day(column: ColumnElement[date]) -> Criterion:
    """On that day or earlier, for a column that holds days."""

    def compare(asked: Bound) -> ColumnElement[bool]:
        return column <= asked

    return Criterion(compare, _as_it_is)


def own(table: FromClause, shown: Iterable[str]) -> Select[*tuple[Any, ...]]:
    """An account's rows, as these columns; to be found with `account`."""
    is_the_accounts = (
        table.c.tenant_id == bindparam("tenant"),
        table.c.account_id == bindparam("account"),
    )
    return select(*(table.c[name] for name in shown)).where(*is_the_accounts)


class Search:
    """A list and what it is searched by.

    `listed` binds `tenant`, and what else a call gives as `values`.
    """

    def __init__(
        self, listed: Select[*tuple[Any, ...]], criteria: Mapping[str, Criterion | Keywords]
    ) -> None:
        self._listed = listed
        self._criteria = criteria
        self._built: dict[tuple[str, ...], Select[*tuple[Any, ...]]] = {}

    def find(self, asked: Mapping[str, object], **values: object) -> Query:
        """What matches all that is `asked`; nothing and empty text ask for nothing."""
        given: dict[str, object] = {}
        compared: list[ColumnElement[bool]] = []
        for name, criterion in self._criteria.items():
            for key, value, compare in _bound(name, criterion, asked.get(name)):
                given[key] = value
                compared.append(compare(bindparam(key)))
        # Building the statement takes longer than running it: one for each set of names asked.
        names = tuple(given)
        if names not in self._built:
            self._built[names] = self._listed.where(*compared)
        return Query(self._built[names], {"tenant": require_key(), **values, **given})


def _bound(
    name: str, criterion: Criterion | Keywords, asked: object
) -> Iterator[tuple[str, object, Compare]]:
    """Each parameter for what was asked: its name, its value, and what is compared with it.

    Of keywords each has one of its own.
    """
    if not asked:
        return
    if isinstance(criterion, Criterion):
        yield name, criterion.read(asked), criterion.compare
        return
    for place, words in enumerate(_patterns(str(asked))):
        yield f"{name}_{place}", words, criterion.holds
