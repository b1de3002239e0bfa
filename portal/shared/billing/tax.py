"""Consumption tax, rounded once per rate per document, as a qualified invoice must be (COM-71).

Amounts are whole yen and rates whole percents. Returned goods are negative lines: their tax is
rounded by size, so that a return cancels the sale exactly.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from portal.core.errors import RuleBroken

Key = tuple[int, bool]
K = TypeVar("K", int, Key)


class Rounding(StrEnum):
    """What becomes of a fraction of a yen of tax: the tenant's choice."""

    DOWN = "down"
    UP = "up"
    HALF = "half"


@dataclass(frozen=True)
class TaxLine:
    """An amount (yen) and what it is taxed with; `reduced` marks 軽減税率."""

    amount: int
    rate: int
    reduced: bool = False


@dataclass(frozen=True)
class RateTotal:
    """Everything on a document that bears one rate, in yen: net + tax = gross."""

    rate: int
    reduced: bool
    net: int
    tax: int
    gross: int


@dataclass(frozen=True)
class Totals:
    """A document's totals in yen: per rate (highest first) and in all. `total` is what is paid."""

    per_rate: tuple[RateTotal, ...]
    net: int
    tax: int
    total: int


def totals_excluded(
    lines: Iterable[TaxLine], rounding: Rounding = Rounding.DOWN, discount: int = 0
) -> Totals:
    """Totals of amounts without tax; `discount` (yen, without tax) is split over the rates."""
    return _totals(lines, rounding, discount, included=False)


def totals_included(
    lines: Iterable[TaxLine], rounding: Rounding = Rounding.DOWN, discount: int = 0
) -> Totals:
    """Totals of amounts with their tax; `discount` (yen, with tax) is split over the rates."""
    return _totals(lines, rounding, discount, included=True)


def _totals(
    lines: Iterable[TaxLine], rounding: Rounding, discount: int, *, included: bool
) -> Totals:
    per_rate = []
    # Rounded once per rate and document: an invoice whose tax is rounded line by line is not a
    # qualified one (消費税法施行令第70条の10).
    for (rate, reduced), amount in _sums(lines, discount).items():
        tax = _divide(amount * rate, 100 + rate if included else 100, rounding)
        net = amount - tax if included else amount
        per_rate.append(RateTotal(rate, reduced, net, tax, net + tax))
    net = sum(rate.net for rate in per_rate)
    tax = sum(rate.tax for rate in per_rate)
    return Totals(tuple(per_rate), net, tax, net + tax)


def split_discount(amounts: Mapping[K, int], discount: int) -> dict[K, int]:
    """How much of `discount` each rate bears: in proportion, largest remainder, a tie to the higher
    rate.

    The shares add up to `discount` and none is larger than its amount. Raises RuleBroken when the
    discount is negative or larger than everything that is discounted.
    """
    whole = sum(amounts.values())
    if any(amount < 0 for amount in amounts.values()) or not 0 <= discount <= whole:
        raise RuleBroken("値引額が対象金額を超えています。")
    if not discount:
        return dict.fromkeys(amounts, 0)
    # By largest remainder: shares that are rounded each for itself need not add up to the discount.
    shares = {key: amount * discount // whole for key, amount in amounts.items()}
    left = discount - sum(shares.values())
    by_remainder = sorted(
        amounts, key=lambda key: (amounts[key] * discount % whole, key), reverse=True
    )
    for key in by_remainder[:left]:
        shares[key] += 1
    return shares


def _sums(lines: Iterable[TaxLine], discount: int) -> dict[Key, int]:
    """The lines' amounts per rate, highest rate first, less each one's share of `discount`."""
    sums: dict[Key, int] = defaultdict(int)
    for line in lines:
        sums[line.rate, line.reduced] += line.amount
    shares = split_discount(sums, discount) if discount else {}
    return {key: sums[key] - shares.get(key, 0) for key in sorted(sums, reverse=True)}


def _divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Exact integer division, rounded by size and not towards minus infinity."""
    # Whole numbers all the way: a float cannot even hold 0.1.
    surplus = {Rounding.DOWN: 0, Rounding.UP: denominator - 1, Rounding.HALF: denominator // 2}
    quotient = (abs(numerator) + surplus[rounding]) // denominator
    return quotient if numerator >= 0 else -quotient
