"""OPS-10, OPS-12: nobody waits for an operator: no lock while a person thinks, and none for a question or a dry run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.blueprints.facility.imports import Reservations
from portal.blueprints.facility.models import Reservation, Status
from portal.cli import command_line
from portal.core import SYSTEM, audit, clock, engine
from portal.core.audit_chain import find_faults
from portal.core.db import session, tenant_scope
from portal.shared import imports
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member
from portal.shared.inquiries.models import Inquiry
from portal.shared.staging import Staging
from tests.cast import NOW
from tests.cli.test_conventions import LEAVES, MEMBERS, typed

TEXT = "本文です。"
RESERVATIONS = (
    "予約番号,会員番号,設備コード,開始日時,終了日時,ステータス,予約完了日時,ご請求金額,ご利用目的\n"
)


def reservations(*numbers: str) -> bytes:
    line = "C000001,LC-01,2024/04/01 09:00,2024/04/01 12:00,お支払済,2024/03/20 10:00,1000,試作"
    return (RESERVATIONS + "".join(f"{number},{line}\n" for number in numbers)).encode()


@pytest.fixture
def writes_elsewhere(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make a change in the same brand from another thread, at once. Raises what stood in its way."""
    monkeypatch.setattr(engine, "LOCK_SECONDS", 0.2)

    def add() -> None:
        with app.app_context(), tenant_scope("facility"):
            tenant = app.extensions["tenants"].current().by_key["facility"]
            accounts.add_account(tenant, by=SYSTEM, name="別の方")
            session().commit()

    def write() -> None:
        trouble: list[BaseException] = []

        def attempt() -> None:
            try:
                add()
            except BaseException as error:
                trouble.append(error)

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join(20)
        assert not thread.is_alive(), "another writer waits"
        if trouble:
            raise trouble[0]

    return write


@pytest.fixture
def others(inside: Callable[[str], Any]) -> Callable[[], int]:
    """How many changes were made elsewhere."""

    def count() -> int:
        with inside("facility"):
            named = select(func.count(Account.id)).where(Account.name == "別の方")
            return session().scalar(named) or 0

    return count


THINKING = [
    ["accounts", "merge", "C000002", "C000001"],
    ["accounts", "withdraw", "C000003", "--reason", "お電話"],
    ["inquiries", "answer", "IQ00000001"],
    ["notices", "publish", "件名", "-"],
    ["members", "import", str(MEMBERS)],
]


@pytest.fixture
def inquiry(inside: Callable[[str], Any]) -> None:
    """An inquiry that awaits an answer."""
    with inside("facility"):
        asked = Inquiry(
            number="IQ00000001",
            name="来訪者",
            email="guest@one.example",
            category="other",
            label="その他お問合せ",
            created_at=clock.now(),
            updated_at=clock.now(),
        )
        session().add(asked)
        session().commit()


@pytest.mark.parametrize("words", THINKING, ids=lambda words: " ".join(words[:2]))
def test_somebody_else_can_write_while_an_operator_thinks(
    words: list[str],
    run: Any,
    inquiry: None,
    writes_elsewhere: Callable[[], None],
    others: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OPS-10: in an editor, before a question, at the keyboard, and while a file or pipe is read."""
    # Who has something open is refused before the question.
    assert run.invoke(args=["accounts", "add", "試験", "--tenant", "facility"]).exit_code == 0
    read_bytes = Path.read_bytes

    def confirm(*_words: object, **_how: object) -> bool:
        writes_elsewhere()
        return True

    def edit(_text: str) -> str:
        writes_elsewhere()
        return TEXT

    def standard_input() -> bytes:
        writes_elsewhere()
        return TEXT.encode()

    def file(path: Path) -> bytes:
        if path == MEMBERS:
            writes_elsewhere()
        return read_bytes(path)

    monkeypatch.setattr(click, "confirm", confirm)
    monkeypatch.setattr(click, "edit", edit)
    monkeypatch.setattr(command_line, "_standard_input", standard_input)
    monkeypatch.setattr(Path, "read_bytes", file)
    monkeypatch.setattr("portal.cli.desk.is_terminal", lambda: True)
    result = run.invoke(args=[*words, "--tenant", "facility"])
    assert result.exit_code in (0, 2), result.exception
    assert others() == 1, result.output


def test_somebody_else_can_write_while_a_file_is_read_and_checked(
    run: Any,
    writes_elsewhere: Callable[[], None],
    others: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """OPS-12: at every row of a dry run, and of a real one until it is stored."""
    file = tmp_path / "old.csv"
    file.write_bytes(reservations("OLD-1", "OLD-2", "OLD-3"))
    read = Reservations.read

    def slowly(self: Reservations, row: Any) -> Any:
        writes_elsewhere()
        return read(self, row)

    monkeypatch.setattr(Reservations, "read", slowly)
    words = ["facility", "import-reservations", str(file), "--tenant", "facility"]
    dry = run.invoke(args=[*words, "--dry-run"])
    assert (dry.exit_code, dry.stdout) == (0, "3 added, 0 known already\n"), dry.output
    assert others() == 3
    real = run.invoke(args=words)
    assert (real.exit_code, real.stdout) == (0, "3 added, 0 known already\n"), real.output
    assert others() == 6


QUESTIONS = [
    path
    for path in LEAVES
    if path.split()[-1] in ("list", "find", "show", "search", "over", "explain", "sign-ins")
    or path.endswith((" verify", " refused"))
]


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """SQLite's write lock, which nobody may ask for."""
    taken: list[str] = []

    def acquire(_lock: object, _seconds: float) -> None:
        taken.append("taken")
        raise engine.DatabaseBusy("nobody may lock here")

    monkeypatch.setattr(engine.WriteLock, "acquire", acquire)
    return taken


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_question_and_the_dry_run_of_an_import_lock_nothing(
    run: Any, no_lock: list[str], tmp_path: Path
) -> None:
    """OPS-10, OPS-12: every command that only asks, found in the tree of commands."""
    assert len(QUESTIONS) > 15
    for path in QUESTIONS:
        for tenant in ("facility", "desk"):
            run.invoke(args=[*typed(path), "--tenant", tenant])
            assert not no_lock, path
    file = tmp_path / "old.csv"
    file.write_bytes(reservations("OLD-1"))
    for words in (
        ["members", "import", str(MEMBERS)],
        ["facility", "import-reservations", str(file)],
    ):
        done = run.invoke(args=[*words, "--tenant", "facility", "--dry-run"])
        assert (done.exit_code, no_lock) == (0, []), done.output


def test_what_was_stored_elsewhere_since_the_file_was_read_refuses_all_of_it(
    run: Any, inside: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """OPS-12: all or nothing also between reading and storing; the next try finds what is known."""
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_bytes(reservations("OLD-2"))
    second.write_bytes(reservations("OLD-1", "OLD-2", "OLD-3"))
    words = ["facility", "import-reservations"]
    store = imports.store

    def late(*given: Any, **named: Any) -> None:
        monkeypatch.setattr(imports, "store", store)
        importer = Reservations()
        with Staging() as staged:
            imports.stage(first.read_bytes(), importer, staged)
            store(staged, importer, by=SYSTEM)
            session().commit()
        store(*given, **named)

    monkeypatch.setattr(imports, "store", late)
    refused = run.invoke(args=[*words, str(second), "--tenant", "facility"])
    assert refused.exit_code == 2
    assert "もう一度お試しください" in refused.stderr
    again = run.invoke(args=[*words, str(second), "--tenant", "facility"])
    assert again.stdout == "2 added, 1 known already\n"
    with inside("facility"):
        assert list(find_faults()) == []


def test_imported_members_stand_in_the_trail_one_by_one(
    run: Any, inside: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """OPS-13, COM-90: across the batches that they are stored in; the chain holds."""
    monkeypatch.setattr(imports, "BATCH", 2)
    lines = [f"X{n // 2},user{n},user{n}@x.example,山田,太郎,会社{n // 2}\n" for n in range(5)]
    file = tmp_path / "members.csv"
    file.write_text("会員番号,ログインID,メールアドレス,姓,名,会社名\n" + "".join(lines))
    done = run.invoke(args=["members", "import", str(file), "--tenant", "facility"])
    assert done.stdout == "5 added, 0 known already\n"
    with inside("facility"):
        events = session().scalars(select(audit.AuditEvent).order_by(audit.AuditEvent.sequence))
        told = [(event.action, event.subject) for event in events][-9:]
        assert told.count(("account.add", "account:X1")) == 1
        assert [subject for action, subject in told if action == "member.add"] == [
            f"member:user{n}" for n in range(5)
        ]
        assert told[-1] == ("member.import", "import:5")
        assert list(find_faults()) == []
        owner = select(Account.number).join(Member, Member.account_id == Account.id)
        assert session().scalar(owner.where(Member.login_id == "user4")) == "X2"


def test_a_file_of_too_many_lines_is_to_be_split(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """OPS-12: so that storing stays short."""
    monkeypatch.setattr(imports, "MOST_ROWS", 2)
    file = tmp_path / "old.csv"
    file.write_bytes(reservations("OLD-1", "OLD-2", "OLD-3"))
    words = ["facility", "import-reservations", str(file), "--tenant", "facility"]
    done = run.invoke(args=words)
    assert (done.exit_code, done.stderr) == (
        2,
        "Error: 一度に2行までです。分けて読み込んでください。\n",
    )


def test_the_dry_run_of_reminders_mails_nobody(run: Any, inside: Callable[[str], Any]) -> None:
    """OPS-10, FAC-09: and the real run mails them once."""
    with inside("facility"):
        coming = select(Reservation).where(Reservation.number == "FR000001")
        found = session().scalars(coming).one()
        found.status, found.reminded_at = Status.CONFIRMED, None
        found.starts_at, found.ends_at = NOW + timedelta(hours=2), NOW + timedelta(hours=4)
        found.held_until = found.ends_at
        session().commit()
    words = ["facility", "remind", "--tenant", "facility"]
    for more, said in ((["--dry-run"], "1"), ([], "1"), ([], "0")):
        done = run.invoke(args=[*words, *more])
        assert done.stdout == f"{said} reminders mailed\n", done.output
