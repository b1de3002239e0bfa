"""Where a Japanese line may end (COM-70)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.shared.documents.kinsoku import NO_END, NO_START, can_break, line_ends


def broken(text: str, room: float) -> list[str]:
    ends = line_ends(text, [0.5 if char < "\u0250" else 1 for char in text], [room])
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    ("pair", "allowed"),
    [
        ("加工", True),
        ("工。", False),
        ("工」", False),
        ("「加", False),
        ("（加", False),
        ("チッ", False),
        ("12", False),
        ("1,", False),
        ("mm", False),
        ("±0", False),
        ("¥1", False),
        ("5個", False),
        ("5%", False),
        ("個5", True),
        ("図B", True),
        ("C板", True),
        ("ビル", False),
        (" 図", True),
        ("図 ", False),
        ("１２", False),
        ("ＡＢ", False),
        ("ａ１", False),
        ("１，", False),
        ("，２", False),
        ("１個", False),
        ("３株", False),
        ("3株", False),
        ("3㎥", False),
        ("3㌔", False),
        ("0分", False),
        ("3キ", False),
        ("2万", False),
        ("万円", False),
        ("ヶ月", False),
        ("……", False),
        ("――", False),
        ("…図", True),
        ("工〻", False),
        ("工ㇰ", False),
        ("工ゕ", False),
        ("工ゖ", False),
        ("は3", True),
        ("Ａ図", True),
        ("図３", True),
    ],
)
def test_pairs_that_may_be_parted(pair: str, allowed: bool) -> None:
    assert can_break(*pair) is allowed


def test_a_closing_mark_takes_its_character_along() -> None:
    assert broken("加工しました。", 6) == ["加工しまし", "た。"]


def test_an_opening_mark_goes_to_the_next_line() -> None:
    assert broken("部品の「加工」", 4) == ["部品の", "「加工」"]


def test_numbers_codes_and_katakana_words_stay_whole() -> None:
    assert broken("図番BR-20418-C板", 5) == ["図番", "BR-20418-C", "板"]
    assert broken("合計1,234,567円です", 6) == ["合計", "1,234,567円", "です"]
    assert broken("小型モーター", 4) == ["小型", "モーター"]


def test_full_width_numbers_doubled_marks_and_what_is_counted_stay_whole() -> None:
    """COM-70: １２３ and ―― in one piece, 3株 and 120分 with their numbers."""
    assert broken("型番１２３４です", 5) == ["型番", "１２３４で", "す"]
    assert broken("苗木は3株です", 3.5) == ["苗木は", "3株です"]
    assert broken("加工に120分", 4) == ["加工に", "120分"]
    assert broken("送料は2万円", 4) == ["送料は", "2万円"]
    assert broken("加工中……です", 4) == ["加工中", "……です"]
    assert broken("彼は各〻です", 3) == ["彼は", "各〻で", "す"]


def test_a_word_longer_than_its_line_is_broken_where_it_must_be() -> None:
    assert broken("a" * 25, 5) == ["a" * 10, "a" * 10, "a" * 5]


def test_a_newline_ends_its_line_and_later_lines_have_their_own_room() -> None:
    assert broken("部品\n加工", 10) == ["部品\n", "加工"]
    assert line_ends("部品加工品目", [1] * 6, [2, 4]) == [2, 6]


def test_spaces_hang_over_the_edge() -> None:
    assert broken("部品 加工", 2) == ["部品 ", "加工"]


@given(st.text(alphabet="加工部品カー。、「」（）1234,.-aB ※円\n", max_size=80), st.integers(3, 20))
def test_no_character_is_lost_and_every_line_fits(text: str, room: int) -> None:
    lines = broken(text, room)
    assert "".join(lines) == text
    for line in lines:
        assert line
        assert sum(0.5 if char < "\u0250" else 1 for char in line.rstrip(" \n")) <= room


@given(
    st.lists(st.sampled_from(["加工", "部品。", "「図」", "（注）", "12個", "の"]), min_size=1),
    st.integers(6, 20),
)
def test_no_line_begins_or_ends_with_what_it_must_not(words: list[str], room: int) -> None:
    lines = broken("".join(words), room)
    assert all(line[0] not in NO_START for line in lines)
    assert all(line[-1] not in NO_END for line in lines)
