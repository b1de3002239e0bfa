"""COM-23: nothing that the form library says by itself reaches a page, in English or in its own Japanese."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from portal.web.form_words import FormWords
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BOOKING = "/facility/facilities/LC-01/reservation"


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Iterator[FormWords]:
    """The sentences in Japanese, without a portal."""
    monkeypatch.setattr("portal.web.i18n.get_locale", lambda: "ja")
    with Flask(__name__).test_request_context():
        yield FormWords()


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Not a valid choice.", "一覧から選択してください。"),
        ("Not a valid integer value.", "数字で入力してください。"),
        ("Number must be at least %(min)s.", "入力内容に誤りがあります。もう一度ご確認ください。"),
        ("a message of next year", "入力内容に誤りがあります。もう一度ご確認ください。"),
    ],
)
def test_every_message_is_said_in_our_words(words: FormWords, message: str, said: str) -> None:
    assert words.gettext(message) == said
    assert words.ngettext(message, "many", 2) % {"value": "x", "min": 1} == said


@ONE
@pytest.mark.parametrize(
    ("path", "typed", "said"),
    [
        (BOOKING, {"options": "免費"}, "オプション：一覧から選択してください。"),
        (BOOKING, {"headcount": "x"}, "ご利用人数：1以上の数字で入力してください。"),
        (BOOKING, {"day": "x"}, "ご利用日：日付は、2026/11/22のように入力してください。"),
        ("/account/members/new", {"rights": "all"}, "できること：一覧から選択してください。"),
        ("/account/mail", {"inquiries": "x"}, "一覧から選択してください。"),
    ],
)
def test_a_choice_or_number_that_is_none_is_answered_in_japanese(
    visit: Visit, path: str, typed: dict[str, str], said: str
) -> None:
    """COM-23, FAC-11: whoever sends it."""
    answer = visit("facility", "hanako").post(path, typed)
    assert answer.status_code == 422
    assert said in answer.text
    assert "a valid" not in answer.text


@ONE
@pytest.mark.parametrize("since", ["abc", "2026-02-30"])
def test_a_day_that_is_none_is_answered_with_how_to_write_one(visit: Visit, since: str) -> None:
    """COM-21, COM-23."""
    answer = visit("facility", "hanako").get(
        "/facility/reservations", query_string={"since": since}
    )
    assert answer.status_code == 422
    assert "日付は、2026/11/22のように入力してください。" in answer.text
