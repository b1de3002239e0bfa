"""Consumption tax of a document (COM-71)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import RuleBroken
from portal.shared.billing.tax import (
    Rounding,
    TaxLine,
    split_discount,
    totals_excluded,
    totals_included,
)

LINES = st.lists(
    st.builds(
        lambda amount, reduced: TaxLine(amount, 8 if reduced else 10, reduced),
        st.integers(0, 10**9),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@pytest.mark.parametrize(
    ("amounts", "discount", "left", "taxes", "total"),
    [
        ({10: 2970, 8: 1080}, 2, (2969, 1079), (269, 79), 4048),
        ({10: 1595, 8: 7398}, 92, (1579, 7322), (143, 542), 8901),
        ({10: 165, 8: 755}, 92, (148, 680), (13, 50), 828),
    ],
)
def test_a_discount_is_split_over_the_rates_by_largest_remainder(
    amounts: dict[int, int],
    discount: int,
    left: tuple[int, int],
    taxes: tuple[int, int],
    total: int,
) -> None:
    """COM-71: the totals per rate equal what is paid, whichever rate stands first."""
    lines = [TaxLine(amount, rate, rate == 8) for rate, amount in amounts.items()]
    for order in (lines, lines[::-1]):
        totals = totals_included(order, Rounding.DOWN, discount)
        assert tuple(rate.gross for rate in totals.per_rate) == left
        assert tuple(rate.tax for rate in totals.per_rate) == taxes
        assert totals.total == total


@pytest.mark.parametrize(("net", "rate", "tax"), [(660, 8, 52), (744, 10, 74)])
def test_tax_on_amounts_without_tax_is_rounded_down(net: int, rate: int, tax: int) -> None:
    totals = totals_excluded([TaxLine(net, rate, rate == 8)])
    assert (totals.net, totals.tax, totals.total) == (net, tax, net + tax)


@pytest.mark.parametrize(
    ("net", "rounding", "tax"),
    [
        (744, Rounding.DOWN, 74),
        (744, Rounding.UP, 75),
        (744, Rounding.HALF, 74),
        (745, Rounding.HALF, 75),
        (740, Rounding.UP, 74),
        (-744, Rounding.DOWN, -74),
        (-744, Rounding.UP, -75),
        (-745, Rounding.HALF, -75),
    ],
)
def test_the_tenant_chooses_the_rounding_and_a_return_cancels_a_sale(
    net: int, rounding: Rounding, tax: int
) -> None:
    assert totals_excluded([TaxLine(net, 10)], rounding).tax == tax


def test_tax_is_rounded_once_per_rate_and_not_per_line() -> None:
    """COM-71: ten lines of 19 yen bear 19 yen of tax; rounded line by line it would be 10."""
    assert totals_excluded([TaxLine(19, 10)] * 10).tax == 19


def test_a_standard_rate_of_eight_and_the_reduced_one_are_not_added_up() -> None:
    totals = totals_excluded([TaxLine(100, 8, reduced=True), TaxLine(100, 8)])
    assert [(rate.rate, rate.reduced, rate.net) for rate in totals.per_rate] == [
        (8, True, 100),
        (8, False, 100),
    ]


def test_a_document_without_lines_is_zero() -> None:
    assert totals_excluded([]).total == 0
    assert totals_included([]).per_rate == ()


def test_a_free_line_shows_its_rate() -> None:
    assert [rate.rate for rate in totals_excluded([TaxLine(0, 10)]).per_rate] == [10]


@pytest.mark.parametrize("discount", [-1, 101])
def test_a_discount_below_zero_or_above_the_amount_is_refused(discount: int) -> None:
    with pytest.raises(RuleBroken):
        totals_included([TaxLine(100, 10)], discount=discount)


@given(LINES, st.sampled_from(Rounding), st.floats(0, 1))
def test_totals_equal_what_is_paid(lines: list[TaxLine], rounding: Rounding, part: float) -> None:
    """COM-71: with tax included, the total is the sum less the discount, to the yen."""
    whole = sum(line.amount for line in lines)
    discount = min(whole, int(whole * part))
    totals = totals_included(lines, rounding, discount)
    assert totals.total == totals.net + totals.tax == whole - discount
    assert all(rate.net + rate.tax == rate.gross >= 0 for rate in totals.per_rate)


@given(LINES, st.sampled_from(Rounding))
def test_tax_is_within_a_yen_of_exact_for_each_rate(
    lines: list[TaxLine], rounding: Rounding
) -> None:
    totals = totals_excluded(lines, rounding)
    assert totals.net == sum(line.amount for line in lines)
    assert all(abs(rate.tax * 100 - rate.net * rate.rate) < 100 for rate in totals.per_rate)
    assert totals.total == totals.net + totals.tax


@given(st.dictionaries(st.integers(0, 30), st.integers(0, 10**9), min_size=1), st.data())
def test_a_discount_never_passes_an_amount(amounts: dict[int, int], data: st.DataObject) -> None:
    discount = data.draw(st.integers(0, sum(amounts.values())))
    shares = split_discount(amounts, discount)
    assert sum(shares.values()) == discount
    assert all(0 <= shares[rate] <= amount for rate, amount in amounts.items())
