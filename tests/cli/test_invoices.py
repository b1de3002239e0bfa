"""`flask invoices` and `flask payments` (COM-71, FAC-12, OPS-10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Status
from portal.core import session
from portal.shared.accounts.models import Account
from tests.cast import Cast


@pytest.fixture
def do(run: Any) -> Callable[..., Result]:
    """Run a command for the facility brand."""

    def command(*words: str) -> Result:
        result: Result = run.invoke(args=[*words, "--tenant", "facility"])
        return result

    return command


@pytest.fixture
def account(inside) -> str:
    """The number of the account that owes ¥14,850."""
    with inside("facility"):
        found = session().get_one(Account, queries.any_reservation(Cast.billed).account_id)
        return found.number


def listed(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_what_is_owed_is_listed_and_how_it_came_about(do, cast) -> None:
    """COM-71: the invoice is known by its document's number once that is issued."""
    assert do("facility", "issue", cast.billed).exit_code == 0
    rows = {row["number"]: row for row in listed(do("invoices", "list", "--open", "--json"))}
    assert rows["FI000001"]["owed"] == 14_850
    assert do("facility", "pay", cast.billed, "--amount", "5000").exit_code == 0
    assert (
        do(
            "facility", "refund", cast.billed, "--line", "値引き:1:式:1000", "--reason", "不調"
        ).exit_code
        == 0
    )
    shown = [
        (row["what"], row["amount"]) for row in listed(do("invoices", "show", "FI000001", "--json"))
    ]
    assert shown == [
        ("invoice", 14_850),
        ("order", None),
        ("credit note", -1_100),
        ("payment", -5_000),
        ("owed", 8_750),
    ]


def test_one_sum_pays_several_and_what_is_left_pays_later_or_goes_back(
    do, inside, cast, account
) -> None:
    """COM-71: first what is due first; the rest is the customer's until it is paid back."""
    assert do("facility", "issue", cast.billed).exit_code == 0
    owed = sum(row["owed"] for row in listed(do("invoices", "list", "--open", "--json")))
    told = do("payments", "record", account, str(owed + 5_000), "--note", "まとめて")
    assert told.stdout == f"PM00000001: ¥{owed:,} allocated, ¥5,000 left\n", told.output
    with inside("facility"):
        assert queries.any_reservation(cast.billed).status is Status.PAID
        assert operations.owed(queries.any_reservation(cast.billed)) is None
    assert listed(do("invoices", "list", "--open", "--json")) == []
    assert [row["left"] for row in listed(do("payments", "list", "--left", "--json"))] == [5_000]
    correct = ["--line", "利用料:1:式:20000", "--reason", "訂正"]
    assert do("facility", "correct", cast.billed, *correct).exit_code == 0
    # The same payment's own rest is taken at once: ¥22,000 − ¥14,850 − ¥5,000.
    [row] = listed(do("invoices", "list", "--open", "--json"))
    assert row["owed"] == 2_150
    assert do("payments", "record", account, "3000").stdout.endswith("¥850 left\n")
    told = do("payments", "pay-back", "PM00000002")
    assert told.stdout == "PM00000002: ¥850 paid back, ¥0 left\n"


def test_a_payment_is_allocated_by_hand(do, cast, account) -> None:
    """COM-71: what came in before the invoice."""
    assert do("facility", "issue", cast.billed).exit_code == 0
    assert do("facility", "pay", cast.billed).exit_code == 0
    assert do("payments", "record", account, "4000").stdout.endswith("¥4,000 left\n")
    correct = ["--line", "利用料:1:式:20000", "--reason", "訂正"]
    assert do("facility", "correct", cast.billed, *correct).exit_code == 0
    told = do("payments", "allocate", "PM00000002", "FI000002", "1000")
    assert told.stdout == "FI000002: ¥1,000 allocated, ¥6,150 owed\n", told.output
    told = do("payments", "allocate", "PM00000002", "FI000002")
    assert told.stdout == "FI000002: ¥3,000 allocated, ¥3,150 owed\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["payments", "pay-back", "PM00000001"], "返金できる金額"),
        (["payments", "pay-back", "PM99999999"], "入金が見つかりません"),
        (["payments", "allocate", "PM00000001", "FI999999"], "請求書が見つかりません"),
        (["invoices", "show", "FI999999"], "請求書が見つかりません"),
        (["payments", "record", "NONE", "100"], "NONE"),
        (["payments", "record", "{account}", "0"], "0"),
        (["payments", "record", "{account}", "100", "--on", "2099-01-01"], "今日までの日付"),
        (["invoices", "close", "--on", "2026-10-31"], "bills each order by itself"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_mistake_is_one_line_and_exit_code_2(do, cast, account, words, why) -> None:
    """OPS-10"""
    assert do("facility", "pay", cast.billed).exit_code == 0
    refused = do(*(word.format(account=account) for word in words))
    assert (refused.exit_code, refused.stdout) == (2, ""), refused.output
    assert why in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
