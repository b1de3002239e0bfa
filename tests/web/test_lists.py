"""The list toolkit: whoever walks through the pages meets each row once, in order (COM-21)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select

from portal.blueprints.facility.models import Reservation
from portal.blueprints.facility.routes import SORTS
from portal.core.db import Query, session
from portal.web import lists
from tests.cast import NOW

R: Any = Reservation.__table__
START = datetime(2026, 1, 1, tzinfo=UTC)
MINE = Query(select(R.c.id, R.c.number, R.c.booked_at).where(R.c.tenant_id == "facility"))
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def put(instants: list[int]) -> list[int]:
    """Reservations booked at these microseconds after `START`, in place of all others; returns their ids."""
    model = dict(
        session()
        .execute(select(R).where(R.c.tenant_id == "facility", R.c.number == "FR000001"))
        .mappings()
        .one()
    )
    model.pop("id")
    session().execute(delete(Reservation))
    rows = [
        {**model, "number": f"X{index:06d}", "booked_at": START + timedelta(microseconds=micros)}
        for index, micros in enumerate(instants)
    ]
    if rows:
        session().execute(insert(R), [row | {"held_until": None} for row in rows])
    return list(session().scalars(select(R.c.id).where(R.c.tenant_id == "facility")))


@contextmanager
def filled(instants: list[int]) -> Iterator[None]:
    """The same, until the end of the block."""
    put(instants)
    try:
        yield
    finally:
        session().rollback()


def at(href: str | None, sort: lists.Sort, size: int) -> lists.Page | None:
    """The page behind a neighbour's address."""
    if href is None:
        return None
    asked = parse_qs(urlsplit(href).query)
    assert (urlsplit(href).path, asked["q"]) == ("/list", ["甲&乙"])
    return page(sort, size, asked["page"][0])


def page(sort: lists.Sort, size: int, cursor: str = "") -> lists.Page:
    return lists.paginate(MINE, sort, path="/list", state={"q": "甲&乙"}, cursor=cursor, size=size)


def walk(sort: lists.Sort, size: int) -> list[lists.Page]:
    """All pages by the next links."""
    pages = [page(sort, size)]
    while (following := at(pages[-1].next_href, sort, size)) is not None:
        pages.append(following)
        assert len(pages) < 100
    return pages


def ids(page: lists.Page) -> list[int]:
    return [row.id for row in page.rows]


INSTANTS = st.lists(st.integers(0, 4) | st.integers(0, 10**12), max_size=12)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(instants=INSTANTS, sort=st.sampled_from(SORTS), size=st.integers(1, 7))
def test_walking_on_and_back_meets_each_row_once_in_order(
    inside, instants: list[int], sort: lists.Sort, size: int
) -> None:
    """COM-21: for any rows, many of the same instant, either order and any size of page."""
    with inside("facility"), filled(instants):
        found = (
            session()
            .execute(select(R.c.booked_at, R.c.id).where(R.c.tenant_id == "facility"))
            .all()
        )
        expected = [row.id for row in sorted(found, key=tuple, reverse=sort.descending)]
        pages = walk(sort, size)
        assert [row for one in pages for row in ids(one)] == expected
        spans = [(one.first, one.last, one.total) for one in pages]
        edges = range(0, len(expected), size) if expected else [-1]
        total = len(expected)
        assert spans == [(first + 1, min(first + size, total), total) for first in edges]
        assert pages[0].previous_href is None
        back = [pages[-1]]
        while (earlier := at(back[-1].previous_href, sort, size)) is not None:
            back.append(earlier)
            assert len(back) < 100
        assert [ids(one) for one in back] == [ids(one) for one in reversed(pages)]
        assert [(one.first, one.last) for one in back] == [s[:2] for s in reversed(spans)]
        rows = [row.id for row in lists.every_row(MINE, sort, size)]
        assert rows == expected


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "a",
        "a1.2",
        "c1.2.3",
        "a1.2.3.4",
        "a1.-2.3",
        "a１.２.３" + "z",
        "a99999999999999999999.1.1",
        "a-99999999999999999999.1.1",
        "a1.99999999999999999999.1",
        "a1.1.9999999999",
        "a1;DROP TABLE reservation.1.1",
        "a'.1.1",
        "\0",
        "a1.9999999999999999999.1",
        "b1.9223372036854775808.1",
        "a1.9223372036854775807.1\n",
    ],
)
def test_a_made_up_cursor_is_the_first_page(inside, cursor: str) -> None:
    """COM-21: on both databases; what does not fit into a column is not asked of it."""
    with inside("facility"), filled([1, 2, 3]):
        assert ids(page(SORTS[0], 2, cursor)) == ids(page(SORTS[0], 2))


def test_a_cursor_of_another_time_stands_where_it_says(inside) -> None:
    """COM-21: a cursor is a place, not a key: it opens nothing, and beyond the last row there is nothing."""
    with inside("facility"), filled([1, 2, 3]):
        beyond = page(SORTS[0], 2, "a-1.1.3")
        assert (ids(beyond), beyond.next_href, beyond.total, beyond.first) == ([], None, 3, 0)
        before = page(SORTS[0], 2, "b-1.1.3")
        assert [row.number for row in before.rows] == ["X000001", "X000000"]


@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort.key)
def test_a_row_that_goes_or_comes_between_two_pages_moves_no_other(
    inside, sort: lists.Sort
) -> None:
    """COM-21: never OFFSET: nothing is left out, nothing shown twice, even when the last row seen is the one."""
    with inside("facility"), filled(list(range(9))):
        whole = [row for one in walk(sort, 3) for row in ids(one)]
        first = page(sort, 3)
        session().execute(delete(Reservation).where(Reservation.id.in_([whole[0], whole[2]])))
        second = at(first.next_href, sort, 3)
        assert second is not None
        assert ids(second) == whole[3:6]
        assert second.total == 7
        back = at(second.previous_href, sort, 3)
        assert back is not None
        assert (ids(back), back.previous_href) == ([whole[1]], None)


@pytest.mark.parametrize("key", ["newest", "oldest", "nothing", "", None, "NEWEST"])
def test_an_unknown_order_is_the_first(key: str | None) -> None:
    assert lists.chosen_sort(SORTS, key) is (SORTS[1] if key == "oldest" else SORTS[0])


def test_the_count_is_of_what_was_searched_for(inside) -> None:
    """COM-21."""
    with inside("facility"), filled([1, 2, 3, 4]):
        assert lists.count(MINE) == 4
        later = Query(MINE.statement.where(R.c.booked_at > START + timedelta(microseconds=2)))
        assert lists.count(later) == 2
        assert session().scalar(select(func.count(Reservation.id))) == 4


def shown(text: str) -> list[str]:
    """The numbers on a page, in order, once each."""
    return list(dict.fromkeys(part[:8] for part in text.split('href="/facility/reservations/')[1:]))


def next_of(text: str) -> str | None:
    found = [
        tag.split(">")[0] for tag in text.split("<a ")[1:] if 'rel="next"' in tag.split(">")[0]
    ]
    return found[0].split('href="')[1].split('"')[0].replace("&amp;", "&") if found else None


@pytest.fixture
def many(inside, cast) -> None:
    """45 reservations of account 1, three of each instant."""
    with inside("facility"):
        model = dict(
            session()
            .execute(select(R).where(R.c.tenant_id == "facility", R.c.number == cast.requested))
            .mappings()
            .one()
        )
        model.pop("id")
        rows = [
            {**model, "number": f"FR1{n:05d}", "booked_at": NOW - timedelta(days=n // 3)}
            for n in range(45)
        ]
        session().execute(insert(R), [row | {"held_until": None} for row in rows])
        session().commit()


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_the_csv_is_what_the_pages_show(many: None, visit: Callable[..., Any], sort: str) -> None:
    """COM-21, FAC-02: the same search, the same order, all pages; Excel reads it."""
    visitor = visit("facility", "hanako")
    query = f"sort={sort}&number=FR1"
    href: str | None = f"/facility/reservations?{query}"
    seen: list[str] = []
    while href:
        text = visitor.get(href).text
        assert "全45件" in text
        seen += shown(text)
        href = next_of(text)
    answer = visitor.get(f"/facility/reservations.csv?{query}")
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="reservations.csv"'
    assert answer.mimetype == "text/csv"
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert rows[0][0] == "予約番号"
    assert [row[0] for row in rows[1:]] == seen
    assert len(set(seen)) == 45


@SQLITE
@pytest.mark.parametrize("cursor", ["x", "a1.9223372036854775808.1", "a1.1.1%00", "%F0%9F%8D%B5"])
def test_an_address_somebody_mended_still_opens_the_list(visit, cursor: str) -> None:
    """COM-21."""
    answer = visit("facility", "hanako").get(f"/facility/reservations?page={cursor}")
    assert answer.status_code == 200
    assert "FR000001" in answer.text
