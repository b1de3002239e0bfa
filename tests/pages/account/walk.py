"""会員情報の変更 as one visitor walks it: form, confirmation, done; and what a form on a page holds."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from werkzeug.test import TestResponse

from tests.support.client import Visitor

FORM, CONFIRM, DONE = "/account/profile", "/account/profile/confirm", "/account/profile/done"
TYPED = {
    "account_name": "一番精機株式会社",
    "account_kana": "イチバンセイキ",
    "postal_code": "144-0035",
    "prefecture": "東京都",
    "city": "大田区",
    "street": "南蒲田9-99",
    "building": "テクノポート 7階",
    "account_telephone": "03-1234-5678",
    "family_name": "一番",
    "given_name": "花子",
    "family_kana": "イチバン",
    "given_kana": "ハナコ",
    "department": "購買部",
    "telephone": "090-1234-5678",
}


class _Fields(HTMLParser):
    """Every field of a page: its attributes, with the chosen option's value for a list."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._list = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._list = own["name"]
            self.found[self._list] = own | {"value": ""}
        elif tag == "option" and "selected" in own:
            self.found[self._list]["value"] = own["value"]
        elif tag == "input" and "name" in own:
            self.found[own["name"]] = {"value": ""} | own


def fields(page: str) -> dict[str, dict[str, str]]:
    """The fields of a page's forms, with their attributes."""
    parser = _Fields()
    parser.feed(page)
    return parser.found


def values(page: str) -> dict[str, str]:
    """What the profile's form on a page holds, without what is hidden."""
    return {name: own["value"] for name, own in fields(page).items() if name in TYPED}


def versions(page: str) -> dict[str, str]:
    """What the form was filled in from."""
    return {name: fields(page)[name]["value"] for name in ("version", "account_version")}


def fill_in(visitor: Visitor, **changes: str) -> TestResponse:
    """Open the form, type what is in `TYPED` and `changes`, and press 入力内容を確認する."""
    return visitor.post(FORM, versions(visitor.get(FORM).text) | TYPED | changes)


def token_of(answer: TestResponse) -> str:
    """The draft's token in the address of the confirmation."""
    assert answer.status_code == 303, answer.text
    path, _mark, token = answer.headers["Location"].partition("?draft=")
    assert path == CONFIRM
    return token


def press_save(visitor: Visitor, draft: str, **more: Any) -> TestResponse:
    """Press 保存 on the confirmation."""
    return visitor.post(CONFIRM, {"draft": draft}, page=FORM, **more)


def save(visitor: Visitor, **changes: str) -> TestResponse:
    """The whole way."""
    return press_save(visitor, token_of(fill_in(visitor, **changes)))
