"""The list toolkit: search in the URL, sort orders, keyset pages, the count, CSV (COM-21).

A page is found by the values of its last row, never by OFFSET, so the millionth page costs what the
first does. The cursor also carries how many rows lie before it, so that "全14件中 11–14件" can be
said.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, request, url_for
from sqlalchemy import ColumnElement, Row, Select, bindparam, func, tuple_

from portal.core import LabelledEnum, PageLink, Query, csvio, execute_core
from portal.web.brand import Attention
from portal.web.forms import FormData, SearchForm
from portal.web.i18n import translate as _
from portal.web.render import Context, render_context, render_invalid_context, streamed
from portal.web.requests import ViewFlag, with_flags

ListRow = Row[Any]
"""A row of any list: each query has columns of its own."""
Statement = Select[Any]
Edge = tuple[datetime, int]
"""The instant and the id by which a row stands where it stands."""
PAGE_SIZE = 20
_WAY_BACK = "list"
"""The name of the query parameter in which a row's page is told where the list stood."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"([ab])(-?[0-9]{1,20})\.([0-9]{1,18})\.([0-9]{1,9})")


@dataclass(frozen=True)
class Sort:
    """An order a list can have: by an instant, then by id, both the same way round."""

    key: str
    label: str
    column: ColumnElement[datetime]
    tie: ColumnElement[int]
    descending: bool = True


@dataclass(frozen=True)
class Page:
    """One page of a list, with the addresses of its neighbours."""

    rows: Sequence[ListRow]
    total: int
    first: int
    last: int
    previous_href: str | None
    next_href: str | None


NO_PAGE = Page((), 0, 0, 0, None, None)
"""Of a search that was refused."""


class _Cursor(NamedTuple):
    """Where a page begins: beyond a row's edge, with so many rows before it."""

    backwards: bool = False
    edge: Edge | None = None
    before: int = 0


def _read(text: str) -> _Cursor:
    """The cursor in a URL; anything else is the first page."""
    if match := _CURSOR.fullmatch(text):
        with suppress(OverflowError):  # digits enough for a year that no calendar has
            at = _EPOCH + timedelta(microseconds=int(match[2]))
            return _Cursor(match[1] == "b", (at, int(match[3])), int(match[4]))
    return _Cursor()


def _edge(row: ListRow, sort: Sort) -> Edge:
    return getattr(row, sort.column.key or ""), getattr(row, sort.tie.key or "")


def _write(way: str, row: ListRow, sort: Sort, before: int) -> str:
    """A cursor: after (a) or before (b) a row, as microseconds and id, with so many rows before."""
    at, tie = _edge(row, sort)
    # In whole microseconds, as databases keep an instant: a float would lose the last digits, and
    # with them the row's neighbours.
    return f"{way}{(at - _EPOCH) // timedelta(microseconds=1)}.{tie}.{max(before, 0)}"


def count(query: Query) -> int:
    """How many rows match: an account's own rows only, never a whole tenant's (performance.md)."""
    return int(execute_core(_counting(query.statement), query.values).scalar_one())


# To build a statement costs more than to run it: one for each way to ask is kept.
@lru_cache(maxsize=500)
def _counting(statement: Statement) -> Statement:
    return statement.with_only_columns(func.count(), maintain_column_froms=True)


def paginate(
    query: Query,
    sort: Sort,
    *,
    path: str,
    state: Mapping[str, str],
    cursor: str = "",
    size: int = PAGE_SIZE,
) -> Page:
    """The page at `cursor` of what `query` finds: two queries, whatever the size of the table.

    `state` is the search and sort as they stand in the URL; the neighbours' addresses repeat it.
    """
    start = _read(cursor)
    rows, more = _step(query, sort, start.edge, size, backwards=start.backwards)
    total = count(query)
    before = start.before
    if start.backwards:
        # Rows may have come or gone since the address was made: at the beginning none lie before.
        before = max(before - len(rows), 0) if more else 0
    last = before + len(rows)
    if not rows:
        return Page(rows, total, first=0, last=last, previous_href=None, next_href=None)

    def href(way: str, row: ListRow, rank: int) -> str:
        return f"{path}?{urlencode({**state, 'page': _write(way, row, sort, rank)})}"

    has_previous = more if start.backwards else before > 0
    has_next = more or start.backwards
    return Page(
        rows,
        total,
        first=before + 1,
        last=last,
        previous_href=href("b", rows[0], before) if has_previous else None,
        next_href=href("a", rows[-1], last) if has_next else None,
    )


def _step(
    query: Query, sort: Sort, edge: Edge | None, size: int, *, backwards: bool = False
) -> tuple[list[ListRow], bool]:
    """The `size` rows beyond `edge` in list order, and whether there are more that way."""
    ascending = sort.descending == backwards
    statement = _stepping(query.statement, sort, ascending, beyond=edge is not None)
    # One row more than is shown tells whether there is a further page.
    values: dict[str, object] = {**query.values, "at_most": size + 1}
    if edge is not None:
        values["edge_at"], values["edge_tie"] = edge
    found = list(execute_core(statement, values))
    rows = found[:size]
    if backwards:
        rows.reverse()
    return rows, len(found) > size


@lru_cache(maxsize=500)
def _stepping(statement: Statement, sort: Sort, ascending: bool, *, beyond: bool) -> Statement:
    """`statement` in list order, from its beginning or `beyond` an edge; built once for each way to
    ask.
    """
    if beyond:
        # Compared as a pair, which an index over both columns answers by a range.
        key = tuple_(sort.column, sort.tie)
        edge = tuple_(
            bindparam("edge_at", type_=sort.column.type), bindparam("edge_tie", type_=sort.tie.type)
        )
        statement = statement.where(key > edge if ascending else key < edge)
    if ascending:
        statement = statement.order_by(sort.column.asc(), sort.tie.asc())
    else:
        statement = statement.order_by(sort.column.desc(), sort.tie.desc())
    return statement.limit(bindparam("at_most"))


def chosen_sort(sorts: Sequence[Sort], key: str | None) -> Sort:
    """The sort named in the URL, or the first."""
    return next((sort for sort in sorts if sort.key == key), sorts[0])


def every_row(query: Query, sort: Sort, size: int = 500) -> Iterator[ListRow]:
    """All rows in order, read by keyset in short steps, so that a million rows never stand in
    memory.
    """
    edge: Edge | None = None
    more = True
    while more:
        rows, more = _step(query, sort, edge, size)
        yield from rows
        if rows:
            edge = _edge(rows[-1], sort)


T = TypeVar("T")


def csv_response(
    name: str, header: Sequence[str], rows: Iterable[T], cells: Callable[[T], Sequence[object]]
) -> Response:
    """The list as CSV that Excel opens right: UTF-8 with BOM, formula-safe, streamed."""
    body = csvio.write_csv((cells(row) for row in rows), header)
    response = Response(streamed(body), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def badges(statuses: type[LabelledEnum] | None) -> dict[str, tuple[str, str]]:
    """Label and tone of every status, in the reader's language."""
    if statuses is None:
        return {}
    return {status.value: (_(status.label), status.tone) for status in statuses}


def _no_context(_page: Page) -> Context:
    """What a list's page shows besides, unless it has something of its own."""
    return {}


ReadCell = Callable[[ListRow], object]
"""Gives what stands in a cell of a row."""


@dataclass(frozen=True)
class Listing:
    """The page of a list that is searched and sorted in its address, and the same as CSV (COM-21,
    COM-23).

    - `endpoint` is the view of the page.
    - `pages` are the templates of the page and of the list in it.
    - `find` makes the query of what was asked by the `form`.
    - `statuses` are those of the rows' own column `status`, None where there is none.
    - `columns` are those of the CSV: a heading (a message id), and the attribute or function that
      its cells are read with.
    - `context` makes what else the page shows, from the rows that stand on it.
    """

    endpoint: str
    pages: tuple[str, str]
    form: type[SearchForm]
    find: Callable[[FormData], Query]
    sorts: Sequence[Sort]
    statuses: type[LabelledEnum] | None
    columns: Mapping[str, str | ReadCell]
    context: Callable[[Page], Context] = _no_context

    @property
    def path(self) -> str:
        """Where the list stands."""
        return url_for(self.endpoint)

    def register(self, at: Blueprint, rule: str, *flags: ViewFlag) -> None:
        """Add the two pages to a blueprint at `rule`, the CSV as <name>_csv; `flags` are those of
        portal.web.requests.
        """

        def index_view() -> str | Response:
            return self._index()

        def csv_view() -> Response:
            return self._csv()

        name = self.endpoint.rpartition(".")[2]
        at.add_url_rule(rule, name, with_flags(index_view, flags))
        at.add_url_rule(f"{rule}.csv", f"{name}_csv", with_flags(csv_view, flags))

    def shown(self, form: SearchForm | None = None) -> Context:
        """What the page shows for a form; the whole list for none, and no list for one that is
        refused.
        """
        blank = self._with_own_ids(self.form(formdata=None))
        # Without a form it stands on another page, whose address says nothing of this list.
        asked_for = request.args if form else {}
        state = {
            key: value for key in (*blank.data, "sort") if (value := asked_for.get(key, "").strip())
        }
        sort = chosen_sort(self.sorts, state.get("sort"))
        cursor = asked_for.get("page", "")
        if form and form.errors:
            page = NO_PAGE
        else:
            asked = (form or blank).asked()
            page = paginate(self.find(asked), sort, path=self.path, state=state, cursor=cursor)
        # The search bar without a search is kept for the whole brand, so nothing typed may stand in
        # it.
        context: Context = {
            "form": self._with_own_ids(form) if form and state else blank,
            "page": page,
            "sorts": self.sorts,
            "sort": sort,
            "sort_id": f"{self._id}-sort",
            "state": state,
            "way_in": _way_in(state, cursor),
            "statuses": badges(self.statuses),
            "heads": self.heads(),
        }
        return context | self.context(page)

    @property
    def _id(self) -> str:
        """What its elements' ids begin with."""
        return self.endpoint.replace(".", "-")

    def _with_own_ids(self, form: SearchForm) -> SearchForm:
        """The form, its fields' ids the list's own: the top page shows lists of several modules."""
        for field in form:
            field.id = f"{self._id}-{field.name}"
        return form

    def heads(self) -> list[str]:
        """The headings of its columns, the same for the page and the CSV."""
        return [_(heading) for heading in self.columns]

    def way_back(self) -> str:
        """The list as it was left, for the page of one of its rows: search, order and page
        (COM-21).

        A row's link says them (`way_in` in the template); what is no part of this list is left out.
        """
        known = {*self.form(formdata=None).data, "sort", "page"}
        # Anybody writes addresses: only names of this list's own go into the link.
        left = parse_qsl(request.args.get(_WAY_BACK, "")[:2_000])
        state = [(name, value) for name, value in left if name in known]
        if not state:
            return self.path
        return f"{self.path}?{urlencode(state)}"

    def attention(self, label: str, **asked: str) -> Attention:
        """A card of the top page (COM-20): how many rows match `asked`, and the address of the list
        of just these.

        `label` is a message id; `asked` names fields of the list's form. The count and the list
        that it leads to come from one query, so that they can never differ.
        """
        return Attention(label, count(self.find(asked)), PageLink(self.endpoint, asked))

    def _index(self) -> str | Response:
        form = self.form(request.args)
        if not form.validate():
            return self._refused(form)
        page, fragment = self.pages
        return render_context(page, self.shown(form), fragment=fragment)

    def _csv(self) -> Response:
        form = self.form(request.args)
        if not form.validate():
            return self._refused(form)
        sort = chosen_sort(self.sorts, request.args.get("sort"))
        rows = every_row(self.find(form.asked()), sort)
        labels = badges(self.statuses)

        def cell(row: ListRow, read: str | ReadCell) -> object:
            if callable(read):
                return read(row)
            if read == "status":
                return labels[row.status][0]
            return getattr(row, read)

        def cells(row: ListRow) -> list[object]:
            return [cell(row, read) for read in self.columns.values()]

        return csv_response(self.path.rpartition("/")[2], self.heads(), rows, cells)

    def _refused(self, form: SearchForm) -> Response:
        """What is wrong with the search and no list, the same for page and CSV."""
        page, fragment = self.pages
        return render_invalid_context(page, self.shown(form), fragment=fragment)


def _way_in(state: Mapping[str, str], cursor: str) -> str:
    """What a row's link says of the list that it stands in, for `Listing.way_back`."""
    place = dict(state)
    if cursor:
        place["page"] = cursor
    if not place:
        return ""
    return f"?{urlencode({_WAY_BACK: urlencode(place)})}"
