"""Yen as it is shown and typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import RuleBroken
from portal.core.money import LARGEST, grouped, parse_yen, yen


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "¥0"), (1234, "¥1,234"), (-1234, "−¥1,234"), (LARGEST, "¥999,999,999,999")],
)
def test_yen_is_shown_with_its_sign_and_thousands(amount: int, shown: str) -> None:
    assert yen(amount) == shown


def test_a_bare_number_has_a_real_minus_sign() -> None:
    assert grouped(-1234567) == "−1,234,567"


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("1234", 1234),
        ("1,234", 1234),
        ("１２３４", 1234),
        ("１，２３４円", 1234),
        (" ￥1,234 ", 1234),
        ("¥ 12,345,678", 12345678),
        ("-500", -500),
        ("−５００", -500),
        ("▲500", -500),
        ("00012", 12),
    ],
)
def test_full_width_digits_commas_and_signs_are_understood(typed: str, amount: int) -> None:
    assert parse_yen(typed) == amount


@pytest.mark.parametrize(
    "typed", ["", "abc", "12.5", "1,23", "12,34,567", "1-2", "--5", "千円", "一二三", "¹²³x"]
)
def test_what_is_no_whole_amount_is_refused(typed: str) -> None:
    with pytest.raises(RuleBroken, match="整数"):
        parse_yen(typed)


@pytest.mark.parametrize("typed", ["1000000000000", "9" * 10_000])
def test_an_amount_that_no_document_has_room_for_is_refused(typed: str) -> None:
    with pytest.raises(RuleBroken, match="大きすぎます"):
        parse_yen(typed)


@given(st.integers(-LARGEST, LARGEST))
def test_what_is_shown_can_be_typed(amount: int) -> None:
    assert parse_yen(yen(amount)) == amount
    assert parse_yen(grouped(amount)) == amount
