"""COM-21: documents, history and notices are searched in the address; the CSV holds what is listed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import select

from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.documents.models import Document
from portal.shared.notices import operations as notices
from portal.web.periods import usual_periods
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

Visit = Callable[..., Visitor]


def listed(visitor: Visitor, path: str, **asked: str) -> list[list[str]]:
    """The rows of the CSV, which must be as many as the page says."""
    answer = visitor.get(f"{path}.csv", query_string=asked)
    assert answer.status_code == 200, answer.text
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))[1:]
    page = visitor.get(path, query_string=asked).text
    total = re.search(r"全([0-9,]+)件中", page)
    assert (int(total[1]) if total else 0) == len(rows)
    return rows


@pytest.fixture
def issued(run, cast, inside) -> None:
    """An invoice of this November, and a work report of last December."""
    assert (
        run.invoke(args=["facility", "issue", cast.billed, "--tenant", "facility"]).exit_code == 0
    )
    with inside("facility"):
        report = session().scalars(select(Document).where(Document.number == "FW000001")).one()
        report.issued_at = clock.local(2025, 12, 31, 23, 59)
        session().commit()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {"FI000001", "FW000001"}),
        ({"kind": "invoice"}, {"FI000001"}),
        ({"kind": "receipt"}, set()),
        ({"number": "fi0"}, {"FI000001"}),
        ({"about": "fr000002"}, {"FI000001", "FW000001"}),
        ({"about": "FR000001"}, set()),
        ({"since": "2026-01-01"}, {"FI000001"}),
        ({"until": "2025-12-31"}, {"FW000001"}),
        ({"since": "2025-12-31", "until": "2025-12-31"}, {"FW000001"}),
    ],
)
def test_documents_are_found_by_number_kind_order_and_day_of_issue(
    issued, visit: Visit, asked: dict[str, str], found: set[str]
) -> None:
    """COM-21, COM-73."""
    rows = listed(visit("facility", "hanako"), "/documents", **asked)
    assert {row[0] for row in rows} == found


def test_a_period_is_one_press_away(issued, visit: Visit) -> None:
    """COM-21: 今月, 先月, 今年, 昨年 lead to a search by the day of issue."""
    page = visit("facility", "hanako")
    text = page.get("/documents").text
    links = re.findall(r'href="(/documents\?since=[^"]+)">([^<]+)</a>', text)
    assert [label for _href, label in links] == ["今月", "先月", "今年", "昨年"]
    last_year = page.get(links[-1][0].replace("&amp;", "&")).text
    assert "FW000001" in last_year
    assert "FI000001" not in last_year


def test_usual_periods_meet_without_a_gap() -> None:
    """COM-21: on the last day of a leap February and at New Year."""
    for today in (date(2028, 2, 29), date(2027, 1, 1), date(2026, 12, 31)):
        this_month, last_month, this_year, last_year = usual_periods(today)
        assert this_month.since <= today <= this_month.until
        assert (this_month.since - last_month.until).days == 1
        assert last_month.since.day == 1
        assert (this_year.since - last_year.until).days == 1
        assert (this_year.since, this_year.until) == (
            date(today.year, 1, 1),
            date(today.year, 12, 31),
        )


def test_a_search_that_is_refused_says_why(visit: Visit) -> None:
    """COM-23."""
    page = visit("facility", "hanako")
    for path in ("/documents", "/notices", "/account/history", "/inquiries"):
        answer = page.get(path, query_string={"since": "2026-11-02", "until": "2026-11-01"})
        assert answer.status_code == 422
        assert "終了日は開始日以降の日付を入力してください。" in answer.text
        assert 'class="count"' not in answer.text
        assert "<tbody>" not in answer.text
        assert 'class="empty"' not in answer.text


def test_the_change_history_is_found_by_act_person_and_day(visit: Visit) -> None:
    """COM-90: the representative sees all acts of the account, another member their own."""
    hanako, kenichi = visit("facility", "hanako"), visit("facility", "kenichi")
    kenichi.post(
        "/account/password",
        {
            "old_password": PASSWORD,
            "password": "a-quite-other-Pass-9",
            "again": "a-quite-other-Pass-9",
        },
    )
    changed = listed(hanako, "/account/history", what="パスワードの変更")
    assert [row[1] for row in changed] == ["パスワードの変更"]
    assert "健一" in changed[0][3]
    assert listed(hanako, "/account/history", what="退会") == []
    by_kenichi = listed(hanako, "/account/history", person="健一")
    assert {row[3] for row in by_kenichi} == {changed[0][3]}
    assert listed(hanako, "/account/history", until="2020-01-01") == []
    everything = listed(hanako, "/account/history")
    assert len(listed(hanako, "/account/history", since="2026-11-23")) < len(everything)
    assert len(listed(kenichi, "/account/history")) < len(everything)
    assert listed(visit("facility", "yumi"), "/account/history", person="健一") == []


def test_the_history_offers_no_act_that_the_brand_does_not_have(visit: Visit) -> None:
    """COM-03, COM-23: what is no choice is refused."""
    page = visit("facility", "hanako")
    text = page.get("/account/history").text
    offered = re.findall(r'<option value="([^"]+)"', text)
    assert "パスワードの変更" in offered
    assert len(offered) == len(set(offered))
    assert page.get("/account/history?what=nothing").status_code == 422


def test_notices_are_found_by_word_mark_and_day(visit: Visit, inside) -> None:
    """COM-60."""
    with inside("facility"), clock.freeze(NOW):
        notices.publish("料金改定のお知らせ", "来春より**100%**改定します。", by=SYSTEM)
        session().commit()
    page = visit("facility", "hanako")
    assert [row[3] for row in listed(page, "/notices", text="改定")] == ["料金改定のお知らせ"]
    assert [row[3] for row in listed(page, "/notices", text="100%")] == ["料金改定のお知らせ"]
    assert listed(page, "/notices", text="%%") == []
    assert len(listed(page, "/notices", unread="yes")) == 2
    page.get("/notices/N0001")
    assert [row[0] for row in listed(page, "/notices", unread="yes")] == ["N0002"]
    assert [row[0] for row in listed(page, "/notices", since="2026-11-23")] == ["N0002"]
    assert [row[4] for row in listed(page, "/notices")] == ["未読", "既読"]
