"""Old reservations from CSV, and bill lines as operators type them (FAC-12, OPS-12)."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from portal.blueprints.facility import booking as bookings
from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Status
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.errors import NotFound
from portal.shared.accounts import operations as accounts
from tests.cast import NOW

HEADER = (
    "予約番号,会員番号,設備コード,開始日時,終了日時,ステータス,予約完了日時,ご請求金額,ご利用目的\n"
)
GOOD = {
    "予約番号": "OLD-1",
    "会員番号": "C000001",
    "設備コード": "LC-01",
    "開始日時": "2024/04/01 09:00",
    "終了日時": "2024/04/01 12:00",
    "ステータス": "お支払済",
    "予約完了日時": "2024/03/20 10:00",
    "ご請求金額": "１４，８５０",
    "ご利用目的": "試作",
}
BAD = [
    {"予約番号": ""},
    {"予約番号": "N" * 21},
    {"会員番号": "C999999"},
    {"設備コード": "ZZ-99"},
    {"開始日時": "きのう"},
    {"終了日時": "2024/04/01 09:00"},
    {"ステータス": "済"},
    {"予約完了日時": "2024/02/30 10:00"},
    {"ご請求金額": "-1"},
    {"ご請求金額": "たくさん"},
    {"ご利用目的": "あ" * 201},
]


def csv_of(*rows: dict[str, str]) -> str:
    quoted = (",".join(f'"{value}"' for value in row.values()) for row in rows)
    return HEADER + "\n".join(quoted) + "\n"


@pytest.fixture
def load(run, tmp_path: Path):
    """Import a file's text; returns exit code and output."""

    def command(text: str, encoding: str = "utf-8", kind: str = "reservations") -> tuple[int, str]:
        file = tmp_path / "file.csv"
        file.write_bytes(text.encode(encoding))
        result = run.invoke(args=["facility", f"import-{kind}", str(file), "--tenant", "facility"])
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            result.exception
        )
        return result.exit_code, str(result.output)

    return command


def test_old_reservations_come_in_once_whatever_the_encoding(load, inside, visit, cast):
    """OPS-12, FAC-01: the member finds them in the history; the same file twice changes nothing."""
    for number, encoding in enumerate(("utf-8", "utf-8-sig", "cp932")):
        row = csv_of(GOOD | {"予約番号": f"OLD-{number}"})
        assert load(row, encoding) == (0, "1 added, 0 known already\n")
        assert load(row, encoding) == (0, "0 added, 1 known already\n")
    with inside("facility"):
        kept = queries.any_reservation("OLD-0")
        assert (kept.status, kept.total, kept.facility_name) == (
            Status.PAID,
            14_850,
            "カナリア甲レーザー加工機",
        )
    assert (
        "OLD-0"
        in visit("facility", cast.representative).get("/facility/reservations?number=OLD").text
    )


def test_every_bad_line_is_named_and_nothing_comes_in(load, inside):
    """OPS-12: also what a known number hides, and what a column would not hold."""
    assert load(csv_of(GOOD))[0] == 0
    rows = [GOOD | {"予約番号": f"NEW-{place}"} | change for place, change in enumerate(BAD)]
    known = GOOD | {"予約完了日時": "いつか"}
    code, said = load(csv_of(GOOD | {"予約番号": "NEW-99"}, *rows, known))
    assert code == 2
    assert sorted({int(place) for place in re.findall(r"(\d+)行目", said)}) == list(
        range(3, len(rows) + 4)
    )
    with inside("facility"), pytest.raises(NotFound, match="NEW-99"):
        queries.any_reservation("NEW-99")


def test_a_long_facility_is_a_named_line(load, inside):
    """OPS-12: on PostgreSQL it would be an error of the database."""
    head = "設備コード,設備名,説明,時間料金,日料金\n"
    code, said = load(f"{head}{'X' * 21},旋盤,,1,1\nX-2,{'盤' * 101},,1,1\n", kind="facilities")
    assert code == 2
    assert "2行目" in said
    assert "3行目" in said
    with inside("facility"):
        assert queries.facility_by_code("X-2") is None


def test_a_known_facility_that_the_file_says_something_else_of_is_a_named_line(load):
    """OPS-12: never ignored in silence; the same file twice changes nothing."""
    head = "設備コード,設備名,説明,時間料金,日料金\n"
    assert load(f"{head}X-1,旋盤,,1000,5000\n", kind="facilities")[0] == 0
    assert load(f"{head}X-1,旋盤,,1000,5000\n", kind="facilities")[1].startswith("0 added, 1 known")
    code, said = load(f"{head}X-1,旋盤,,2000,5000\n", kind="facilities")
    assert (code, "2行目「時間料金」: 登録済みの内容と異なります。" in said) == (2, True)


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("会員番号", "C000002"),
        ("設備コード", "MC-01"),
        ("開始日時", "2024/04/01 09:30"),
        ("終了日時", "2024/04/01 12:30"),
        ("ステータス", "キャンセル"),
        ("予約完了日時", "2024/03/20 10:01"),
        ("ご請求金額", "99999"),
        ("ご請求金額", ""),
        ("ご利用目的", "量産"),
    ],
)
def test_a_known_reservation_that_the_file_says_something_else_of_is_a_named_line(
    load, inside, column, other
):
    """OPS-12: never ignored in silence, and nothing of the file comes in."""
    head = "設備コード,設備名,説明,時間料金,日料金\n"
    assert load(f"{head}MC-01,旋盤,,1000,5000\n", kind="facilities")[0] == 0
    assert load(csv_of(GOOD))[0] == 0
    code, said = load(csv_of(GOOD | {"予約番号": "NEW-1"}, GOOD | {column: other}))
    assert code == 2
    assert f"3行目「{column}」: 登録済みの内容と異なります。" in said
    with inside("facility"), pytest.raises(NotFound):
        queries.any_reservation("NEW-1")


def test_a_number_that_was_booked_here_is_not_taken_for_another_reservation(load, cast):
    """OPS-12: the file may tell of a reservation that was never imported; it says just the same of it."""
    code, said = load(csv_of(GOOD | {"予約番号": cast.requested}))
    assert (code, "2行目「開始日時」: 登録済みの内容と異なります。" in said) == (2, True)


def test_everything_wrong_with_a_line_is_told_at_once(load):
    """OPS-12: by the names of its columns."""
    bad = {"ステータス": "済", "予約完了日時": "きのう", "ご請求金額": "-1", "終了日時": "あす"}
    code, said = load(csv_of(GOOD | bad))
    assert code == 2
    assert {column for column in GOOD if f"2行目「{column}」" in said} == set(bad)
    code, said = load("設備コード,設備名,説明,時間料金,日料金\n,,,x,\n", kind="facilities")
    told = re.findall("2行目「(.*?)」", said)
    assert told == ["設備コード", "設備名", "時間料金", "日料金"]


def test_what_meets_another_reservation_is_told_at_the_column_of_its_start(load):
    """OPS-12: not by a name that only the program knows."""
    coming = {
        "開始日時": "2030/04/01 09:00",
        "終了日時": "2030/04/01 12:00",
        "ステータス": "予約確定",
    }
    row = GOOD | coming | {"ご請求金額": ""}
    code, said = load(csv_of(row, row | {"予約番号": "OLD-2"}))
    assert (code, "3行目「開始日時」: ほかのご予約と重なっています。" in said) == (2, True)


@pytest.mark.parametrize(
    "line",
    [
        *("", "利用料", "利用料:3:時間", "利用料:三:時間:1", "利用料:0:時間:1", " :1:式:1"),
        *("利用料:1:式:1:-5", "利用料:1:式:1:7", "利用料:1:式:1:10:9", "利用料:1:式:高い"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_line_that_is_none_is_one_line_and_exit_code_2(run, inside, cast, line):
    """OPS-10, FAC-12: the rate is one of the tenant's."""
    for words in (
        ["confirm"],
        ["start"],
        ["finish", "--done", "切削", "--worker", "大森", "--minutes", "60"],
    ):
        arguments = ["facility", words[0], cast.requested, *words[1:], "--tenant", "facility"]
        assert run.invoke(args=arguments).exit_code == 0
    fix = ["facility", "fix-amount", cast.requested, "--tenant", "facility", "--line"]
    told = run.invoke(args=[*fix, line])
    assert told.exit_code == 2
    assert len(told.output.strip().splitlines()) == 1
    with inside("facility"):
        assert queries.any_reservation(cast.requested).status is Status.USED
    assert run.invoke(args=[*fix, "弁当:2:個:500:8", "--line", "利用料:1:式:1000"]).exit_code == 0
    with inside("facility"):
        made = queries.any_reservation(cast.requested)
        assert made.total == 1_080 + 1_100
        assert [line.reduced for line in operations.BILLING.lines(made)] == [True, False]


def test_a_number_imported_ahead_of_the_sequence_is_passed_over_by_the_next_booking(
    load, inside, app
):
    """OPS-12, COM-72: the sequence stands at 4; 5 and 7 come from the old system."""
    rows = [GOOD | {"予約番号": number} for number in ("FR000005", "FR000007")]
    assert load(csv_of(*rows)) == (0, "2 added, 0 known already\n")
    with inside("facility"):
        brand = app.extensions["tenants"].current().by_key["facility"]
        account = accounts.find_account("C000001")
        start = NOW + timedelta(days=3)
        machine = queries.facility_by_code("LC-01")
        assert machine
        wanted = [
            bookings.Booking(machine, begin, begin + timedelta(hours=1))
            for begin in (start + timedelta(hours=2 * n) for n in range(3))
        ]
        who = accounts.representative(account)
        made = [
            bookings.create_reservation(brand, account, who, each, by=SYSTEM).number
            for each in wanted
        ]
        session().commit()
    assert made == ["FR000006", "FR000008", "FR000009"]
