"""`flask facility` as operators type it: what is listed, what a dry run leaves, what is refused (FAC-12, OPS-10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Status
from portal.core import clock
from portal.core.audit import AuditEvent
from portal.core.db import session, tenant_tables
from portal.core.outbox import OutboxMail
from portal.settings import Settings
from portal.shared.documents.models import Document
from tests.cast import NOW
from tests.support.raw import superuser

FINISH = ["--done", "切削", "--worker", "大森", "--minutes", "60", "--materials", "ネジ"]
LINE = ["--line", "利用料:3:時間:4500"]
FACILITIES = "設備コード,設備名,説明,時間料金,日料金\n"
RESERVATIONS = (
    "予約番号,会員番号,設備コード,開始日時,終了日時,ステータス,予約完了日時,ご請求金額,ご利用目的\n"
)
Do = Callable[..., Result]


@pytest.fixture
def do(run) -> Do:
    """Run a command of the facility brand; whatever it says, it never ends with a traceback."""

    def command(*words: str, tenant: str = "facility") -> Result:
        result: Result = run.invoke(
            args=["facility", *words, "--tenant", tenant, "--operator", "監督"]
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            result.exception
        )
        return result

    return command


@pytest.fixture
def everything(app: Flask, settings: Settings) -> Callable[[], Any]:
    """Every row of every brand, and every file: what a command could have changed."""

    def look() -> Any:
        with superuser(app) as raw:
            rows = {
                name: sorted(map(repr, raw.execute(f"SELECT * FROM {name}")))
                for name in tenant_tables()
            }
        return rows, sorted(path for path in settings.home.rglob("*") if path.is_file())

    return look


def refused(result: Result, *, because: str) -> None:
    """A mistake: exit code 2, nothing on standard output, one line of reason."""
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert because in result.stderr
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1


def used(do: Do, number: str) -> None:
    """Bring a requested reservation to ご利用済."""
    for words in (["confirm", number], ["start", number], ["finish", number, *FINISH]):
        assert do(*words).exit_code == 0


def test_list_shows_what_awaits_somebody_or_one_status_and_no_other_brand(do: Do, cast) -> None:
    """FAC-12, OPS-10: paid and cancelled await nobody; --json has the same columns, Japanese as it is."""

    def numbers(*words: str, tenant: str = "facility") -> list[str]:
        result = do("list", "--json", *words, tenant=tenant)
        assert (result.exit_code, result.stderr) == (0, "")
        return [row["number"] for row in json.loads(result.stdout)]

    awaiting = [cast.requested, cast.billed, cast.strangers]
    assert numbers() == awaiting
    assert [numbers("--limit", str(limit)) for limit in (1, 2, 3)] == [
        awaiting[:1],
        awaiting[:2],
        awaiting,
    ]
    by_status = {
        "requested": [cast.requested, cast.strangers],
        "billed": [cast.billed],
        "cancelled": [cast.cancelled],
    }
    assert {s: numbers("--status", s.value) for s in Status} == {
        s: by_status.get(s.value, []) for s in Status
    }
    assert numbers("--status", "requested", "--limit", "1") == [cast.requested]
    assert numbers(tenant="studio") == ["SR000001", "SR000002", "SR000004"]
    assert json.loads(do("list", "--json", "--limit", "1").stdout) == [
        {
            "number": cast.requested,
            "status": "予約受付",
            "start": "2026-10-24 10:00",
            "facility": "カナリア甲レーザー加工機",
            "customer": "カナリア甲株式会社一番",
            "contact": "カナリア甲 花子",
            "owed": None,
            "overdue": "",
            "issue": "",
        }
    ]
    table = do("list").stdout
    assert all(number in table for number in awaiting)
    assert cast.cancelled not in table
    assert "カナリア乙" not in table
    for wrong in (
        ["--status", "予約受付"],
        ["--limit", "0"],
        ["--limit", "100001"],
        ["--limit", "x"],
    ):
        result = do("list", *wrong)
        assert (result.exit_code, result.stdout) == (2, "")
        assert wrong[0] in result.stderr


def test_work_is_listed_by_its_start_and_not_by_its_number(do: Do, tmp_path: Path) -> None:
    """FAC-12: the next one first, however late it came in; --limit takes from the front."""
    file = tmp_path / "old.csv"
    starts = {"Z-3": "2026/10/24 08:59", "A-1": "2026/12/01 08:00", "M-2": "2020/01/01 08:00"}
    rows = (
        f"{number},C000001,LC-01,{start},{start[:10]} 09:30,予約受付,2020/01/01 10:00,,\n"
        for number, start in starts.items()
    )
    file.write_text(RESERVATIONS + "".join(rows), encoding="utf-8")
    assert do("import-reservations", str(file)).stdout.startswith("3 added, 0 known")
    listed = [row["number"] for row in json.loads(do("list", "--json").stdout)]
    assert listed == ["M-2", "Z-3", "FR000001", "FR000002", "FR000004", "A-1"]


def test_each_dry_run_says_what_would_happen_and_changes_neither_row_nor_file(
    do: Do, everything, cast, tmp_path: Path
) -> None:
    """OPS-10, OPS-12: no status, mail, audit row, number or document; then the real run says the same."""
    facilities, old = tmp_path / "facilities.csv", tmp_path / "old.csv"
    facilities.write_text(f"{FACILITIES}X-1,旋盤,,1000,8000\n", encoding="utf-8")
    row = (
        "OLD-1,C000001,X-1,2024/04/01 09:00,2024/04/01 12:00,お支払済,2024/03/20 10:00,14850,試作\n"
    )
    old.write_text(RESERVATIONS + row, encoding="utf-8")
    number = cast.requested
    steps = [
        (["confirm", number], f"{number}: 予約確定\n"),
        (["start", number], f"{number}: ご利用中\n"),
        (["finish", number, *FINISH], f"{number}: ご利用済\n"),
        (["fix-amount", number, *LINE], f"{number}: 請求確定 ¥14,850\n"),
        (["issue", number], f"{number}: documents issued: 2\n"),
        (["pay", number], f"{number}: お支払済 ¥14,850\n"),
        (["cancel", cast.strangers], f"{cast.strangers}: キャンセル ¥13,500\n"),
        (["import-facilities", str(facilities)], "1 added, 0 known already\n"),
        (["import-reservations", str(old)], "1 added, 0 known already\n"),
    ]
    before = everything()
    for words, said in steps:
        dry = do(*words, "--dry-run")
        assert (dry.exit_code, dry.stdout, dry.stderr) == (
            0,
            said,
            "dry run: nothing was changed\n",
        )
        assert everything() == before, words
        real = do(*words)
        assert (real.exit_code, real.stdout, real.stderr) == (0, said, "")
        after = everything()
        assert after[0] != before[0], words
        before = after


def test_a_dry_run_of_an_import_names_the_bad_lines_and_a_known_file_changes_nothing(
    do: Do, everything, tmp_path: Path
) -> None:
    """OPS-12: so that a file can be mended before it counts; and it can be given again."""
    file = tmp_path / "facilities.csv"
    good = f"{FACILITIES}X-1,旋盤,,1000,8000\n"
    file.write_text(f"{good}X-1,二重,,1,1\n,名前だけ,,1,1\nX-4,穴あけ,,1,-1\n", encoding="utf-8")
    before = everything()
    for words in ([], ["--dry-run"]):
        result = do("import-facilities", str(file), *words)
        assert (result.exit_code, result.stdout) == (2, "")
        named = [
            line.removeprefix("Error: ").partition(":")[0] for line in result.stderr.splitlines()
        ]
        assert named == ["3行目「設備コード」", "4行目「設備コード」", "5行目「日料金」"]
    assert everything() == before
    file.write_text(good, encoding="utf-8")
    assert do("import-facilities", str(file)).stdout == "1 added, 0 known already\n"
    once = everything()
    assert do("import-facilities", str(file)).stdout == "0 added, 1 known already\n"
    assert everything() == once


def test_what_cannot_be_done_is_refused_in_a_line_and_leaves_no_trace(
    do: Do, everything, cast, tmp_path: Path
) -> None:
    """FAC-10, FAC-12, OPS-10: unknown numbers, other brands' numbers, wrong states, no file."""
    with_number: list[list[str]] = [
        ["confirm"],
        ["decline"],
        ["cancel"],
        ["start"],
        ["pay"],
        ["issue"],
        ["finish", *FINISH],
        ["fix-amount", *LINE],
    ]
    before = everything()
    for name, *more in with_number:
        for unknown in ("FR999999", "fr000001", cast.twins, "", "FR00000%"):
            refused(do(name, unknown, *more), because=f"予約が見つかりません: {unknown}")
        elsewhere = do(name, cast.requested, *more, tenant="studio")
        refused(elsewhere, because="予約が見つかりません")
        absent = do(name, cast.requested, *more, tenant="shop")
        refused(absent, because="the module facility is off at 'shop'")
        refused(do(name, cast.requested, *more, tenant="nobody"), because="no tenant 'nobody'")
        refused(
            do(name, cast.cancelled, *more),
            because="確定" if name == "issue" else "「キャンセル」のため",
        )
        alone = do(name, *more)
        assert (alone.exit_code, alone.stdout) == (2, "")
        assert "NUMBER" in alone.stderr
    refused(do("issue", cast.requested), because="ご請求金額が確定")
    blank = do("finish", cast.requested, *FINISH[:3], "　", *FINISH[4:])
    assert blank.exit_code == 2
    assert "'--worker': write 1 to 100 characters" in blank.stderr
    for words in (
        ["finish", cast.requested],
        ["finish", cast.requested, *FINISH[:-4], "--minutes", "0"],
        ["finish", cast.requested, *FINISH[:-4], "--minutes", "1.5"],
        ["finish", cast.requested, *FINISH[2:]],
        ["fix-amount", cast.requested],
        ["import-facilities", str(tmp_path / "absent.csv")],
        ["import-reservations", str(tmp_path)],
    ):
        result = do(*words)
        assert (result.exit_code, result.stdout) == (2, ""), words
    assert everything() == before


def test_cancelling_and_declining_end_a_reservation_at_the_instant_that_is_named(
    do: Do, inside, cast
) -> None:
    """FAC-10, FAC-12, COM-90: one mail and one signed audit row each; a confirmed one can still be cancelled."""
    at = clock.local(2026, 11, 20, 8, 30)
    assert do("confirm", cast.strangers).exit_code == 0
    for name, number, charged in (
        ("decline", cast.requested, ""),
        ("cancel", cast.strangers, " ¥13,500"),
    ):
        with clock.freeze(at):
            assert do(name, number).stdout == f"{number}: キャンセル{charged}\n"
            refused(do(name, number), because="現在「キャンセル」のため")
        with inside("facility"):
            kept = queries.any_reservation(number)
            assert (kept.status, kept.cancelled_at) == (Status.CANCELLED, at)
            events = select(AuditEvent).where(
                AuditEvent.subject == kept.subject, AuditEvent.action == "reservation.cancelled"
            )
            assert [event.actor_name for event in session().scalars(events)] == ["監督"]
            subjects = [mail.subject for mail in session().scalars(select(OutboxMail))]
            assert len([s for s in subjects if number in s and "キャンセル" in s]) == 1


def test_a_bill_line_is_read_as_it_is_typed_or_refused_by_name(
    do: Do, everything, inside, cast
) -> None:
    """FAC-12, COM-71: standard rate unless another is named, 8% marked as reduced, a discount as a price below zero."""
    used(do, cast.requested)
    before = everything()

    def fix(*lines: str) -> Result:
        words = [word for line in lines for word in ("--line", line)]
        return do("fix-amount", cast.requested, *words, "--dry-run")

    for lines, total in (
        (["利用料:3:時間:4500"], "¥14,850"),
        (["利用料:3:時間:4500:10"], "¥14,850"),
        (["お飲み物:3:本:111:8"], "¥359"),
        (["利用料:1:式:1000", "弁当:2:個:500:8", "お値引き:1:式:-1000"], "¥1,080"),
        (["利用料:1:式:0"], "¥0"),
        (["a:1:式:5", "b:1:式:5"], "¥11"),
    ):
        result = fix(*lines)
        assert (result.exit_code, result.stdout) == (0, f"{cast.requested}: 請求確定 {total}\n"), (
            lines
        )
    for line in (
        *("", ":", "::::", "利用料", "利用料:1", "利用料:1:式", "利用料:1:式:", "利用料:1:式:1:"),
        *(
            "利用料:一:式:1",
            "利用料:1.5555:式:1",
            "利用料:.5:式:1",
            "利用料:1.:式:1",
            "利用料:0.000:式:1",
            "利用料::式:1",
            "利用料:1:式:4,500",
            "利用料:1:式:1.5",
        ),
        *("利用料:0:式:1", "利用料:-1:式:1", "利用料:-1:式:-1", ":1:式:1", "　:1:式:1"),
        *(
            "利用料:1:式:1:-5",
            "利用料:1:式:1:5",
            "利用料:1:式:1:9",
            "利用料:1:式:1:-10",
            "利用料:1:式:1:100",
        ),
        *("利用料:1:式:1:10%", "利用料:1:式:1:0.1", "利用料:1:式:1:10:10", "利用料：1：式：1"),
    ):
        refused(fix(line), because=f"--line {line!r}")
        refused(fix("利用料:1:式:1", line), because=f"--line {line!r}")
    refused(fix("返金:1:式:-1"), because="マイナス")
    assert everything() == before
    words = ["--line", "利用料:1:式:1000", "--line", "弁当:2:個:500:8"]
    assert do("fix-amount", cast.requested, *words).stdout.endswith("¥2,180\n")
    with inside("facility"):
        kept = operations.BILLING.lines(queries.any_reservation(cast.requested))
    assert [(line.rate, line.reduced, line.day) for line in kept] == [
        (10, False, date(2026, 10, 24)),
        (8, True, date(2026, 10, 24)),
    ]


def test_issue_says_when_a_document_could_not_be_drawn_and_the_worker_draws_it(
    do: Do, run, visit, inside, settings: Settings, cast
) -> None:
    """FAC-04, FAC-12, COM-72: the numbers are given once; what failed is neither hidden nor issued again."""
    blocked = settings.home / "files" / "facility"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where the brand's folder ought to be")
    failed = do("issue", cast.billed)
    assert (failed.exit_code, failed.stdout) == (0, f"{cast.billed}: documents issued: 2\n")
    assert f"{cast.billed}: 2 could not be drawn" in failed.stderr

    def documents() -> list[tuple[str, bool]]:
        with inside("facility"):
            found = session().scalars(select(Document).order_by(Document.number))
            return [(document.number, bool(document.sha256)) for document in found]

    assert documents() == [("FI000001", False), ("FW000001", False)]
    member = visit("facility", cast.representative)
    assert member.get(f"/facility/reservations/{cast.billed}/invoice.pdf").status_code == 422
    blocked.unlink()
    again = do("issue", cast.billed)
    assert (again.stdout, again.stderr) == (f"{cast.billed}: documents issued: 0\n", "")
    with clock.freeze(NOW + timedelta(hours=1)):
        assert run.invoke(args=["worker", "--once"]).exit_code == 0
    assert documents() == [("FI000001", True), ("FW000001", True)]
    assert member.get(f"/facility/reservations/{cast.billed}/invoice.pdf").data.startswith(b"%PDF")


def test_what_no_column_or_calendar_holds_is_a_named_line(
    do: Do, everything, tmp_path: Path
) -> None:
    """FAC-12, OPS-12: on either database, never an error of the database."""
    file = tmp_path / "file.csv"
    file.write_text(
        f"{FACILITIES}X-1,旋盤,,2147483648,1\nX-2,旋盤,,1,2147483648\n", encoding="utf-8"
    )
    old = RESERVATIONS + "".join(
        f"OLD-{n},C000001,LC-01,{start},2024/04/01 12:00,お支払済,{booked},1,\n"
        for n, (start, booked) in enumerate(
            [("0001/01/01 00:00", "2024/03/20 10:00"), ("2024/04/01 09:00", "0001/01/01 08:59")]
        )
    )
    before = everything()
    refusals = {
        "import-facilities": ["時間料金", "日料金"],
        "import-reservations": ["開始日時", "予約完了日時"],
    }
    for name, columns in refusals.items():
        result = do(name, str(file))
        assert (result.exit_code, result.stdout) == (2, "")
        assert all(
            f"{line}行目「{column}」" in result.stderr for line, column in enumerate(columns, 2)
        )
        file.write_text(old, encoding="utf-8")
    assert everything() == before
    file.write_text(f"{FACILITIES}X-1,旋盤,一\0行目,2147483647,0\n", encoding="utf-8")
    assert do("import-facilities", str(file)).stdout == "1 added, 0 known already\n"
    used(do, "FR000001")
    for line in (f"利用料:1:式:{10**12}", f"利用料:{10**30}:式:1", f"お値引き:1:式:-{10**12}"):
        refused(do("fix-amount", "FR000001", "--line", line), because=f"--line {line!r}")
    assert do("fix-amount", "FR000001", "--line", f"利用料:1:式:{10**12 - 1}").exit_code == 0
