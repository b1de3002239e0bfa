"""English: complete, up to date with the program, and nowhere half Japanese."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask
from sqlalchemy import select

from portal.blueprints.support import operations as support
from portal.blueprints.support.operations import Registrant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.settings import ROOT
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.auth import passwords
from portal.shared.knowledge import operations as knowledge
from portal.shared.knowledge.operations import Written
from tests.cast import CANARY, PASSWORD
from tests.support.client import Visitor

FOLDER = ROOT / "portal/translations/en/LC_MESSAGES"
# Besides gettext's own names: what takes a Japanese sentence as its first (or second) argument.
KEYWORDS = dict.fromkeys(("_l", "gettext_noop")) | {
    "RuleBroken": (1,),
    "Stale": (1,),
    "NotFound": (1,),
    "Missing": (1,),
    "NavItem": (1,),
    "Decision": (1,),
    "Sort": (2,),
}
PLACES = re.compile(r"%(?:\(\w+\))?[sd]")
JAPANESE = re.compile(r"[぀-ヿ一-鿿々〆]+")
PAGES = (
    "/",
    "/facility/reservations",
    "/facility/reservations?number=none",
    "/facility/reservations?since=2026-11-02&until=2026-11-01",
    "/account/profile",
    "/account/password",
    "/account/mail",
    "/account/security",
    "/account/second-factor",
    "/account/second-factor/app",
    "/forgotten-password",
    "/account/members",
    "/account/members/new",
    "/account/email",
    "/account/history",
    "/account/export",
    "/account/withdrawal",
    "/billing-addresses",
    "/billing-addresses/new",
    "/inquiries",
    "/inquiries/new?category=change&about=FR000001",
    "/billing-addresses",
    "/inquiries/new",
    "/notices",
    "/facility/facilities",
    "/facility/facilities/LC-01",
    "/facility/facilities/LC-01/reservation?day=2026-11-25&starts=10:00",
    "/calendar",
    "/documents",
    "/legal/privacy",
    "/nowhere",
)
# What a page shows in Japanese because the brand or the customer wrote it so.
DATA = (
    "試験窓口",
    "業務",
    "お問い合わせにお答えするため",
    "試験設備",
    "日本語",
    "花子",
    "健一",
    "株式会社一番",
    "平日",
    "からのお知らせ",
    "レーザー加工機",
    "の試作",
    "集塵機",
    "保護メガネ",
    "利用料",
    "時間",
    "予約内容の変更を希望",
    "予約のキャンセルを希望",
    "その他お問合せ",
    "その他のお問い合わせ",
    "予約番号",
    "ご希望日",
    "ご希望の開始時刻",
    "変更内容",
    "試",
)


@cache
def catalogue() -> Catalog:
    """The English catalogue."""
    with (FOLDER / "messages.po").open("rb") as file:
        return read_po(file, locale="en")


def extracted() -> set[str]:
    """Every sentence that the program says."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(
        ROOT / "portal", methods, options, keywords=DEFAULT_KEYWORDS | KEYWORDS
    )
    return {
        message if isinstance(message, str) else message[0]
        for _file, _line, message, *_rest in found
    }


def test_every_sentence_is_translated() -> None:
    """nothing is empty, nothing only guessed."""
    entries = [message for message in catalogue() if message.id]
    assert [message.id for message in entries if not message.string or message.fuzzy] == []


def test_the_catalogue_holds_what_the_program_says_and_no_more() -> None:
    known = {str(message.id) for message in catalogue() if message.id}
    said = extracted()
    assert said - known == set(), "translate these"
    assert known - said == set(), "nobody says these any more"


def test_both_languages_have_the_same_places() -> None:
    for message in catalogue():
        if message.id:
            assert sorted(PLACES.findall(str(message.id))) == sorted(
                PLACES.findall(str(message.string))
            )


def test_no_translation_is_japanese() -> None:
    assert [
        message.string
        for message in catalogue()
        if message.id and JAPANESE.search(str(message.string))
    ] == []


def test_the_compiled_catalogue_is_the_written_one() -> None:
    with (FOLDER / "messages.mo").open("rb") as file:
        compiled = {message.id: message.string for message in read_mo(file) if message.id}
    assert compiled == {message.id: message.string for message in catalogue() if message.id}


def visible(html: str) -> str:
    """The text of a page, and the attributes that are read out or shown, without places that hold data."""
    html = re.sub(
        r"<(select|option)\b[^>]*name=\"prefecture\".*?</select>", "", html, flags=re.DOTALL
    )
    shown = re.findall(r"(?:aria-label|placeholder|title|data-l)=\"([^\"]*)\"", html)
    return unescape(" ".join([re.sub(r"<[^>]+>", " ", html), *shown]))


def left_over(html: str) -> list[str]:
    """Japanese on a page that is not data."""
    text = visible(html)
    for word in (*CANARY.values(), *DATA):
        text = text.replace(word, "")
    return JAPANESE.findall(text)


@pytest.fixture
def english(visit: Callable[..., Visitor]) -> Visitor:
    """A member who has switched to English."""
    visitor = visit("facility", "hanako")
    answer = visitor.post("/language", {"language": "en", "next": "/"}, page="/")
    assert answer.status_code == 303
    return visitor


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_page_is_half_japanese(english: Visitor) -> None:
    """behind the switch everything but data is English."""
    pages = [*PAGES, *(f"/facility/reservations/FR{number:06d}" for number in (1, 2, 3))]
    assert {page: words for page in pages if (words := left_over(english.get(page).text))} == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_page_of_the_desk_is_half_japanese(app: Flask, inside: Any) -> None:
    """SUP-02, SUP-11, SUP-13, SUP-14: contracts, inquiries, a chat, the knowledge base."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="株式会社一番")
        contract = support.add_contract(tenant, account, "manage", date(2022, 9, 1), by=SYSTEM)
        people = [
            Registrant("試", "花子", "hanako@one.example"),
            Registrant("試", "健一", "kenichi@one.example"),
        ]
        support.register(tenant, contract, people, by=SYSTEM)
        for member in session().scalars(select(Member)):
            member.password_hash = passwords.hash_password(PASSWORD)
        knowledge.put(Written("a", "試", "", "試", (), "試"), by=SYSTEM)
        session().commit()
    found = ("", "?q=試", "?q=x", "/KB0001", "/following")
    pages = [
        "/",
        "/support/contracts",
        "/support/contracts/CT00000001",
        "/inquiries",
        "/inquiries?text=x",
        "/inquiries/new",
        "/chat",
    ]
    pages += [f"/knowledge{path}" for path in found]
    with clock.freeze(clock.local(2026, 11, 24, 10)):  # a day on which one may chat
        visitor = Visitor(app, "desk")
        assert (
            visitor.post(
                "/sign-in", {"email": "hanako@one.example", "password": PASSWORD}
            ).status_code
            == 303
        )
        visitor.post("/language", {"language": "en", "next": "/"}, page="/")
        wrong = {page: words for page in pages if (words := left_over(visitor.get(page).text))}
        number = visitor.post(
            "/chat", {"category": "other", "body": "x", "agreed": "y", "about": "CT00000001"}
        ).location.rpartition("/")[2]
        wrong |= {number: left_over(visitor.get(f"/chat/{number}").text)}
    assert wrong == {number: []}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_error_is_half_japanese(english: Visitor, visit: Callable[..., Visitor]) -> None:
    """COM-23: neither are messages at fields, nor the steps of a form."""
    wrong = english.post("/account/profile", {"telephone": "1", "postal_code": "1"})
    weak = {"old_password": "x", "password": "short", "again": "short"}
    password = english.post("/account/password", weak)
    assert (wrong.status_code, password.status_code) == (422, 422)
    assert left_over(wrong.text) == []
    assert left_over(password.text) == []
    stranger = visit("facility")
    stranger.post("/language", {"language": "en"}, page="/sign-in")
    assert left_over(stranger.sign_in("hanako", "wrong-password-1").text) == []


def test_the_folder_holds_nothing_else() -> None:
    assert {path.name for path in Path(FOLDER).iterdir()} == {"messages.po", "messages.mo"}
