"""What a command takes and refuses, whatever it does (OPS-10)."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from portal.cli import commands
from portal.cli.bill_lines import rates_on, read_bill_lines
from portal.cli.command_line import CommandError
from portal.config.schema_parts import TaxRate
from portal.core import DatabaseBusy

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@SQLITE
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "--tenant KEY or PORTAL_TENANT"),
        ("--tenant nobody", "no tenant 'nobody'; there are: desk, facility, shop, studio"),
        ("--tenant facility --as-of yesterday", "an ISO date and time"),
        ("--tenant facility --operator=", "--operator"),
    ],
)
def test_a_mistake_is_told_with_exit_code_2(run, words: str, said: str) -> None:
    """OPS-10."""
    result = run.invoke(args=["facility", "list", *words.split()], env={"PORTAL_TENANT": ""})
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


@SQLITE
def test_the_brand_may_stand_in_the_environment(run) -> None:
    result = run.invoke(args=["facility", "list"], env={"PORTAL_TENANT": "studio"})
    assert result.exit_code == 0
    assert "SR000001" in result.output
    assert "FR000001" not in result.output


@SQLITE
def test_nothing_is_said_to_be_done_before_it_is_committed(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPS-10: a script that reads the number of a new customer can rely on it."""

    def refuse() -> None:
        raise DatabaseBusy("the database is busy")

    monkeypatch.setattr(commands, "session", lambda: SimpleNamespace(commit=refuse))
    for words in (["accounts", "add", "試験"], ["facility", "confirm", "FR000001"]):
        result = run.invoke(args=[*words, "--tenant", "facility"])
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert result.stderr == "Error: the database is busy\n"


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(
    ("day", "text", "rate"),
    [
        (date(2019, 9, 30), "利用料:1:式:1000", (8, False)),
        (date(2019, 10, 1), "利用料:1:式:1000", (10, False)),
        (date(2019, 9, 30), "弁当:1:個:500:8", (8, False)),
        (date(2026, 11, 23), "利用料:1:式:1000", (10, False)),
        (date(2026, 11, 23), "弁当:1:個:500:5", (5, True)),
    ],
)
def test_the_rate_of_the_day_applies(
    day: date, text: str, rate: tuple[int, bool], turn: int
) -> None:
    """COM-71: whichever way the rates are listed."""
    begins = [
        (8, False, date(2014, 4, 1)),
        (10, False, date(2019, 10, 1)),
        (5, True, date(2019, 10, 1)),
    ]
    rates = [
        TaxRate(rate=percent, reduced=reduced, since=since)
        for percent, reduced, since in begins[::turn]
    ]
    tenant: Any = SimpleNamespace(tax=SimpleNamespace(rates=rates))
    (line,) = read_bill_lines([text], day, rates_on(tenant, day))
    assert (line.rate, line.reduced) == rate
    with pytest.raises(CommandError):
        read_bill_lines([text], day, rates_on(tenant, date(2014, 3, 31)))


@pytest.mark.parametrize("turn", [1, -1])
def test_a_rate_that_has_ended_is_refused(turn: int) -> None:
    """COM-71: 8% standard ended on 2019-09-30; the reduced 8% that came then is another rate."""
    standard = [TaxRate(rate=8, since=date(2014, 4, 1)), TaxRate(rate=10, since=date(2019, 10, 1))][
        ::turn
    ]
    reduced = TaxRate(rate=8, reduced=True, since=date(2019, 10, 1))
    tenant: Any = SimpleNamespace(tax=SimpleNamespace(rates=standard))
    day = date(2019, 10, 1)
    with pytest.raises(CommandError, match="8% ended on 2019-09-30; take one of 0, 10"):
        read_bill_lines(["弁当:1:個:500:8"], day, rates_on(tenant, day))
    tenant.tax.rates = [*standard, reduced]
    (line,) = read_bill_lines(["弁当:1:個:500:8"], day, rates_on(tenant, day))
    assert (line.rate, line.reduced) == (8, True)
    before = date(2019, 9, 30)
    (line,) = read_bill_lines(["弁当:1:個:500:8"], before, rates_on(tenant, before))
    assert (line.rate, line.reduced) == (8, False)
    with pytest.raises(CommandError, match="a rate out of 0, 8"):
        read_bill_lines(["弁当:1:個:500:10"], before, rates_on(tenant, before))
