"""Form fields that forgive, and say in words what they cannot (COM-23)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict
from wtforms import Form as Plain

from portal.core import text
from portal.web.address import PREFECTURES
from portal.web.forms import choices, cleaned, code_line, line, name_line
from portal.web.validators import normaliser, version_number

BARE = Flask(__name__)


class Sample(Plain):  # type: ignore[misc]
    name = line("名", required=True, longest=5)
    note = line("備考")
    person = name_line("姓")
    code = code_line("コード")
    telephone = cleaned("電話", text.telephone, "電話が違います")
    kana = cleaned("カナ", text.katakana, "カナが違います", required=True, longest=4)


@pytest.fixture(autouse=True)
def context(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Messages in Japanese, without a portal."""
    monkeypatch.setattr("portal.web.i18n.get_locale", lambda: "ja")
    with BARE.test_request_context():
        yield


@pytest.mark.parametrize(
    ("field", "typed", "kept", "error"),
    [
        ("name", "　Ａ  Ｂ ", "Ａ  Ｂ", None),
        ("note", " テスト①\t㈱ｱ\r\n", "テスト① ㈱ｱ", None),
        ("note", "か\u3099", "が", None),
        ("person", "　ﾀﾅｶ　①１ ", "タナカ ①1", None),
        ("code", "ｆｒ①", "fr1", None),
        ("name", "", "", "入力してください。"),
        ("name", " 　 ", "", "入力してください。"),
        ("name", "あいうえお", "あいうえお", None),
        ("name", "あいうえおか", "あいうえおか", "5文字以内で入力してください（現在6文字）。"),
        ("note", " 　 ", "", None),
        ("note", "x" * 101, "x" * 101, "100文字以内で入力してください（現在101文字）。"),
        ("telephone", "０３－１２３４－５６７８", "0312345678", None),
        ("telephone", "", "", None),
        ("telephone", " 12 ", "12", "電話が違います"),
        ("kana", "ﾔﾏﾀﾞ", "ヤマダ", None),
        ("kana", "やまだ", "ヤマダ", None),
        ("kana", "山田", "山田", "カナが違います"),
        ("kana", "", "", "入力してください。"),
        ("kana", "ヤマダタロ", "ヤマダタロ", "4文字以内で入力してください（現在5文字）。"),
    ],
)
def test_what_is_typed_is_normalised_or_refused_and_kept(
    field: str, typed: str, kept: str, error: str | None
) -> None:
    """COM-23: what cannot be understood stands in the field as it was typed, with the reason."""
    form = Sample(MultiDict({"name": "名", "kana": "メイ", field: typed}))
    assert form.validate() is (error is None)
    assert form[field].data == kept
    assert [str(message) for message in form[field].errors] == ([error] if error else [])


@pytest.mark.parametrize("value", [None, 5, [], "", "  "])
def test_nothing_typed_is_an_empty_text(value: object) -> None:
    assert normaliser(text.telephone)(value) == ""


@pytest.mark.parametrize(
    ("value", "version"),
    [
        ("7", 7),
        (7, 7),
        ("0", 0),
        ("", 0),
        (None, 0),
        ("-1", 0),
        ("1.5", 0),
        ("９", 0),
        ("1" * 10, 0),
        ("7\n", 0),
    ],
)
def test_what_is_no_version_is_a_stale_one(value: object, version: int) -> None:
    """COM-26."""
    assert version_number(value) == version


def test_there_are_47_prefectures_and_a_choice_begins_with_none() -> None:
    assert len(set(PREFECTURES)) == len(PREFECTURES) == 47
    made = choices([("a", "甲")], "選択してください")
    assert [(choice.value, choice.label) for choice in made] == [
        ("", "選択してください"),
        ("a", "甲"),
    ]
