"""SUP-14: articles are found in Japanese, in the same way on both databases, and only by who may read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import db, session
from portal.shared.knowledge import operations, search
from portal.shared.knowledge.models import Posting
from tests.cast import NOW

JAPANESE = st.text(alphabet="あいうアイウｱｲｳｶﾞﾊﾟガパーｰ・　 勤怠打刻ＡaＢb１2㌔神\n", max_size=40)


def titles(asked: str, products: tuple[str, ...] = ()) -> list[str]:
    return [row.title for row, _snippet in search.find(asked, products)[0]]


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("打刻の修正", "打刻"),
        ("打刻の修正", "修正"),
        ("データ連携の設定", "データ連携"),
        ("データ連携の設定", "ﾃﾞｰﾀ連携"),
        ("データ連携の設定", "でーた連携"),
        ("ＰＤＦを出力する", "pdf"),
        ("pdfを出力する", "ＰＤＦ"),
        ("サーバーの再起動", "サーバ"),
        ("サーバの再起動", "サーバー"),
        ("サーバーの再起動", "サーバー"),
        ("ショートカットキーの一覧", "キー"),
        ("ユーザー・グループの登録", "ユーザーグループ"),
        ("ユーザーグループの登録", "ユーザー・グループ"),
        ("１２月の締め", "12月"),
        ("㈱の書き方", "(株)"),
        ("(株)見本の設定", "株式会社見本"),
        ("株式会社見本の設定", "㈱見本"),
        ("有限会社見本の設定", "（有）見本"),
        ("㈲見本の設定", "有限"),
        ("髙﨑様の設定", "高崎"),
        ("高崎様の設定", "髙﨑"),
        ("れーざーの設定", "レーザー"),
        ("レーザの設定", "ﾚｰｻﾞｰ"),
        ("5㌔以上", "キロ"),
        ("税", "税"),
        ("100%の達成", "0%"),
        ("A_Bの命名", "a_b"),
        ("𠮷野家様の設定", "𠮷野"),
    ],
)
def test_a_word_is_found_however_it_is_written(put, written, asked):
    """SUP-14: two characters are enough; width, case, kana, long vowels at the end and middle dots are the same."""
    put(written, key="a", category="分類", section="")
    put("ほかの記事", "これは関係がありません", key="b", category="分類", section="")
    assert titles(asked) == [written]
    put("件名", f"前の文。\n\n**{written}**についての説明", key="a", category="分類", section="")
    assert titles(asked) == ["件名"]


@pytest.mark.parametrize(
    "asked",
    ["", "　 ", "・", "\n", "%", "_", "存在しない", "刻打", "打刻正修", "' OR 1=1 --", "100%_"],
)
def test_what_stands_nowhere_is_not_found(put, asked):
    """SUP-14: nor is a sign that has a meaning in SQL."""
    put("打刻の修正", "打刻を修正します")
    assert titles(asked) == []


def test_all_words_must_stand_there_and_a_phrase_as_it_stands(put):
    """SUP-14: in any order, in title or text."""
    put("月次の締め処理", "承認のあとで取り消します")
    put("年次の締め", "処理を確認します。承認は不要です")
    put("承認", "月次")
    assert titles("承認 月次") == ["承認", "月次の締め処理"]
    assert titles("締め 処理 承認") == ["年次の締め", "月次の締め処理"]
    assert titles("締め処理") == ["月次の締め処理"]
    assert titles("月次　年次") == []


def test_a_phrase_goes_over_the_end_of_a_line_but_not_of_a_block(put):
    """SUP-14: what Markdown joins is one sentence."""
    put("一", "経費の\n精算をします", key="a")
    put("二", "経費の\n\n精算をします", key="b")
    put("三", "**経費**の[精算](https://one.example/)をします", key="c")
    assert sorted(titles("経費の精算")) == sorted(["一", "三"])


def test_title_before_text_and_the_newest_first(put):
    """SUP-14: a title that holds only a part counts as text."""
    for hours, (title, body) in enumerate(
        [
            ("打刻の修正", "x"),
            ("一覧", "打刻の修正"),
            ("打刻", "修正"),
            ("打刻修正の打刻の修正", "y"),
            ("打刻の話", "打刻の修正"),
        ]
    ):
        with clock.freeze(NOW.replace(hour=hours + 1)):
            put(title, body)
    assert titles("打刻の修正") == ["打刻修正の打刻の修正", "打刻の修正", "打刻の話", "一覧"]
    assert titles("打刻 修正") == ["打刻修正の打刻の修正", "打刻の修正", "打刻の話", "打刻", "一覧"]
    with clock.freeze(NOW.replace(hour=9)):
        put("打刻の修正", "書き直した")
    assert titles("打刻の修正")[0] == "打刻の修正", "an update makes it new"


def test_only_what_one_may_read_is_found(put):
    """SUP-14, COM-02: by products; the withdrawn by nobody."""
    put("全員の打刻", key="a")
    put("業務の打刻", key="b", products=("manage",))
    put("両方の打刻", key="c", products=("data-link", "manage"))
    gone = put("過去の打刻", key="d")
    operations.withdraw(gone.number, by=SYSTEM)
    assert sorted(titles("打刻")) == ["全員の打刻"]
    assert sorted(titles("打刻", ("manage",))) == ["両方の打刻", "全員の打刻", "業務の打刻"]
    assert sorted(titles("打刻", ("data-link",))) == ["両方の打刻", "全員の打刻"]
    assert titles("打刻", ("manag", "link", "%", "_anage")) == ["全員の打刻"]


def test_at_most_twenty_are_shown_and_whether_there_are_more(put):
    """SUP-14"""
    for number in range(20):
        put(f"打刻{number}", "説明")
    assert [len(hits) for hits in (search.find("打刻", ())[0],)] == [20]
    assert search.find("打刻", ())[1] is False
    put("その他", "打刻")
    hits, more = search.find("打刻", ())
    assert (len(hits), more) == (20, True)
    assert "その他" not in [row.title for row, _snippet in hits]


def test_what_an_article_said_before_is_found_no_more(put):
    """SUP-14: nothing of an older wording is left behind, however often it is put."""
    for body in ("領収書を印刷します", "請求書を保存します", "領収書を印刷します", "見積書"):
        put("件名", body, key="a")
    assert [titles(word) for word in ("領収書", "請求書", "見積書")] == [[], [], ["件名"]]
    article = put("件名", "見積書", key="a")
    grams = len(search.pairs(article.text_key))
    assert session().scalar(select(func.count(Posting.id))) == grams
    operations.withdraw(article.number, by=SYSTEM)
    assert session().scalar(select(func.count(Posting.id))) == 0


def test_an_article_without_two_characters_in_a_row_is_found_by_one(put):
    """SUP-14"""
    put("税", "a")
    assert titles("税") == ["税"]
    assert titles("税 a") == ["税"]
    assert titles("税a") == [], "a title and a text are two"


def test_a_very_long_article_is_put_and_taken_out(put):
    """SUP-14: more pairs than one statement names."""
    body = "".join(chr(0x4E00 + n) for n in range(3000))
    article = put("長い", body)
    assert titles(body[2500:2510]) == ["長い"]
    operations.withdraw(article.number, by=SYSTEM)
    assert session().scalar(select(func.count(Posting.id))) == 0


def test_a_search_asks_few_times_whatever_there_is(put):
    """SUP-14: what is rare, by title and by text; each where it stands and what it is."""
    seen: list[str] = []
    for number in range(5):
        put(f"勤怠の打刻の修正{number}", "承認のあとで取り消します")
    event.listen(db.engine, "before_cursor_execute", lambda _c, _k, sql, *_: seen.append(sql))
    assert len(titles("勤怠の打刻の修正 承認のあとで 取り消します")) == 5
    assert len([sql for sql in seen if sql.startswith("SELECT") and "set_config" not in sql]) <= 5


def test_what_is_looked_at_some_at_a_time_comes_in_order(put, monkeypatch):
    """SUP-14: however the pairs that stand apart are spread among them."""
    monkeypatch.setattr(search, "_AT_ONCE", 2)
    expected = []
    for number in range(24):
        with clock.freeze(NOW + timedelta(seconds=number)):
            put(f"件名{number}", "打刻修正" if number % 3 else "打刻。刻修。修正")
            expected += [f"件名{number}"] if number % 3 else []
    assert titles("打刻修正") == expected[::-1]


@pytest.mark.parametrize(
    ("plain", "asked", "expected"),
    [
        ("打刻を修正します", "修正", ("打刻を", "修正", "します")),
        ("ﾃﾞｰﾀを取り込む", "データ", ("", "ﾃﾞｰﾀ", "を取り込む")),
        ("5㌔を超えると", "キロ", ("5", "㌔", "を超えると")),
        ("あ" * 50 + "打刻" + "い" * 100, "打刻", ("…" + "あ" * 30, "打刻", "い" * 70 + "…")),
        ("なにもない" * 30, "打刻", ("", "", ("なにもない" * 30)[:70] + "…")),
        ("<b>打刻</b>", "打刻", ("<b>", "打刻", "</b>")),
        ("後の修正と先の打刻", "打刻 修正", ("後の", "修正", "と先の打刻")),
    ],
)
def test_the_snippet_shows_the_word_as_it_is_written(plain, asked, expected):
    """SUP-14: the first place, with some of what stands around it."""
    assert search.snippet(plain, search.words(asked)) == expected


@given(JAPANESE, JAPANESE)
def test_a_part_of_a_text_is_a_part_of_its_folded_form(one, other):
    """SUP-14: so that a phrase is found wherever it stands; a voicing mark belongs to the kana before it."""
    if not other[:1] or other[0] not in "ﾞﾟ":
        assert search.fold(one + other) == search.fold(one) + search.fold(other)


@given(JAPANESE, JAPANESE)
def test_a_snippet_never_fails_and_is_cut_out_of_the_text(plain, asked):
    before, found, after = search.snippet(plain, search.words(asked))
    assert f"{before}{found}{after}".replace("…", "") in plain


def test_each_brand_finds_its_own(put, inside):
    """COM-02"""
    put("打刻の修正")
    with inside("facility"):
        assert search.find("打刻", ("manage",)) == ([], False)
