"""The language switch: kept for this browser, back to where one was, and English is whole (COM-04)."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import select

from portal.core.db import session
from portal.shared.accounts.models import Member

JAPANESE = re.compile(r"[぀-ヿ一-鿿]+")
WRITTEN = (
    "試験設備",
    "カナリア甲",
    "からのお知らせ",
    "花子",
    "株式会社一番",
    "平日",
    "日本語",
    "レーザー加工機",
    "の試作",
    "の休業日です",
)
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def switch(visitor, language, back_to="/", page="/sign-in"):
    return visitor.post("/language", {"language": language, "next": back_to}, page=page)


def test_the_choice_holds_for_this_browser_and_can_be_taken_back(visit):
    """The button offers the other language, in its own words."""
    visitor = visit("facility")
    assert 'value="en" lang="en">English<' in visitor.get("/sign-in").text
    assert switch(visitor, "en").status_code == 303
    english = visitor.get("/sign-in").text
    assert '<html lang="en">' in english
    assert 'value="ja" lang="ja">日本語<' in english
    assert '<html lang="ja">' in visit("facility").get("/sign-in").text, "another browser"
    switch(visitor, "ja")
    assert '<html lang="ja">' in visitor.get("/sign-in").text


def test_the_choice_outlives_signing_in_and_stays_at_this_brand(visit, cast):
    """COM-02: another brand has another address and knows nothing of it."""
    visitor = visit("facility")
    switch(visitor, "en")
    visitor.sign_in(cast.representative, "green-Tea-and-72-cups")
    assert '<html lang="en">' in visitor.get("/").text
    visitor.base = "http://studio.localhost"
    assert '<html lang="ja">' in visitor.get("/sign-in").text


def test_a_member_who_reads_english_gets_it_unless_they_choose_otherwise(visit, inside, cast):
    """The browser's choice goes before what is on record."""
    with inside("facility"):
        session().scalars(select(Member).where(Member.login_id == cast.member)).one().locale = "en"
        session().commit()
    visitor = visit("facility", cast.member)
    assert '<html lang="en">' in visitor.get("/").text
    switch(visitor, "ja", page="/")
    assert '<html lang="ja">' in visitor.get("/").text


@pytest.mark.parametrize("asked", ["fr", "", "EN", "ja-JP", "../en", "\0"])
def test_a_language_that_is_not_ours_changes_nothing(visit, asked):
    """One still gets back to the page."""
    visitor = visit("facility")
    assert switch(visitor, asked, "/legal/terms").headers["Location"] == "/legal/terms"
    assert '<html lang="ja">' in visitor.get("/sign-in").text


def test_the_switch_leads_back_to_the_page_with_its_search(visit, cast):
    """COM-21: the address with everything in it."""
    visitor = visit("facility", cast.representative)
    path = "/facility/reservations?number=FR&status=billed"
    page = visitor.get(path).text
    back = re.search(
        r'<form method="post" action="/language">.*?name="next" value="([^"]*)"', page, re.DOTALL
    )
    assert back
    assert unescape(back[1]) == path
    assert switch(visitor, "en", unescape(back[1]), page="/").headers["Location"] == path


def test_the_switch_leads_to_no_other_site(visit):
    """security.md §4.11: anything but a path of this host leads to the top."""
    for target in [
        *(
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "evil.example",
            "",
        ),
        *(
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n//evil.example",
            "http:///evil.example",
            " //evil.example",
        ),
    ]:
        assert switch(visit("facility"), "en", target).headers["Location"] == "/"


def test_the_switch_is_a_form_with_a_token(visit):
    """Security: no other site can switch it, and no link does."""
    visitor = visit("facility")
    bare = visitor.client.post("/language", base_url=visitor.base, data={"language": "en"})
    assert bare.status_code == 400
    assert visitor.get("/language?language=en").status_code in (404, 405)
    assert '<html lang="ja">' in visitor.get("/sign-in").text


def test_nothing_on_these_pages_is_left_in_japanese(visit, cast):
    """What the brand and its customers wrote stays; everything else is English, errors and steps included."""
    visitor = visit("facility", cast.representative)
    switch(visitor, "en", page="/")
    form = "/account/profile"
    pages = {
        path: visitor.get(path).text for path in ("/", form, f"{form}/done", "/account/password")
    }
    pages |= {
        path: visitor.get(path).text
        for path in ("/notices", "/notices/N0001", "/billing-addresses", "/legal/terms")
    }
    pages |= {
        f"{path} refused": visitor.post(path, {}).text for path in (form, "/account/password")
    }
    wrong = {"postal_code": "1", "telephone": "1", "family_kana": "x", "city": "a" * 61}
    pages["refused for shape"] = visitor.post(form, wrong).text
    pages["no such draft"] = visitor.post(f"{form}/confirm", {"draft": "x"}, page=form).text
    pages["no such page"] = visitor.get("/nowhere").text
    for name, page in pages.items():
        shown = re.sub(
            r"<option.*?</option>|<span class=\"mark\".*?</span>", "", page, flags=re.DOTALL
        )
        for word in WRITTEN:
            shown = shown.replace(word, "")
        assert JAPANESE.findall(shown) == [], name


@pytest.mark.parametrize(
    ("offered", "usual"), [('["ja"]', "ja"), ('["en"]', "en"), ('["en", "ja"]', "en")]
)
def test_the_tenant_says_which_languages_there_are(other, offered, usual):
    """OPS-01: the first is the usual one; where there is one there is no switch."""
    visitor = other(f"languages = {offered}")
    shown = visitor.get("/sign-in").text
    assert f'<html lang="{usual}">' in shown
    assert ('name="language"' in shown) is ("," in offered)
    switch(visitor, "ja" if usual == "en" else "en")
    wanted = usual if "," not in offered else "ja"
    assert f'<html lang="{wanted}">' in visitor.get("/sign-in").text
