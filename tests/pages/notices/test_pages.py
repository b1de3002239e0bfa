"""お知らせ as members read them: the list, its pages, one notice, and its mark (COM-60)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.notices import operations
from portal.shared.notices.models import Notice
from tests.cast import NOW

ITEM = re.compile(r'<a href="/notices/(N\d+)">(.*?)</a>')


@pytest.fixture
def publish(inside):
    """Publish a notice at a brand; returns its number."""

    def make(title: str, body: str = "本文", brand: str = "facility", **values) -> str:
        with inside(brand):
            number = operations.publish(title, body, by=SYSTEM, **values).number
            session().commit()
            return number

    return make


@pytest.fixture
def hanako(visit, cast):
    """A member, signed in."""
    return visit("facility", cast.representative)


def test_the_list_has_what_is_published_and_not_what_is_not_yet_or_no_more(hanako, publish):
    """COM-60, COM-02: nor what another brand says."""
    publish("来週のこと", publish_at=NOW + timedelta(seconds=1))
    publish("先週のこと", publish_at=NOW - timedelta(days=7), ends_at=NOW)
    publish("今のこと")
    publish("よそのこと", brand="studio")
    for path in ("/notices", "/"):
        page = hanako.get(path).text
        assert [title for _number, title in ITEM.findall(page)] == [
            "今のこと",
            "カナリア甲からのお知らせ",
        ]


def test_what_is_not_published_cannot_be_opened_by_its_number(hanako, publish):
    """COM-60: it does not exist; a guessed number tells nothing."""
    numbers = [
        publish("来週のこと", publish_at=NOW + timedelta(days=7)),
        publish("先週のこと", publish_at=NOW - timedelta(days=7), ends_at=NOW),
    ]
    for number in (*numbers, "N9999", "n0001", "%00", "N0001%20", "../livez"):
        answer = hanako.get(f"/notices/{number}")
        assert answer.status_code == 404, number
        assert "週のこと" not in answer.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_important_ones_categories_and_dates_are_shown(hanako, publish):
    """COM-60"""
    publish("大切", is_important=True, category="休業")
    publish("分類", category="<b>機能</b>", publish_at=NOW - timedelta(days=1))
    rows = re.findall(r"<li>\s*(<time.*?)</li>", hanako.get("/notices").text, re.DOTALL)
    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    assert "2026/11/23(月) 重要 大切 未読" in rows
    assert "2026/11/22(日) &lt;b&gt;機能&lt;/b&gt; 分類 未読" in rows


def test_opening_one_takes_its_mark_away_for_this_member_only(hanako, visit, cast, publish):
    """COM-60: on the top page too; reading the list alone does not."""
    number = publish("新着")
    colleague = visit("facility", cast.member)
    for _ in range(2):
        assert hanako.get("/notices").text.count(">未読<") == 2
    for _ in range(2):
        assert hanako.get(f"/notices/{number}").status_code == 200
    assert hanako.get("/notices").text.count(">未読<") == hanako.get("/").text.count(">未読<") == 1
    assert colleague.get("/notices").text.count(">未読<") == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_one_notice_has_its_title_date_text_and_a_way_back(hanako, publish):
    """COM-60: the title is text, the body is sanitised Markdown."""
    number = publish(
        "<script>題</script>", "**太字** <script>alert(1)</script> [押す](javascript:alert(1))"
    )
    page = hanako.get(f"/notices/{number}").text
    assert page.count("&lt;script&gt;題&lt;/script&gt;") == 2
    assert "<time" in hanako.get("/notices").text
    assert "2026/11/23" in page
    article = re.search(r"<article[^>]*>(.*?)</article>", page, re.DOTALL)
    assert article
    assert "<strong>太字</strong>" in article[1]
    assert not re.search(r"<script|href=\"javascript", page.replace('<script src="/app.js', ""))
    assert 'href="/notices"' in page[page.index("</article>") :]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_long_lists_come_in_pages_that_can_be_turned_both_ways(hanako, inside):
    """COM-21: twenty a page, each notice once, the count told; the pages' addresses are whole."""
    with inside("facility"):
        for index in range(44):
            operations.publish(
                f"第{index}号", "本文", by=SYSTEM, publish_at=NOW - timedelta(hours=index)
            )
        session().commit()
    seen, path, told = [], "/notices", []
    while path:
        page = hanako.get(path).text
        seen.append([title for _number, title in ITEM.findall(page)])
        told += re.findall(r"全45件中 \d+–\d+件を表示", page)
        turn = re.search(r'rel="next" href="([^"]+)"', page)
        previous = re.search(r'rel="prev" href="([^"]+)"', page)
        assert bool(previous) is (len(seen) > 1)
        path = turn[1] if turn else ""
    assert [len(titles) for titles in seen] == [20, 20, 5]
    assert [title for titles in seen for title in titles] == [
        *(f"第{i}号" for i in range(44)),
        "カナリア甲からのお知らせ",
    ]
    assert told == ["全45件中 1–20件を表示", "全45件中 21–40件を表示", "全45件中 41–45件を表示"]
    assert previous
    assert [title for _number, title in ITEM.findall(hanako.get(previous[1]).text)] == seen[1]
    assert len(ITEM.findall(hanako.get("/").text)) == 3, "the top page has the newest only"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "page", ["x", "a1", "a99999999999999999999.1.1", "a-1.-1.-1", "a0.1.1;", "\0", "c1.1.1"]
)
def test_a_page_that_never_was_is_the_first_or_empty_never_a_failure(hanako, page):
    """COM-21: addresses are typed and mangled."""
    assert hanako.get("/notices", query_string={"page": page}).status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_htmx_gets_the_list_alone(hanako):
    """COM-25: one root element with a stable id."""
    part = hanako.get(
        "/notices", headers={"HX-Request": "true", "HX-Request-Type": "partial"}
    ).text.strip()
    assert part.startswith('<div id="notice-list">')
    assert part.endswith("</div>")
    assert "<html" not in part
    assert part in hanako.get("/notices").text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_empty_list_says_so(hanako, inside):
    """COM-60"""
    with inside("facility"):
        session().scalars(select(Notice)).one().ends_at = NOW
        session().commit()
    assert "現在お知らせはありません。" in hanako.get("/notices").text
    assert "該当する項目はありません" in hanako.get("/notices").text
    assert "現在お知らせはありません。" in hanako.get("/").text


@pytest.mark.parametrize("path", ["/notices", "/notices/N0001"])
def test_notices_are_for_members(visit, path):
    """COM-60"""
    assert visit("facility").get(path).headers["Location"] == f"/sign-in?next={path}"


def test_a_notice_is_published_from_the_command_line(run, hanako, tmp_path):
    """COM-60, OPS-10: its number comes out, a dry run leaves nothing."""
    file = tmp_path / "notice.md"
    file.write_text("**臨時**の休業です。", encoding="utf-8")
    words = ["notices", "publish", "臨時休業", str(file), "--important", "--tenant", "facility"]
    assert run.invoke(args=[*words, "--dry-run"]).exit_code == 0
    assert "臨時休業" not in hanako.get("/notices").text
    told = run.invoke(args=words)
    assert (told.exit_code, told.output.strip()) == (0, "N0002")
    assert "<strong>臨時</strong>の休業です。" in hanako.get("/notices/N0002").text
    assert run.invoke(args=["notices", "publish", "題", str(tmp_path / "none.md")]).exit_code == 2
