"""Which typeface draws what (COM-70)."""

from __future__ import annotations

import hashlib

import pytest
from markupsafe import Markup

from portal.shared.documents import setting
from portal.shared.documents.typefaces import (
    FOLDER,
    UndrawableText,
    check_drawable,
    clean,
    marked,
    runs,
    width,
)


def test_the_font_files_are_the_ones_that_were_chosen() -> None:
    entries = [
        line.split("  ")
        for line in (FOLDER / "VERSIONS").read_text().splitlines()
        if line[0] != "#"
    ]
    assert {name for _, name in entries} == {path.name for path in FOLDER.iterdir()} - {"VERSIONS"}
    for digest, name in entries:
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest


def test_text_falls_into_runs_of_one_typeface() -> None:
    assert list(runs("髙﨑𠮷野")) == [("bizud", "髙﨑"), ("notojp", "𠮷"), ("bizud", "野")]


def test_text_is_escaped_once_and_marked_where_the_second_typeface_draws() -> None:
    assert marked("a<b") == "a&lt;b"
    assert marked("𠮷<") == '<span class="notojp">𠮷</span>&lt;'
    assert marked(Markup("<b>")) == "<b>"
    assert marked(12) == 12
    assert marked("") == ""


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("葛\U000e0100城", "葛城"),
        ("か\u3099ハ\u309a", "がパ"),
        ("A\u200bB\ufeff", "AB"),
        ("神﨑", "神﨑"),
        ("①㈱", "①㈱"),
    ],
)
def test_only_what_has_no_picture_of_its_own_goes(typed: str, kept: str) -> None:
    """Names keep their kanji: nothing is normalised that would change them."""
    assert clean(typed) == kept


def test_everything_in_a_content_is_checked_before_a_number_is_spent() -> None:
    check_drawable({"a": ["𠮷", {"b": "加工\n"}], "n": 1, "none": None})
    with pytest.raises(UndrawableText, match="U\\+1F600"):
        check_drawable({"a": ["𠮷", {"b": "\U0001f600"}]})


def test_text_too_wide_for_its_place_is_set_smaller() -> None:
    assert setting.fit("123", 20) == "123"
    assert "font-size" in setting.fit("999,999,999,999", 20)
    assert width("𠮷", 10) == pytest.approx(10)


@pytest.mark.parametrize(
    ("minutes", "said"), [(0, "0時間"), (45, "45分"), (60, "1時間"), (510, "8時間30分")]
)
def test_durations_are_hours_and_minutes(minutes: int, said: str) -> None:
    assert setting.duration(minutes) == said


@pytest.mark.parametrize(
    ("colour", "ink"),
    [
        ("#12395b", "#ffffff"),
        ("#8fd3c1", "#1f2733"),
        ("#000000", "#ffffff"),
        ("#ffff00", "#1f2733"),
    ],
)
def test_text_on_a_tenants_colour_can_be_read(colour: str, ink: str) -> None:
    assert setting.ink_on(colour) == ink


def test_a_tint_lies_between_white_and_the_colour() -> None:
    assert (setting.tint("#12395b", 0), setting.tint("#12395b", 1)) == ("#ffffff", "#12395b")
    assert setting.tint("#000000", 0.5) == "#808080"
