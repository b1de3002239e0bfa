"""COM-24: "住所を自動入力" says what it filled in, and does not claim what it left alone."""

from __future__ import annotations

import re

import pytest

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE = "/billing-addresses/new"
TYPED = {"name": "経理部", "postal_code": "１４４−００３５", "places": "0"}
FULL = {"prefecture": "東京都", "city": "大田区", "street": "南蒲田9丁目"}


def tag(page: str, pattern: str) -> str:
    """The first match on a page, or its group."""
    found = re.search(pattern, page)
    return found[found.re.groups] if found else ""


def held(page: str) -> tuple[str, str, str]:
    """Prefecture, city and street in the form."""
    prefecture = tag(page, r'<option selected value="([^"]+)"')
    city = tag(page, r'<input[^>]*name="city"[^>]*value="([^"]*)"')
    street = tag(page, r'<input[^>]*name="street"[^>]*value="([^"]*)"')
    return prefecture, city, street


@ONE
def test_empty_fields_are_filled_in_and_named(visit):
    """COM-24"""
    page = visit("facility", "hanako").post(PAGE, TYPED).text
    assert held(page) == ("東京都", "大田区", "南蒲田")
    assert "次の欄に入力しました：都道府県、市区町村、町名・番地。" in page


@ONE
def test_what_was_typed_is_left_alone_and_the_page_says_so(visit):
    """COM-24: then a button of its own replaces it."""
    visitor = visit("facility", "hanako")
    other = {"prefecture": "大阪府", "city": "大阪市北区", "street": "梅田1-1"}
    page = visitor.post(PAGE, TYPED | other).text
    assert held(page) == ("大阪府", "大阪市北区", "梅田1-1")
    assert "入力しました" not in page
    assert (
        "「東京都大田区南蒲田」です。入力済みの欄（都道府県、市区町村、町名・番地）は変更していません。"
        in page
    )
    replaced = visitor.post(PAGE, {**TYPED, **other, "places": [], "replace": "1"}).text
    assert held(replaced) == ("東京都", "大田区", "南蒲田")
    assert "次の欄に入力しました" in replaced


@ONE
def test_an_address_that_agrees_is_told_to_agree(visit):
    """COM-24: nothing is filled in, and nothing is said to be."""
    page = visit("facility", "hanako").post(PAGE, TYPED | FULL).text
    assert held(page) == ("東京都", "大田区", "南蒲田9丁目")
    assert "入力しました" not in page
    assert "この郵便番号の住所と一致しています" in page


@ONE
@pytest.mark.parametrize("pressed", ["9" * 5000, "-1", "あ", "１", "99"])
def test_a_made_up_choice_picks_nothing(visit, pressed):
    """COM-23: no error either."""
    page = visit("facility", "hanako").post(
        PAGE, TYPED | {"postal_code": "4980000", "places": pressed}
    )
    assert page.status_code == 200
    assert held(page.text) == ("", "", "")


def test_an_ordinary_member_is_offered_nothing_that_would_be_dropped(visit):
    """FAC-07, COM-24: the prefecture is off like the rest, and there is no button to fill the address in."""
    page = visit("facility", "kenichi").get("/account/profile").text
    assert "disabled" in tag(page, r'<select[^>]*name="prefecture"[^>]*>')
    assert 'name="places"' not in page
    page = visit("facility", "hanako").get("/account/profile").text
    assert "disabled" not in tag(page, r'<select[^>]*name="prefecture"[^>]*>')
    assert 'name="places"' in page
