"""SUP-14, SUP-15: ナレッジ as members use it: without JavaScript, and only what they may read."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from portal.core import jobs
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.knowledge import operations
from portal.shared.knowledge.models import Stance
from tests.web.test_translations import JAPANESE, visible

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LINK = re.compile(r'<a href="/knowledge/(KB\d+)">(.*?)</a>')


@pytest.fixture
def shelves(published):
    """Five articles in two categories."""
    return [
        published("打刻の修正", "打刻を<b>修正</b>する**手順**です。"),
        published("休暇の申請", "一覧から選びます。", section="休暇"),
        published("業務の締め", "打刻を締めます。", products=("manage",)),
        published(
            "連携の設定",
            "鍵を登録します。",
            category="連携",
            section="設定",
            products=("data-link",),
        ),
        published("入社の手引き", "はじめに。", section=""),
    ]


def listed(page: str) -> list[str]:
    return [title for _number, title in LINK.findall(page)]


def test_the_page_shows_categories_with_counts_and_the_newest_articles(come, shelves):
    """SUP-14: what this member may read, and nothing of the rest, not even in a number."""
    page = come("hanako").get("/knowledge").text
    assert listed(page) == ["入社の手引き", "業務の締め", "休暇の申請", "打刻の修正"]
    assert re.findall(r'place=KC\d+">(.*?)</a>\s<span class="hint">（(\d+)）<', page) == [
        ("勤怠", "4"),
        ("打刻", "2"),
        ("休暇", "1"),
    ]
    assert "連携" not in page
    assert ("連携", "1") in re.findall(
        r'">(.*?)</a>\s<span class="hint">（(\d+)）<', come("ichiro").get("/knowledge").text
    )
    nobodys = come("jiro").get("/knowledge").text
    assert listed(nobodys) == ["入社の手引き", "休暇の申請", "打刻の修正"]


def test_where_there_is_nothing_yet_the_page_says_so(come):
    """SUP-14"""
    page = come("jiro").get("/knowledge")
    assert page.status_code == 200
    assert "記事はまだありません。" in page.text
    assert come("jiro").get("/knowledge?q=打刻").status_code == 200


def test_a_category_has_all_of_its_sections_and_a_section_its_own(come, shelves):
    """SUP-14: what is not there, or holds nothing that may be read, is not found."""
    hanako = come("hanako")
    numbers = dict(re.findall(r'place=(KC\d+)">(.*?)</a>', hanako.get("/knowledge").text))
    places = {name: number for number, name in numbers.items()}
    assert len(listed(hanako.get(f"/knowledge?place={places['勤怠']}").text)) == 4
    section = hanako.get(f"/knowledge?place={places['打刻']}").text
    assert listed(section) == ["業務の締め", "打刻の修正"]
    assert "勤怠 › 打刻" in section
    theirs = re.findall(r'place=(KC\d+)">設定', come("ichiro").get("/knowledge").text)[0]
    for number in (theirs, "KC9999", "KB0001", "%00"):
        assert hanako.get(f"/knowledge?place={number}").status_code == 404, number


def test_a_long_section_has_pages(come, published):
    """SUP-14, COM-21"""
    for number in range(23):
        published(f"記事{number:02}")
    page = come("jiro").get("/knowledge").text
    assert len(listed(page)) == 20
    more = re.search(r'rel="next" href="([^"]+)"', page)
    assert more
    assert listed(come("jiro").get(more[1].replace("&amp;", "&")).text) == [
        "記事02",
        "記事01",
        "記事00",
    ]


def test_a_search_is_a_plain_form_and_htmx_gets_the_same_part(come, shelves):
    """SUP-14, COM-25: with the word marked, and nothing of an article come alive."""
    hanako = come("hanako")
    page = hanako.get("/knowledge?q=打刻").text
    assert '<form class="narrow" role="search" method="get" action="/knowledge"' in page
    assert listed(page) == ["打刻の修正", "業務の締め"]
    assert "<mark>打刻</mark>を&lt;b&gt;修正&lt;/b&gt;する手順です。" in page
    assert 'value="打刻"' in page
    assert "2件見つかりました。" in page
    part = hanako.get(
        "/knowledge?q=打刻", headers={"HX-Request": "true", "HX-Request-Type": "partial"}
    ).text
    assert part.lstrip().startswith('<div class="stack" id="knowledge-results">')
    assert listed(part) == listed(page)
    assert listed(come("jiro").get("/knowledge?q=打刻").text) == ["打刻の修正"]
    assert "該当する記事はありません。" in hanako.get("/knowledge?q=鍵").text


@ONE
@pytest.mark.parametrize(
    "asked",
    ["", "　", "・", "%00", "%EF%BF%BF", "あ" * 500, "%F0%A0%AE%B7", '"><script>', "a" * 3000],
)
def test_whatever_is_typed_gets_a_page(come, shelves, asked):
    answer = come("hanako").get(f"/knowledge?q={asked}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text.replace("<script src", "")


def test_twenty_are_shown_and_that_there_are_more(come, published):
    """SUP-14"""
    for number in range(21):
        published(f"記事{number:02}")
    page = come("jiro").get("/knowledge?q=記事").text
    assert "20件以上見つかりました。" in page
    assert len(listed(page)) == 20


def test_an_article_is_safe_markdown(come, published):
    """SUP-14: and foreign addresses make no picture and no script."""
    number = published(
        "題<i>",
        "# 見出し\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![p](https://evil.example/p.png)",
    )
    page = come("jiro").get(f"/knowledge/{number}").text
    assert "<h1>題&lt;i&gt;</h1>" in page
    assert "&lt;script&gt;alert(1)" in page
    for wrong in ('href="javascript', "<img", "<script>alert"):
        assert wrong not in page


def test_what_one_may_not_read_is_as_if_it_did_not_exist(come, shelves):
    """SUP-14, COM-02: opened, voted on or followed."""
    jiro = come("jiro")
    for number in (shelves[2], shelves[3], "KB9999", "kb0001"):
        assert jiro.get(f"/knowledge/{number}").status_code == 404
        for data in ({"is_helpful": "yes"}, {"follows": "yes"}):
            assert (
                jiro.post(f"/knowledge/{number}", data, page="/knowledge/KB0001").status_code == 404
            )
    assert come("hanako").get(f"/knowledge/{shelves[2]}").status_code == 200


def test_a_vote_is_kept_and_may_be_changed(come, shelves, inside):
    """SUP-14, COM-90: two buttons of one form."""
    hanako, path = come("hanako"), f"/knowledge/{shelves[0]}"
    assert "とお答えいただきました" not in hanako.get(path).text
    for answer, said in (("yes", "はい"), ("no", "いいえ"), ("no", "いいえ")):
        sent = hanako.post(path, {"is_helpful": answer, "next": path})
        assert (sent.status_code, sent.location) == (303, path)
        assert f"「{said}」とお答えいただきました" in hanako.get(path).text
    with inside("desk"):
        assert session().scalars(select(Stance.is_helpful)).all() == [False]
        events = select(func.count(AuditEvent.id)).where(AuditEvent.action == "knowledge.react")
        assert session().scalar(events) == 3


def test_articles_sections_and_categories_are_followed_and_let_go(come, shelves):
    """SUP-15: by buttons, with a list of what I follow."""
    hanako = come("hanako")
    assert "フォロー中の記事や分類はありません。" in hanako.get("/knowledge/following").text
    numbers = re.findall(r"place=(KC\d+)", hanako.get("/knowledge").text)
    for number, path in (
        (shelves[0], f"/knowledge/{shelves[0]}"),
        *((n, f"/knowledge?place={n}") for n in numbers[:2]),
    ):
        assert ">フォローする<" in hanako.get(path).text
        sent = hanako.post(f"/knowledge/{number}", {"follows": "yes", "next": path}, page=path)
        assert (sent.status_code, sent.location) == (303, path)
        assert ">フォローをやめる<" in hanako.get(path).text
    mine = hanako.get("/knowledge/following").text
    assert re.findall(r'<td><a href="[^"]+">(.*?)</a>', mine) == [
        "勤怠",
        "勤怠 › 打刻",
        "打刻の修正",
    ]
    for number in (shelves[0], *numbers[:2]):
        page = "/knowledge/following"
        assert (
            hanako.post(f"/knowledge/{number}", {"follows": "no", "next": page}, page=page).location
            == page
        )
    assert "フォロー中の記事や分類はありません。" in hanako.get("/knowledge/following").text


@ONE
def test_a_form_leads_nowhere_else_and_says_something(come, shelves, inside):
    """§4.11: `next` is a path of ours; a form without an answer changes nothing."""
    hanako, path = come("hanako"), f"/knowledge/{shelves[0]}"
    for target in ("https://evil.example/", "//evil.example", ""):
        assert hanako.post(path, {"follows": "yes", "next": target}).location == "/knowledge"
    with inside("desk"):
        before = session().scalar(select(func.count(AuditEvent.id)))
    assert hanako.post(path, {"next": path}).location == path
    with inside("desk"):
        assert session().scalar(select(func.count(AuditEvent.id))) == before
    assert (
        hanako.client.post(path, base_url=hanako.base, data={"follows": "no"}).status_code == 400
    ), "without a token"


def test_a_mails_link_shows_a_button_and_only_the_button_does_it(
    come, visit, people, shelves, inside
):
    """SUP-15, RFC 8058: without a sign-in, a cookie or a token of ours; GET changes nothing, twice is once."""
    hanako = come("hanako")
    hanako.post(f"/knowledge/{shelves[0]}", {"follows": "yes"})
    with inside("desk"):
        token = operations.token_of(people["hanako"], shelves[0])
    stranger, path = visit("desk"), f"/knowledge/unfollow/{token}"
    for method in ("get", "head"):
        shown = getattr(stranger.client, method)(path, base_url=stranger.base)
        assert shown.status_code == 200
    assert "「打刻の修正」と、その分類のフォローをやめます" in stranger.get(path).text
    assert "打刻の修正" in hanako.get("/knowledge/following").text
    for _ in range(2):
        done = stranger.client.post(
            path, base_url=stranger.base, data={"List-Unsubscribe": "One-Click"}
        )
        assert done.status_code == 200
        assert "フォローをやめました。" in done.text
    assert "打刻の修正" not in hanako.get("/knowledge/following").text
    for wrong in (token[:-1], token.replace("KB0001", "KB0002"), "x", "0" * 43):
        for method in ("get", "post"):
            answer = getattr(stranger.client, method)(
                f"/knowledge/unfollow/{wrong}", base_url=stranger.base
            )
            assert answer.status_code == 404
    elsewhere = visit("facility")
    assert elsewhere.client.post(path, base_url=elsewhere.base).status_code == 404


def test_the_worker_mails_followers_by_their_products(come, published, run, inside):
    """SUP-15: the job finds the brand's products and its address by itself."""
    published("目次", quiet=True)
    for name in ("hanako", "ichiro"):
        visitor = come(name)
        visitor.post(
            f"/knowledge/{re.findall('place=(KC[0-9]+)', visitor.get('/knowledge').text)[0]}",
            {"follows": "yes"},
            page="/knowledge/KB0001",
        )
    number = published("業務の締め", products=("manage",))
    with inside("desk"):
        assert jobs.run_due(50) >= 1
        mails = (
            session()
            .scalars(select(OutboxMail).where(OutboxMail.event == "knowledge_article"))
            .all()
        )
    assert [mail.recipient for mail in mails] == ["hanako@one.example"]
    assert f"http://desk.localhost/knowledge/{number}\n" in mails[0].body


def test_where_it_is_off_there_is_nothing(visit, cast):
    """COM-03: no page, no link, no way to end what never began."""
    visitor = visit("facility", cast.representative)
    for path in (
        "/knowledge",
        "/knowledge/KB0001",
        "/knowledge/following",
        "/knowledge/unfollow/x",
    ):
        assert visitor.get(path).status_code == 404
    assert 'href="/knowledge' not in visitor.get("/").text


@ONE
def test_its_pages_are_english_where_one_wants_that(come, shelves, people, inside):
    """COM-24: but for what the brand wrote."""
    hanako = come("hanako")
    hanako.post("/language", {"language": "en", "next": "/knowledge"}, page="/knowledge")
    hanako.post(f"/knowledge/{shelves[0]}", {"follows": "yes", "is_helpful": "no"})
    with inside("desk"):
        token = operations.token_of(people["hanako"], shelves[0])
    data = "を 勤怠 打刻 休暇 業務 連携 入社 手順 修正 の申請 の締め の手引き です する".split()
    for path in ("", "?q=打刻", "?q=鍵", f"/{shelves[0]}", "/following", f"/unfollow/{token}"):
        page = hanako.get(f"/knowledge{path}").text
        text = visible(page[page.index("<main") : page.index("</main>")])
        assert [
            word for word in JAPANESE.findall(text) if not any(known in word for known in data)
        ] == [], path


@ONE
def test_it_stands_in_the_menu(come, shelves):
    assert '<a href="/knowledge"' in come("hanako").get("/").text
