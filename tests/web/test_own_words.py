"""OPS-01: a brand's own words on shared pages, its tenant's above them; English stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from portal.blueprints import BRANDS
from portal.config.config_errors import TenantsInvalid
from portal.config.messages import check_message, check_word
from portal.config.registry import Registry
from portal.config.schema import tenant_type
from portal.web import formatting
from portal.web.brand import module_configs
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def spoken(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Give the facility brand words, or one of its tenants words of its own."""
    tenants = app.extensions["tenants"].current().by_key

    def speak(*, brand: dict[str, str] | None = None, tenant: dict[str, str] | None = None) -> None:
        brands = app.extensions["brands"]
        changed = replace(brands["facility"], words=brand or {})
        monkeypatch.setitem(brands, "facility", changed)
        # The type is frozen; a file that is read again would bring another tenant, and draw pieces anew.
        monkeypatch.setitem(tenants["facility"].__dict__, "words", tenant or {})
        formatting._pieces.clear()

    yield speak
    formatting._pieces.clear()


@ONE
def test_a_brands_word_stands_on_its_pages_in_place_of_the_usual_one(
    visit: Visit, spoken: Callable[..., None]
) -> None:
    """OPS-01: in the navigation, titles and messages alike, and at no other brand."""
    spoken(brand={"会員情報の変更": "お客様情報設定", "お知らせ": "ニュース"})
    page = visit("facility", "hanako").get("/").text
    assert "お客様情報設定" in page
    assert "ニュース" in page
    assert "会員情報の変更" not in page


@ONE
def test_a_tenants_own_word_wins_over_its_brands(visit: Visit, spoken: Callable[..., None]) -> None:
    """OPS-01"""
    spoken(brand={"お知らせ": "ニュース"}, tenant={"お知らせ": "ご案内"})
    page = visit("facility", "hanako").get("/notices").text
    assert "ご案内" in page
    assert "ニュース" not in page


@ONE
def test_what_is_put_into_a_sentence_is_put_into_the_brands(
    visit: Visit, spoken: Callable[..., None]
) -> None:
    """OPS-01"""
    spoken(tenant={"%(name)s様のマイページ": "%(name)s様のMy Account"})
    assert "株式会社一番様のMy Account" in visit("facility", "hanako").get("/").text


@ONE
def test_english_pages_keep_their_words(visit: Visit, spoken: Callable[..., None]) -> None:
    """OPS-01: the words are Japanese ones."""
    spoken(tenant={"お知らせ": "ご案内"})
    visitor = visit("facility", "hanako")
    visitor.post("/language", {"language": "en", "next": "/"})
    page = visitor.get("/notices").text
    assert "ご案内" not in page
    assert "Notices" in page


@ONE
def test_the_first_modules_word_wins_over_the_others(
    app: Flask, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPS-01: as everywhere where two modules name one thing."""
    brands = app.extensions["brands"]
    for key, word in (("facility", "設備のログイン"), ("support", "窓口のログイン")):
        monkeypatch.setitem(brands, key, replace(brands[key], words={"ログイン": word}))
    page = visit("works").get("/sign-in").text
    assert "設備のログイン" in page
    assert "窓口のログイン" not in page


@pytest.mark.parametrize("brand", BRANDS, ids=lambda brand: brand.key)
def test_every_brands_words_are_for_what_pages_say(brand) -> None:
    """OPS-01: a sentence that the program no longer says has no word."""
    for message, word in brand.words.items():
        check_word(check_message(message), word)


def mistakes(tmp_path: Path, words: str) -> list[str]:
    """What is wrong with a tenant that has these words."""
    file = tmp_path / "tenants.toml"
    head = '[tenants.facility]\nname = "試験"\nmodules = ["facility"]\n'
    file.write_text(f"{head}[tenants.facility.words]\n{words}\n", encoding="utf-8")
    kind = tenant_type(module_configs(BRANDS))
    try:
        Registry(file, "localhost", kind, last_good=tmp_path / "good.toml", keeps=False)
    except TenantsInvalid as invalid:
        return list(map(str, invalid.mistakes))
    return []


def test_ops_01_an_unknown_sentence_is_a_mistake_at_its_line(tmp_path: Path) -> None:
    """OPS-01: with what was probably meant, and never a thousand to choose from."""
    (mistake,) = mistakes(tmp_path, '"会員情報の変史" = "お客様情報"')
    assert ":5:" in mistake
    assert "did you mean '会員情報の変更'" in mistake
    (mistake,) = mistakes(tmp_path, '"xyzzy" = "お客様情報"')
    assert "no page says 'xyzzy'" in mistake
    assert len(mistake) < 200


def test_ops_01_a_word_that_leaves_out_what_is_put_in_is_a_mistake(tmp_path: Path) -> None:
    """OPS-01"""
    (mistake,) = mistakes(tmp_path, '"%(name)s様のマイページ" = "お客様のマイページ"')
    assert "%(name)s" in mistake
    (mistake,) = mistakes(tmp_path, '"お知らせ" = "お知らせ%(n)s件"')
    assert "filled with nothing" in mistake
    assert mistakes(tmp_path, '"お知らせ" = "ご案内"') == []
