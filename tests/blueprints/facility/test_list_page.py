"""The list of reservations as a member searches, sorts, turns and downloads it (FAC-02, COM-21, COM-23)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import event, insert, select
from werkzeug.test import TestResponse

from portal.blueprints.facility.models import Reservation, Status
from portal.core import clock
from portal.core.db import db, session
from tests.cast import CANARY, NOW, Cast
from tests.support.client import Visitor

PATH = "/facility/reservations"
IDS = "facility-reservations-"
"""What the ids of the list\'s fields begin with."""
R: Any = Reservation.__table__
REVERSED = "終了日は開始日以降の日付を入力してください。"
NOTHING = "条件に一致するご予約はありません。"
COLUMNS = ["予約番号", "設備", "ご利用日時", "ステータス", "ご請求金額", "予約完了日時"]
Put = Callable[[list[dict[str, Any]]], None]


@pytest.fixture
def put(inside: Callable[[str], Any], cast: Cast) -> Put:
    """Add reservations to account 1 of the facility brand: the requested one again, with these columns changed."""

    def add(changes: list[dict[str, Any]]) -> None:
        with inside("facility"):
            statement = select(R).where(R.c.tenant_id == "facility", R.c.number == cast.requested)
            model = dict(session().execute(statement).mappings().one())
            model = model | {"held_until": None}
            model.pop("id")
            session().execute(insert(R), [{**model, **change} for change in changes])
            session().commit()

    return add


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """What the database is asked while the block runs."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def address(path: str = PATH, **search: str) -> str:
    return f"{path}?{urlencode(search)}"


def listed(answer: TestResponse) -> list[str]:
    """The numbers in the table, from top to bottom."""
    return re.findall(
        r'<a href="/facility/reservations/([A-Z0-9]+)(?:\?list=[^"]*)?">\1</a>', answer.text
    )


def turn(answer: TestResponse, rel: str) -> str | None:
    """The address behind 前へ ("prev") or 次へ ("next")."""
    found = re.search(rf'rel="{rel}" href="([^"]+)"', answer.text)
    return unescape(found[1]) if found else None


def counted(answer: TestResponse) -> str:
    """The line that says how many there are."""
    found = re.search(r'<p class="count" role="status">([^<]+)</p>', answer.text)
    return found[1] if found else ""


def box(answer: TestResponse, name: str) -> str:
    """The tag of one field of the search bar; of a select, with its options."""
    found = re.search(
        rf'<input[^>]* name="{name}"[^>]*>|<select[^>]* name="{name}".*?</select>',
        answer.text,
        re.DOTALL,
    )
    assert found, f"no field {name}"
    return unescape(found[0])


def table(answer: TestResponse) -> list[list[str]]:
    """The rows of a CSV file, header included."""
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def ours(n: int, **changes: Any) -> dict[str, Any]:
    return {"number": f"FR1{n:05d}", **changes}


def test_a_search_finds_by_each_field_and_by_all_together(visit, put):
    """FAC-02, COM-21, COM-23: parts and full width will do, wildcards are text; CSV is searched like the page."""
    day = clock.local(2026, 12, 1, 0)
    hour, second = timedelta(hours=1), timedelta(seconds=1)
    put(
        [
            ours(1, starts_at=day - second, ends_at=day + hour, facility_name="旋盤 100%"),
            ours(2, starts_at=day, ends_at=day + hour, facility_name="旋盤A_1", status=Status.PAID),
            ours(
                3,
                starts_at=day + 24 * hour - second,
                ends_at=day + 25 * hour,
                facility_name="旋盤AB1",
            ),
            ours(
                4,
                starts_at=day + 24 * hour,
                ends_at=day + 25 * hour,
                facility_name="研磨機",
                total=1,
            ),
        ]
    )
    cases: list[tuple[dict[str, str], set[str]]] = [
        ({"number": "FR100003"}, {"3"}),
        ({"number": "fr10000"}, set("1234")),
        ({"number": "　ＦＲ１００００３ "}, {"3"}),
        ({"number": "0004", "facility": "研磨"}, {"4"}),
        ({"number": "FR1%4"}, set()),
        ({"number": "FR10000_"}, set()),
        ({"status": "paid"}, {"2"}),
        ({"status": "paid", "facility": "研磨機"}, set()),
        ({"facility": "旋盤"}, set("123")),
        ({"facility": "旋盤 １００％"}, {"1"}),
        ({"facility": "A_1"}, {"2"}),
        ({"facility": "' OR 1=1 --"}, set()),
        ({"facility": "旋盤", "since": "2026-12-01", "until": "2026-12-01"}, set("23")),
        ({"since": "2026-12-02"}, {"4"}),
        ({"since": "２０２６／１２／０２"}, {"4"}),
        ({"since": "2026年12月1日", "until": "20261201"}, set("23")),
        ({"number": "FR1", "until": "2026.11.30"}, {"1"}),
        (
            {"number": "FR10000", "status": "", "facility": " ", "since": "", "until": "　"},
            set("1234"),
        ),
    ]
    page = visit("facility", "hanako")
    for search, expected in cases:
        answer = page.get(address(**search))
        assert answer.status_code == 200
        assert {number[-1] for number in listed(answer)} == expected, search
        assert NOTHING in answer.text if not expected else NOTHING not in answer.text
        assert counted(answer) == (
            f"全{len(expected)}件中 1–{len(expected)}件を表示" if expected else ""
        )
        rows = table(page.get(address(f"{PATH}.csv", **search)))
        assert {row[0][-1] for row in rows[1:]} == expected, search


def test_what_was_searched_for_stands_in_the_fields_and_in_the_links(visit):
    """COM-21: the URL holds the whole state, 検索 and リセット are there, and words are shown as words."""
    search = {
        "number": "FR",
        "status": "billed",
        "facility": '"><b>レーザー',
        "until": "2026-12-31",
    }
    page = visit("facility", "hanako")
    answer = page.get(address(**search, sort="oldest"))
    assert 'value="FR"' in box(answer, "number")
    assert '<option value="billed" selected>請求確定' in box(answer, "status")
    assert '<option value="oldest" selected>予約完了日が古い' in box(answer, "sort")
    assert "<b>レーザー" not in answer.text
    assert 'value=""><b>レーザー"' in unescape(answer.text)
    assert 'value="2026-12-31"' in box(answer, "until")
    assert "検索</button>" in answer.text
    assert '<a class="btn sec" href="/facility/reservations">リセット</a>' in answer.text
    found = page.get(address(status="billed", since="2026-01-01"))
    link = re.search(r'href="(/facility/reservations\.csv\?[^"]+)"', found.text)
    assert link
    assert unescape(link[1]) == address(f"{PATH}.csv", status="billed", since="2026-01-01")


def test_a_wrong_search_is_told_at_its_field_and_keeps_what_was_typed(visit):
    """COM-23, FAC-02: 422 with summary and message, on the page, as a fragment and for the CSV."""
    cases = [
        ({"since": "あした"}, {"since"}),
        ({"since": "2026-02-30"}, {"since"}),
        ({"until": "２０２６／１３／０１"}, {"until"}),
        ({"since": "0000-01-01"}, {"since"}),
        ({"since": "x", "until": "y"}, {"since", "until"}),
        ({"since": "2026-12-02", "until": "2026-12-01"}, {"until"}),
        ({"number": "1" * 21}, {"number"}),
        ({"facility": "設" * 101}, {"facility"}),
    ]
    page = visit("facility", "hanako")
    for wrong, blamed in cases:
        search = {"number": "FR0", "facility": "レーザー", **wrong}
        for path, headers in ((PATH, {}), (PATH, {"HX-Request": "true"}), (f"{PATH}.csv", {})):
            answer = page.get(address(path, **search), headers=headers)
            assert answer.status_code == 422
            assert answer.mimetype == "text/html"
            assert "attachment" not in answer.headers.get("Content-Disposition", "")
            assert 'class="summary" role="alert"' in answer.text
            for name in ("number", "facility", "since", "until"):
                tag = box(answer, name)
                assert f'value="{search.get(name, "")}"' in tag
                assert ('aria-invalid="true"' in tag) == (name in blamed), (wrong, name)
                assert (f'<a href="#{IDS}{name}">' in answer.text) == (name in blamed)
                assert (f'<p class="ferr" id="{IDS}{name}-e">' in answer.text) == (name in blamed)
                assert (f'aria-describedby="{IDS}{name}-e"' in tag) == (name in blamed)
    assert REVERSED in page.get(address(since="2026-12-02", until="2026-12-01")).text
    assert page.get(address(since="2026-12-01", until="2026-12-01")).status_code == 200
    assert page.get(address(number="1" * 20, facility="設" * 100)).status_code == 200


def test_words_of_the_address_that_nobody_knows_break_nothing(visit, cast):
    """COM-21, COM-23: an unknown order or page is the first one, an unknown status is told at its field."""
    page = visit("facility", "hanako")
    everything = listed(page.get(PATH))
    assert everything == [cast.cancelled, cast.billed, cast.requested]
    for search in (
        {"sort": "total"},
        {"sort": "'"},
        {"page": "2"},
        {"page": "a1.1"},
        {"page": "あ"},
        {"x": "y"},
    ):
        answer = page.get(address(**search))
        assert answer.status_code == 200
        assert listed(answer) == everything, search
    assert listed(page.get(address(sort="oldest"))) == everything[::-1]
    for status in ("lost", "PAID", "Status.PAID", "'"):
        for path in (PATH, f"{PATH}.csv"):
            refused = page.get(address(path, status=status))
            assert refused.status_code == 422
            assert refused.mimetype == "text/html"
            assert '<a href="#facility-reservations-status">' in refused.text
            assert 'id="facility-reservations-status-e"' in refused.text


def test_pages_turn_forward_and_back_without_losing_or_doubling_a_row(visit, put):
    """COM-21: in both orders, with bookings of one instant across the edges of pages, by link and by htmx."""
    put([ours(n, booked_at=NOW - timedelta(minutes=n // 7)) for n in range(64)])
    page = visit("facility", "hanako")
    whole: dict[str, list[str]] = {}
    for sort in ("newest", "oldest"):
        seen: list[str] = []
        href: str | None = address(sort=sort, number="FR1")
        trail = []
        while href:
            answer = page.get(href)
            trail.append((listed(answer), counted(answer), turn(answer, "prev")))
            seen += listed(answer)
            href = turn(answer, "next")
            assert href is None or "number=FR1" in href
            assert href is None or f"sort={sort}" in href
        assert [line for _rows, line, _prev in trail] == [
            f"全64件中 {first}–{min(first + 19, 64)}件を表示" for first in (1, 21, 41, 61)
        ]
        assert trail[0][2] is None
        assert len(seen) == len(set(seen)) == 64
        whole[sort] = seen
        for (rows, line, _), (_later, _line, back) in zip(trail[-2::-1], trail[:0:-1], strict=True):
            answer = page.get(back, headers={"HX-Request": "true"})
            assert (listed(answer), counted(answer)) == (rows, line)
        assert turn(answer, "prev") is None
        assert listed(page.get(turn(answer, "next"))) == trail[1][0]
    assert whole["oldest"] == whole["newest"][::-1]
    assert whole["newest"][0] == "FR100006"
    lines = table(page.get(address(f"{PATH}.csv", number="FR1", sort="oldest")))
    assert [cells[0] for cells in lines[1:]] == whole["oldest"]


def test_a_full_page_has_no_next_and_one_more_row_has(visit, put):
    """COM-21: the boundary of twenty rows."""
    put([ours(n) for n in range(20)])
    page = visit("facility", "hanako")
    full = page.get(address(number="FR1"))
    assert counted(full) == "全20件中 1–20件を表示"
    assert 'class="pager"' not in full.text
    put([ours(20)])
    first = page.get(address(number="FR1"))
    assert counted(first) == "全21件中 1–20件を表示"
    last = page.get(turn(first, "next"))
    assert (counted(last), len(listed(last)), turn(last, "next")) == (
        "全21件中 21–21件を表示",
        1,
        None,
    )
    assert 'rel="next"' in page.get(turn(last, "prev")).text


def test_the_csv_opens_in_excel_and_runs_nothing(visit, put):
    """COM-21, security.md row 24: BOM, the columns of the list, plain numbers, guarded formulas."""
    start = clock.local(2026, 12, 1, 13)
    times = {"starts_at": start, "ends_at": start + timedelta(hours=3), "booked_at": NOW}
    names = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "＝1+1", 'a,"b"\n改行']
    put([ours(n, facility_name=name, **times) for n, name in enumerate(names)])
    put([ours(9, facility_name="旋盤", total=1234567, status=Status.BILLED, **times)])
    answer = visit("facility", "hanako").get(address(f"{PATH}.csv", number="FR1", sort="oldest"))
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="reservations.csv"'
    header, *rows = table(answer)
    assert header == COLUMNS
    assert [row[1] for row in rows[:-1]] == [*(f"'{name}" for name in names[:-1]), names[-1]]
    when = ["2026/12/01(火) 13:00〜16:00", "2026/11/23(月) 10:00"]
    assert rows[-1] == ["FR100009", "旋盤", when[0], "請求確定", "1234567", when[1]]
    assert rows[0][2:] == [when[0], "予約受付", "", when[1]]


def test_htmx_gets_the_list_alone_and_a_browser_the_page(visit):
    """COM-25, COM-21: the same list either way; caches keep the two apart."""
    page = visit("facility", "hanako")
    whole = page.get(PATH)
    part = page.get(PATH, headers={"HX-Request": "true"})
    assert part.text.strip().startswith('<div id="reservation-list">')
    assert part.text.strip().endswith("</div>")
    assert "<html" in whole.text
    assert "<html" not in part.text
    assert part.text.strip() in whole.text
    for answer in (whole, part):
        assert "HX-Request" in answer.headers["Vary"]
    for header in ("HX-Boosted", "HX-History-Restore-Request"):
        assert "<html" in page.get(PATH, headers={"HX-Request": "true", header: "true"}).text


def test_only_ones_own_accounts_reservations_are_listed(visit, cast):
    """COM-21, FAC-02: no search, page or file shows another account's or another brand's rows; no one, no list."""
    odd = "since=&since=typed-by-yumi&until=&until=typed-by-yumi&number=&number=typed-by-yumi"
    assert visit("facility", "yumi").get(f"{PATH}?{odd}").status_code == 200
    assert (
        "typed-by-yumi" not in visit("facility", "hanako").get(PATH).text
    )  # the brand shares the blank bar
    for who, own in (("hanako", 3), ("kenichi", 3), ("yumi", 1)):
        page = visit("facility", who)
        foreign = {cast.strangers} if own == 3 else {cast.requested, cast.billed, cast.cancelled}
        for path in (PATH, f"{PATH}.csv"):
            for search in ({}, {"number": "R0"}, {"facility": "レーザー"}, {"sort": "oldest"}):
                answer = page.get(address(path, **search))
                assert all(number not in answer.text for number in (*foreign, cast.twins))
                assert CANARY["studio"] not in answer.text
        assert counted(page.get(PATH)) == f"全{own}件中 1–{own}件を表示"
        nothing = page.get(address(number=min(foreign)))
        assert NOTHING in nothing.text
        assert len(table(page.get(address(f"{PATH}.csv", number=min(foreign))))) == 1
    nobody = visit("facility")
    for path in (PATH, f"{PATH}.csv"):
        answer = nobody.get(path)
        assert answer.status_code in (302, 303)
        assert "/sign-in" in answer.headers["Location"]


def test_an_account_without_reservations_is_told_so(visit, inside, cast):
    """COM-21, FAC-02: not "nothing matches", because nothing was searched for."""
    with inside("facility"):
        session().delete(
            session().scalars(select(Reservation).where(Reservation.number == cast.strangers)).one()
        )
        session().commit()
    answer = visit("facility", "yumi").get(PATH)
    assert "ご予約はまだありません。" in answer.text
    assert NOTHING not in answer.text
    assert (listed(answer), counted(answer)) == ([], "")


def test_a_list_page_asks_the_database_four_times_at_most_however_many_rows(app, visit, put):
    """COM-21, performance.md: as many statements for 300 rows as for 4, on every page and with every search."""
    put([ours(0)])
    page: Visitor = visit("facility", "hanako")
    addresses = [
        PATH,
        address(sort="oldest"),
        address(number="R", status="requested", since="2026-01-01"),
    ]

    def asked() -> list[int]:
        numbers = []
        for href in addresses:
            page.get(href)
            with app.app_context(), counted_statements() as statements:
                assert page.get(href).status_code == 200
            numbers.append(len(statements))
        return numbers

    few = asked()
    assert counted(page.get(PATH)).startswith("全4件")
    put([ours(n, booked_at=NOW - timedelta(minutes=n)) for n in range(1, 297)])
    assert counted(page.get(PATH)).startswith("全300件")
    assert asked() == few
    assert 2 <= max(few) <= 4
    addresses = [turn(page.get(PATH), "next") or ""]
    assert asked() == few[:1]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({"since": "2026-12-01", "since_time": "10:30"}, [3, 2]),
        ({"since": "2026-12-01", "since_time": "１０：００"}, [3, 2, 1]),
        ({"until": "2026-12-01", "until_time": "11:00"}, [2, 1]),
        ({"since": "2026-12-01", "until": "2026-12-01"}, [2, 1]),
        (
            {
                "since": "2026-12-01",
                "since_time": "10:59",
                "until": "2026-12-02",
                "until_time": "08:59",
            },
            [2],
        ),
    ],
)
def test_a_search_has_a_range_of_days_and_times(visit, put, search, found):
    """FAC-02: 日時選択; the last minute belongs to it, and a day without a time is the whole day."""
    starts = [
        clock.local(2026, 12, 1, 10),
        clock.local(2026, 12, 1, 11),
        clock.local(2026, 12, 2, 9),
    ]
    put(
        [
            ours(
                n,
                starts_at=start,
                ends_at=start + timedelta(hours=1),
                booked_at=NOW + n * timedelta(1),
            )
            for n, start in enumerate(starts, 1)
        ]
    )
    page = visit("facility", "hanako").get(address(number="FR1", **search))
    assert listed(page) == [f"FR1{n:05d}" for n in found]
    for name, value in search.items():
        assert f'value="{value}"' in box(page, name)


@pytest.mark.parametrize(
    ("search", "field", "message"),
    [
        ({"since": "abc"}, "since", "日付は、2026/11/22のように入力してください。"),
        ({"since": "2026-12-01", "since_time": "x"}, "since_time", "時刻は、13:30のように"),
        (
            {
                "since": "2026-12-01",
                "since_time": "10:00",
                "until": "2026-12-01",
                "until_time": "y",
            },
            "until_time",
            "時刻は、13:30のように",
        ),
        ({"since_time": "10:00"}, "since_time", "日付も入力してください。"),
        ({"until_time": "10:00"}, "until_time", "日付も入力してください。"),
        (
            {
                "since": "2026-12-01",
                "since_time": "10:01",
                "until": "2026-12-01",
                "until_time": "10:00",
            },
            "until_time",
            "終了時刻は開始時刻以降の時刻を入力してください。",
        ),
        ({"since": "2026-12-02", "until": "2026-12-01"}, "until", REVERSED),
    ],
)
def test_a_wrong_search_has_no_list_and_no_count_under_its_error(visit, search, field, message):
    """COM-21, COM-23: in a person's words, and nothing that was not asked for."""
    refused = visit("facility", "hanako").get(address(**search))
    assert refused.status_code == 422
    assert message in refused.text.partition(f'id="{IDS}{field}-e"')[2].partition("</p>")[0]
    assert listed(refused) == []
    assert counted(refused) == ""
    assert NOTHING not in refused.text


@pytest.mark.parametrize(
    ("due", "paid", "is_overdue"),
    [(-1, None, True), (0, None, False), (-1, 0, False)],
    ids=["yesterday", "today", "paid"],
)
def test_a_bill_that_is_overdue_is_marked_wherever_it_is_listed(
    visit, run, inside, cast, due, paid, is_overdue
):
    """FAC-03, COM-20, FAC-12: list, page, card and operators' list, from the day after the due date."""
    with inside("facility"):
        found = (
            session().scalars(select(Reservation).where(Reservation.number == cast.billed)).one()
        )
        found.due_date = NOW.date() + timedelta(days=due)
        found.paid_at = None if paid is None else NOW
        session().commit()
    page = visit("facility", "hanako")
    rows = page.get(PATH).text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert rows.count("お支払期限超過") == is_overdue
    assert listed(page.get(address(payment="overdue"))) == [cast.billed] * is_overdue
    own = page.get(f"{PATH}/{cast.billed}").text
    assert own.count("お支払期限超過") == (3 if is_overdue else 0)
    card = page.get("/").text.partition('id="attention"')[2].partition("</section>")[0]
    assert ("/facility/reservations?payment=overdue" in card) == is_overdue
    worklist = run.invoke(args=["facility", "list", "--tenant", "facility"]).output
    assert ("yes" in worklist.split()) == is_overdue
