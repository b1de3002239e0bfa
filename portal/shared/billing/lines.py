"""The lines of a bill, as they are priced, kept and printed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pydantic import TypeAdapter

from portal.shared.billing.tax import TaxLine


@dataclass(frozen=True)
class BillLine:
    """One line: what, how many, and what one costs in yen without tax.

    `quantity` has at most three decimals (1.5 hours). `rate` is in percent, `reduced` marks
    軽減税率, `day` is when it was delivered.
    """

    description: str
    quantity: int | Decimal
    unit: str
    unit_price: int
    rate: int
    reduced: bool = False
    day: date | None = None

    @property
    def amount(self) -> int:
        """Quantity times unit price, in yen without tax; half a yen counts as one."""
        # Decimals, rounded half up as people expect: Python's round makes 0 of 0.5 and 2 of 1.5.
        exact = Decimal(self.quantity) * self.unit_price
        return int(exact.to_integral_value(ROUND_HALF_UP))

    @property
    def tax_line(self) -> TaxLine:
        """What the tax of the document is reckoned from."""
        return TaxLine(self.amount, self.rate, self.reduced)


_LINES = TypeAdapter(list[BillLine])


def to_json(lines: Iterable[BillLine]) -> list[dict[str, Any]]:
    """All `lines` as plain values, as they are kept with an order or a document."""
    plain: list[dict[str, Any]] = _LINES.dump_python(list(lines), mode="json")
    return plain


def from_json(data: Sequence[Mapping[str, Any]]) -> list[BillLine]:
    """The lines that `to_json` wrote. Raises pydantic.ValidationError when it is anything else."""
    return _LINES.validate_python(list(data))
