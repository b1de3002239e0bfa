"""The lines of a bill as operators type them, and the rates that they may have (FAC-12, COM-71)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

import click

from portal.cli.command_line import CommandError
from portal.config import Tenant
from portal.core import LARGEST, yen
from portal.shared.billing.lines import BillLine
from portal.shared.billing.rates import last_day_of, rates_in_effect

_LINE = "TEXT:QTY:UNIT:PRICE[:RATE]"
lines_option = click.option(
    "--line",
    "lines",
    multiple=True,
    required=True,
    metavar=_LINE,
    help="Yen without tax; repeatable.",
)


@dataclass(frozen=True, slots=True)
class Rates:
    """Which rates (percent) a line may have, and whether each is reduced; `usual` is meant where
    none is named. `ended` are those that it may not have any more, with their last days.
    """

    usual: int | None
    is_reduced: Mapping[int, bool]
    ended: Mapping[int, date] = field(default_factory=dict)


def rates_on(tenant: Tenant, day: date) -> Rates:
    """The tenant's rates of that day, the standard one being usual, and none at all.

    One that has ended by then is not among them.
    """
    in_effect = rates_in_effect(tenant.tax.rates, day)
    usual = next((one.rate for one in in_effect if not one.reduced), None)
    # Were both of one number, it would mean the standard one.
    is_reduced = {one.rate: one.reduced for one in reversed(in_effect)}
    ended = {
        one.rate: last_day
        for one in tenant.tax.rates
        if (last_day := last_day_of(one.rate, tenant.tax.rates, day))
    }
    return Rates(usual, {0: False} | is_reduced, ended)


def rates_of(billed: Iterable[BillLine]) -> Rates:
    """The rates of what was billed; the usual one, if it is the only one."""
    is_reduced = {line.rate: line.reduced for line in billed}
    usual = None
    if len(is_reduced) == 1:
        (usual,) = is_reduced
    return Rates(usual, is_reduced)


def read_bill_lines(texts: Iterable[str], day: date, rates: Rates) -> list[BillLine]:
    """What `lines_option` gave, delivered on `day`, at the usual rate unless another is named.

    Raises CommandError.
    """
    return [_bill_line(text, day, rates) for text in texts]


def _quantity(typed: str) -> int | Decimal:
    """A quantity to a thousandth, e.g. 1.5. Raises ValueError."""
    if typed.isdecimal():
        return int(typed)
    if not re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,3}", typed):
        raise ValueError(typed)
    return Decimal(typed)


def _bill_line(text: str, day: date, rates: Rates) -> BillLine:
    known = ", ".join(map(str, sorted(rates.is_reduced)))
    try:
        name, quantity, unit, price, *rest = text.split(":")
        if rest:
            percent = int(rest[0])
        elif rates.usual is not None:
            percent = rates.usual
        else:
            raise CommandError(f"--line {text!r}: name the rate ({_LINE}) out of {known}")
        line = BillLine(name, _quantity(quantity), unit, int(price), percent, day=day)
    except ValueError:
        raise CommandError(f"--line {text!r}: write {_LINE}, e.g. 利用料:3:時間:4500") from None
    # Each may be as large as Python bears; no column keeps their product.
    if abs(line.amount) > LARGEST:
        raise CommandError(f"--line {text!r}: at most {yen(LARGEST)}")
    if percent not in rates.is_reduced and percent in rates.ended:
        last_day = rates.ended[percent]
        raise CommandError(f"--line {text!r}: {percent}% ended on {last_day}; take one of {known}")
    is_known = len(rest) <= 1 and percent in rates.is_reduced
    if not is_known or line.quantity <= 0 or not line.description.strip():
        raise CommandError(
            f"--line {text!r}: a text, a quantity above 0, and a rate out of {known}"
        )
    return replace(line, reduced=rates.is_reduced[percent])
