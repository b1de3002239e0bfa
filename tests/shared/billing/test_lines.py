"""The lines of a bill."""

from __future__ import annotations

import json
from datetime import date

from portal.shared.billing.lines import BillLine, from_json, to_json
from portal.shared.billing.tax import TaxLine

LINE = BillLine("来客用茶菓子", 3, "箱", 3240, 8, reduced=True, day=date(2026, 10, 5))


def test_the_amount_is_quantity_times_price() -> None:
    assert LINE.amount == 9720
    assert LINE.tax_line == TaxLine(9720, 8, reduced=True)


def test_lines_come_back_from_json_as_they_were() -> None:
    lines = [LINE, BillLine("送料", 1, "式", 1500, 10)]
    assert from_json(json.loads(json.dumps(to_json(lines)))) == lines
