"""COM-23: full-width digits, half-width kana, stray spaces and hyphens are accepted and normalised."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import text

ANY_TEXT = st.text(st.characters(exclude_categories=[]))
JAPANESE = st.text(
    "あがゔゞアガヴヾｱｶﾞﾞﾟーｰ〜～−‐－Ａa１1①㈱　 \t\n…神塚\ufa19\ufa10\u3099\u200b'%_\\"
)


def typed() -> st.SearchStrategy[str]:
    return ANY_TEXT | JAPANESE


# One line of text


@pytest.mark.parametrize(
    ("as_typed", "stored"),
    [
        ("  株式会社　見本  ", "株式会社 見本"),
        ("ＡＢＣ－１２３", "ABC-123"),
        ("ｶﾌﾞｼｷｶﾞｲｼｬ", "カブシキガイシャ"),
        ("一\t二\r\n三", "一 二 三"),
        ("見\u200b本\ufeff", "見本"),
        ("９時～１０時", "9時〜10時"),
        ("9時〜10時", "9時〜10時"),
        ("続く…", "続く…"),
        ("山\ufa11", "山\ufa11"),
        ("\ufa19谷", "\ufa19谷"),
        ("か\u3099", "が"),
        ("\x00\x1f", ""),
        ("\ud800a", "a"),
    ],
)
def test_a_line_is_stored_in_the_usual_width_without_stray_spaces(
    as_typed: str, stored: str
) -> None:
    assert text.normalise(as_typed) == stored


def test_a_persons_own_variant_of_a_character_is_kept_though_nfkc_would_exchange_it() -> None:
    variant = "\ufa10"
    assert unicodedata.normalize("NFKC", variant) != variant
    assert text.normalise(variant) == variant


@given(typed())
def test_normalising_twice_changes_nothing(as_typed: str) -> None:
    once = text.normalise(as_typed)
    assert text.normalise(once) == once


@given(typed())
def test_a_line_has_no_controls_and_can_be_stored(as_typed: str) -> None:
    line = text.normalise(as_typed)
    assert line == line.strip()
    assert "  " not in line
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in line)
    assert line.encode("utf-8")[:0] == b""


@pytest.mark.parametrize(
    ("as_typed", "stored"),
    [
        ("  テスト①　㈱ ＡＢＣ ｱｲ ", "テスト①　㈱ ＡＢＣ ｱｲ"),
        ("㍿\t見本\r\n", "㍿ 見本"),
        ("か\u3099", "が"),
        ("\ufa19谷～", "\ufa19谷～"),
        ("見\u200b本\x00", "見本"),
    ],
)
def test_a_line_of_free_text_keeps_its_characters(as_typed: str, stored: str) -> None:
    """COM-23: what somebody wrote is theirs; only what nobody sees goes."""
    assert text.one_line(as_typed) == stored


@pytest.mark.parametrize(
    ("as_typed", "stored"),
    [
        ("　１−２ ﾋﾞﾙ　Ａ棟①㈱ ", "1−2 ビル A棟①㈱"),
        ("ｶﾞ\uff9e", "ガ\u3099"),
        ("カﾞ", "ガ"),
        ("１～２", "1〜2"),
        ("\ufa19", "\ufa19"),
    ],
)
def test_names_and_addresses_come_in_the_usual_width_alone(as_typed: str, stored: str) -> None:
    """COM-23: full-width digits and half-width kana are exchanged; a ① is no 1."""
    assert text.usual_width(as_typed) == stored


@given(typed())
def test_free_lines_and_usual_width_are_made_once(as_typed: str) -> None:
    for clean in (text.one_line, text.usual_width):
        once = clean(as_typed)
        assert clean(once) == once
        assert once == once.strip()
        assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in once)


def test_free_text_is_composed() -> None:
    """COM-23: macOS types in parts what others type in one."""
    assert text.multiline("か\u3099\n\ufa19") == "が\n\ufa19"


def test_free_text_keeps_its_lines_and_its_characters() -> None:
    assert text.multiline("\r\n一行目①  \r\n\r\n　二行目\x00\rＡ\n\n") == "一行目①\n\n　二行目\nＡ"


@given(typed())
def test_cleaning_free_text_twice_changes_nothing(as_typed: str) -> None:
    once = text.multiline(as_typed)
    assert text.multiline(once) == once


# Digits and telephones


def test_digits_of_any_width_are_taken_and_the_rest_is_left() -> None:
    assert text.digits("T-７００００１２０５０００２ 号") == "7000012050002"


@given(typed())
def test_digits_are_ascii_and_stay(as_typed: str) -> None:
    once = text.digits(as_typed)
    assert once == "" or (once.isascii() and once.isdigit())
    assert text.digits(once) == once


@pytest.mark.parametrize(
    ("as_typed", "stored", "shown"),
    [
        ("03-1234-5678", "0312345678", "03-1234-5678"),
        ("０３（１２３４）５６７８", "0312345678", "03-1234-5678"),
        ("03ー1234ー5678", "0312345678", "03-1234-5678"),
        ("03‐1234‐5678", "0312345678", "03-1234-5678"),
        ("03−1234−5678", "0312345678", "03-1234-5678"),
        ("03ｰ1234ｰ5678", "0312345678", "03-1234-5678"),
        (" 03 1234 5678 ", "0312345678", "03-1234-5678"),
        ("+81 3-1234-5678", "0312345678", "03-1234-5678"),
        ("+81(0)3-1234-5678", "0312345678", "03-1234-5678"),
        ("06-6123-4567", "0661234567", "06-6123-4567"),
        ("0452223333", "0452223333", "045-222-3333"),
        ("0466221234", "0466221234", "0466-22-1234"),
        ("0422-12-3456", "0422123456", "0422-12-3456"),
        ("0120-123-456", "0120123456", "0120-123-456"),
        ("0570-012-345", "0570012345", "0570-012-345"),
        ("09012345678", "09012345678", "090-1234-5678"),
        ("060-1234-5678", "06012345678", "060-1234-5678"),
        ("050-1234-5678", "05012345678", "050-1234-5678"),
        ("0800-123-4567", "08001234567", "0800-123-4567"),
    ],
)
def test_a_telephone_is_stored_as_digits_and_shown_in_groups(
    as_typed: str, stored: str, shown: str
) -> None:
    assert text.telephone(as_typed) == stored
    assert text.format_telephone(stored) == shown
    assert text.telephone(shown) == stored


@pytest.mark.parametrize(
    "as_typed",
    [
        "",
        "電話",
        "03-1234-567",
        "03-1234-56789",
        "012345678901",
        "1312345678",
        "0012345678",
        "090-1234-567",
        "01012345678",
        "03-1234-5678 内線1",
    ],
)
def test_what_is_no_telephone_is_refused(as_typed: str) -> None:
    with pytest.raises(ValueError, match="電話番号"):
        text.telephone(as_typed)


@given(st.from_regex(r"\A0[1-9]\d{8,9}\Z") | typed())
def test_a_telephone_stays_itself(as_typed: str) -> None:
    try:
        once = text.telephone(as_typed)
    except ValueError:
        assert text.format_telephone(as_typed) == as_typed or not as_typed.isascii()
    else:
        assert text.telephone(once) == once
        assert text.digits(text.format_telephone(once)) == once


# Postal codes, readings, e-mail


@pytest.mark.parametrize(
    "as_typed", ["4980000", "498-0000", "〒498-0000", "４９８－００００", "498ー0000", " 498 0000 "]
)
def test_a_postal_code_is_stored_as_seven_digits(as_typed: str) -> None:
    assert text.postal_code(as_typed) == "4980000"
    assert text.format_postal_code("4980000") == "498-0000"


@pytest.mark.parametrize("as_typed", ["", "498-000", "498-00000", "49a-0000"])
def test_what_is_no_postal_code_is_refused(as_typed: str) -> None:
    with pytest.raises(ValueError, match="郵便番号"):
        text.postal_code(as_typed)


def test_what_is_no_postal_code_is_shown_as_it_is() -> None:
    assert text.format_postal_code("498") == "498"


@pytest.mark.parametrize(
    ("as_typed", "stored"),
    [
        ("ｻﾄｳ", "サトウ"),
        ("さとう", "サトウ"),
        ("ダン　はなこ", "ダン ハナコ"),
        ("ﾊﾟｰﾄﾅｰ", "パートナー"),
        ("ゔぁいおりん", "ヴァイオリン"),
        ("マリー・ルウ", "マリー・ルウ"),
    ],
)
def test_a_reading_becomes_full_width_katakana(as_typed: str, stored: str) -> None:
    assert text.katakana(as_typed) == stored


@pytest.mark.parametrize("as_typed", ["佐藤", "Sato", "サトウ3"])
def test_what_is_no_reading_is_refused(as_typed: str) -> None:
    with pytest.raises(ValueError, match="カタカナ"):
        text.katakana(as_typed)


@pytest.mark.parametrize(
    ("as_typed", "stored"),
    [
        (" Hanako.S@Customer.Example ", "Hanako.S@customer.example"),
        ("ｈａｎａｋｏ＠ｃｕｓｔｏｍｅｒ．ｅｘａｍｐｌｅ", "hanako@customer.example"),
        ("a..b.@customer.example", "a..b.@customer.example"),
        ("a+b@x.co.jp", "a+b@x.co.jp"),
    ],
)
def test_an_address_keeps_its_name_and_loses_capitals_in_its_domain(
    as_typed: str, stored: str
) -> None:
    assert text.email(as_typed) == stored


@pytest.mark.parametrize(
    "as_typed",
    [
        "",
        "hanako",
        "hanako@",
        "@x.jp",
        "a@b",
        "a b@x.jp",
        "a@x..jp",
        "a@-x.jp",
        "a@x.jp,b@x.jp",
        "a@" + "x" * 64 + ".jp",
        "a@x.jp\nBcc: b@x.jp",
        "a" * 65 + "@x.jp",
        "a@" + "xy." * 90 + "jp",
    ],
)
def test_what_is_no_address_is_refused(as_typed: str) -> None:
    with pytest.raises(ValueError, match="メールアドレス"):
        text.email(as_typed)


@pytest.mark.parametrize("convert", [text.postal_code, text.katakana, text.email])
@given(as_typed=typed() | st.emails() | st.from_regex(r"\A\d{7}\Z"))
def test_what_was_accepted_is_accepted_unchanged_again(
    convert: Callable[[str], str], as_typed: str
) -> None:
    try:
        once = convert(as_typed)
    except ValueError:
        return
    assert convert(once) == once


# Searching


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ｶﾌﾞｼｷ", "かぶしき"),
        ("ＡＢＣ", "abc"),
        ("9時〜", "９時～"),
        ("A‐1", "a-1"),
        ("\ufa19谷", "神谷"),
        ("Straße", "STRASSE"),
        ("見本  工房", "見本　工房"),
    ],
)
def test_a_search_finds_what_a_person_calls_the_same(one: str, other: str) -> None:
    assert text.search_key(one) == text.search_key(other)


@given(typed())
def test_a_search_key_is_its_own_key(as_typed: str) -> None:
    once = text.search_key(as_typed)
    assert text.search_key(once) == once


def test_readings_are_sorted_as_a_dictionary_does() -> None:
    """COM-30: カ and ガ are one until the rest is the same, and so are ツ and ッ, ー and nothing."""
    assert sorted(["ガイ", "カウ", "カアキ", ""], key=text.reading_order) == [
        "カアキ",
        "ガイ",
        "カウ",
        "",
    ]
    assert sorted(["ハッチ", "ハツタ"], key=text.reading_order) == ["ハツタ", "ハッチ"]


def test_a_pattern_matches_its_text_only() -> None:
    assert text.like_escape(r"50%_off\now") == r"50\%\_off\\now"
