"""`flask documents bundle`: handed over, and checked by whoever has nothing but Python (COM-72,
COM-74).
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.settings import ROOT
from portal.shared.documents.models import Document, DocumentKind
from tests.support.old_documents import issue_as_before
from tests.support.raw import superuser

PERIOD = ["--from", "2026-10-01", "--until", "2026-11-30"]
INVOICE = "pdf/invoice/20261014_カナリア甲株式会社一番_14850_FI000001.pdf"
HEADER = ["番号", "種類", "取引日", "取引先", "金額（税込）", "ファイル名", "SHA-256"]
Alter = Callable[[Path], object]


@pytest.fixture
def issued(run) -> None:
    """Invoice, work report, receipt and credit note of a use, drawn."""
    for words in (
        ["issue", "FR000002"],
        ["pay", "FR000002"],
        ["refund", "FR000002", "--line", "値引き:1:式:4500", "--reason", "不調"],
        ["issue", "FR000002"],
    ):
        result = run.invoke(args=["facility", *words, "--tenant", "facility"])
        assert result.exit_code == 0, result.output


@pytest.fixture
def make(run, issued, tmp_path) -> Callable[..., Path]:
    """Make a bundle of the facility brand."""

    def bundle(*words: str, name: str = "bundle.zip") -> Path:
        target = tmp_path / name
        args = [*(words or PERIOD), "--to", str(target), "--tenant", "facility"]
        result = run.invoke(args=["documents", "bundle", *args])
        assert result.exit_code == 0, result.output
        return target

    return bundle


def check(program: Path, *arguments: str) -> tuple[int, list[str]]:
    """Run the bundle's own check as a stranger would: its exit code and its lines."""
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", str(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=program.parent,
        env={},
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def unpacked(packed: Path) -> Path:
    folder = packed.with_suffix("")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)
    return folder


def replaced(name: str, old: str, new: str) -> Alter:
    """Alter one text in a file of the bundle."""

    def alter(folder: Path) -> None:
        path = folder / name
        text = path.read_bytes().decode()
        assert old in text
        path.write_bytes(text.replace(old, new, 1).encode())

    return alter


def without_line(name: str, part: str) -> Alter:
    """Take the first line that has `part` out of a file of the bundle."""

    def alter(folder: Path) -> None:
        path = folder / name
        lines = path.read_bytes().decode().splitlines(keepends=True)
        lines.remove(next(line for line in lines if part in line))
        path.write_bytes("".join(lines).encode())

    return alter


def with_another_pdf(folder: Path) -> None:
    path = folder / INVOICE
    path.write_bytes(path.read_bytes() + b"%")


def with_all_forged_but_the_trail(folder: Path) -> None:
    """An amount altered wherever the digests that stand beside it can be made anew."""
    path = folder / "documents.jsonl"
    lines = path.read_bytes().split(b"\n")
    place = next(i for i, line in enumerate(lines) if b'"total":14850' in line and b"FI0" in line)
    before = hashlib.sha256(lines[place]).hexdigest()
    lines[place] = lines[place].replace(b'"total":14850', b'"total":1485')
    path.write_bytes(b"\n".join(lines))
    after = hashlib.sha256(lines[place]).hexdigest()
    replaced("index.csv", before, after)(folder)
    replaced("index.csv", "一番,14850,", "一番,1485,")(folder)


ALTERED: dict[str, tuple[Alter, set[str]]] = {
    "an altered PDF": (
        with_another_pdf,
        {
            "FI000001: PDF の SHA-256 が index.csv と一致しません",
            "FI000001: PDF の SHA-256 が証跡と一致しません",
        },
    ),
    "an altered amount in the index": (
        replaced("index.csv", "一番,14850,", "一番,14851,"),
        {"FI000001: index.csv の金額が内容と一致しません"},
    ),
    "an altered date in the index": (
        replaced("index.csv", "請求書,2026/10/14", "請求書,2026/10/15"),
        {"FI000001: index.csv の取引日が内容と一致しません"},
    ),
    "another counterparty in the index": (
        replaced("index.csv", "14,カナリア甲株式会社一番", "14,別人"),
        {"FI000001: index.csv の取引先が内容と一致しません"},
    ),
    "a row that is gone": (
        without_line("index.csv", "FI000001"),
        {
            f"{INVOICE}: index.csv にないファイルです",
            "FI000001（invoice）: 内容がありますが、index.csv にありません",
            "FI000001: 証跡に発行の記録がありますが、index.csv にありません",
            "index.csv は 3 件ですが、作成時は 4 件でした",
        },
    ),
    "a missing file": (
        lambda folder: (folder / INVOICE).unlink(),
        {f"FI000001: ファイルがないか、読めません: {INVOICE}"},
    ),
    "a file of nobody's": (
        lambda folder: (folder / "pdf" / "x.pdf").write_bytes(b"%PDF"),
        {"pdf/x.pdf: index.csv にないファイルです"},
    ),
    "an altered fact": (
        replaced("documents.jsonl", '"total":14850', '"total":14851'),
        {
            "FI000001: 内容の SHA-256 が index.csv と一致しません",
            "FI000001: 内容の SHA-256 が証跡と一致しません",
            "FI000001: index.csv の金額が内容と一致しません",
        },
    ),
    "a fact that is gone": (
        without_line("documents.jsonl", "FI000001"),
        {"FI000001: documents.jsonl に内容がありません"},
    ),
    "an amount altered everywhere but in the trail": (
        with_all_forged_but_the_trail,
        {"FI000001: 内容の SHA-256 が証跡と一致しません"},
    ),
}


def test_a_bundle_has_every_document_and_what_proves_it(make, inside, issued) -> None:
    """COM-74: PDFs as they were issued, an index, facts, the trail, its anchor, and how to check."""
    with zipfile.ZipFile(make()) as archive:
        names = archive.namelist()
        assert names[:7] == [
            "README.txt",
            "check.py",
            "anchor.txt",
            "bundle.json",
            "index.csv",
            "documents.jsonl",
            "trail.jsonl",
        ]
        rows = list(csv.DictReader(archive.read("index.csv").decode("utf-8-sig").splitlines()))
        assert list(rows[0]) == [*HEADER, "訂正後の番号", "内容のSHA-256"]
        assert sorted(names[7:]) == sorted(row["ファイル名"] for row in rows)
        for row in rows:
            digest = hashlib.sha256(archive.read(row["ファイル名"])).hexdigest()
            assert digest == row["SHA-256"]
        assert {row["種類"] for row in rows} == {"請求書", "作業完了報告書", "領収書", "返金明細書"}
        events = [json.loads(line) for line in archive.read("trail.jsonl").splitlines()]
        assert {event["action"] for event in events} == {"document.issue", "document.draw"}
        assert archive.read("anchor.txt").decode().split()[0] == "facility"
        assert "check.py" in archive.read("README.txt").decode()


def test_a_good_bundle_is_found_good_packed_and_unpacked(make) -> None:
    """COM-72, COM-74: by plain Python, with nothing of the portal."""
    packed = make()
    folder = unpacked(packed)
    good = (0, ["問題はありません（4 件）"])
    assert check(folder / "check.py") == good
    assert check(folder / "check.py", str(packed)) == good
    assert check(folder / "check.py", str(folder)) == good


def test_each_alteration_of_a_bundle_is_named_in_a_line_of_its_own(make, tmp_path) -> None:
    """COM-72: exit code 1, and nothing else is said to be wrong."""
    folder = unpacked(make())
    for name, (alter, lines) in ALTERED.items():
        altered = tmp_path / name
        shutil.copytree(folder, altered)
        alter(altered)
        code, told = check(altered / "check.py")
        assert (code, set(told), len(told)) == (1, lines, len(lines)), name


def test_an_altered_trail_is_named(make, tmp_path) -> None:
    """COM-72, COM-90: an event that was changed, one that is gone, another end of the trail."""
    folder = unpacked(make())
    for alter, part in (
        (replaced("trail.jsonl", '"actor_kind": "', '"actor_kind": "x'), "記録が書き換えられて"),
        (without_line("trail.jsonl", '"document.issue"'), "証跡に発行の記録がありません"),
        (replaced("anchor.txt", "facility ", "facility 1 "), "anchor.txt と合いません"),
    ):
        altered = tmp_path / part
        shutil.copytree(folder, altered)
        alter(altered)
        code, told = check(altered / "check.py")
        assert code == 1
        assert any(part in line for line in told), told


def test_the_index_names_corrections_as_the_documents_do(make, run, tmp_path) -> None:
    """COM-72: a correction is a new document, and neither hides the other."""
    for words in (
        ["correct", "FR000002", "--line", "利用料:4:時間:4500", "--reason", "計算違い"],
        ["issue", "FR000002"],
    ):
        result = run.invoke(args=["facility", *words, "--tenant", "facility"])
        assert result.exit_code == 0, result.output
    folder = unpacked(make())
    assert check(folder / "check.py")[0] == 0
    told = "{}: index.csv の訂正後の番号が、{} の内容と一致しません"
    with (folder / "index.csv").open(encoding="utf-8-sig", newline="") as file:
        (digest,) = (row["SHA-256"] for row in csv.DictReader(file) if row["番号"] == "FI000002")
    for old, new, line in (
        (",FI000002,", ",,", told.format("FI000001", "FI000002")),
        (f"{digest},,", f"{digest},FI000001,", told.format("FI000002", "FI000001")),
    ):
        altered = tmp_path / f"with {new}"
        shutil.copytree(folder, altered)
        replaced("index.csv", old, new)(altered)
        assert check(altered / "check.py") == (1, [line])


def test_the_check_stands_alone_and_runs_on_older_pythons() -> None:
    """COM-74: nothing but the standard library, and the grammar of Python 3.9."""
    source = (ROOT / "portal/shared/documents/check_bundle.py").read_text("utf-8")
    module = ast.parse(source, feature_version=(3, 9))
    imported = {
        alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {
        str(node.module).partition(".")[0]
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names


def test_what_is_no_bundle_is_told_in_a_line(make, tmp_path) -> None:
    """OPS-10: without a traceback."""
    folder = unpacked(make())
    (folder / "documents.jsonl").unlink()
    code, (line,) = check(folder / "check.py")
    assert (code, line.partition(":")[0]) == (1, "確認できません。足りないか、壊れています")


def test_numbers_outside_of_the_period_are_no_gaps_but_lost_ones_are(make, app, inside) -> None:
    """COM-72: the bundle says which numbers between its own belong to other dates."""
    with inside("facility"):
        invoice = session().scalars(select(Document).where(Document.number == "FI000001")).one()
        # The credit note before them is CN00000001.
        for number, month in ((2, 10), (3, 9), (4, 10)):
            kind = DocumentKind.CREDIT_NOTE
            issue_as_before(f"CN0000000{number}", kind, invoice.content, date(2026, month, 14))
    folder = unpacked(make())
    code, told = check(folder / "check.py")
    assert (code, told[-1]) == (0, "問題はありません（6 件）")
    assert [line.split(": ")[:2] for line in told[:-1]] == [
        ["注意", "CN00000002"],
        ["注意", "CN00000004"],
    ]
    assert json.loads((folder / "bundle.json").read_text("utf-8"))["elsewhere"] == {
        "invoice": [],
        "work_report": [],
        "receipt": [],
        "credit_note": [[3, 3]],
    }
    with superuser(app) as connection:
        connection.execute("DELETE FROM document WHERE number = 'CN00000003'")
    code, told = check(unpacked(make(name="lost.zip")) / "check.py")
    assert (code, told[-1]) == (1, "返金明細書 3: 欠番です")


def test_a_bundle_is_of_its_days_and_its_account(make) -> None:
    """COM-74, COM-73."""
    for words, count in (
        (["--from", "2026-10-14", "--until", "2026-10-14"], 3),
        (["--from", "2026-10-15", "--until", "2026-10-31"], 0),
        ([*PERIOD, "--account", "C000001"], 4),
        ([*PERIOD, "--account", "C000002"], 0),
    ):
        with zipfile.ZipFile(make(*words, name=f"{'-'.join(words)}.zip")) as archive:
            numbers = archive.read("documents.jsonl").splitlines()
            assert len(numbers) == json.loads(archive.read("bundle.json"))["count"] == count, words


def test_a_bundle_is_in_the_trail_with_the_digest_of_the_zip(make, inside) -> None:
    """COM-90: who took out what, and how to know the file again."""
    packed = make(*PERIOD, "--account", "C000001", "--operator", "監督")
    assert packed.stat().st_mode & 0o777 == 0o600
    with inside("facility"):
        event = (
            session()
            .scalars(select(AuditEvent).where(AuditEvent.action == "document.bundle"))
            .one()
        )
        assert event.subject == "documents:2026-10-01..2026-11-30"
        assert event.actor_name == "監督"
        assert event.changes == {
            "account": "C000001",
            "count": 4,
            "digest": hashlib.sha256(packed.read_bytes()).hexdigest(),
            "absent": [],
        }


def test_a_lost_file_keeps_no_other_from_being_handed_over(
    make, run, inside, settings, tmp_path
) -> None:
    """COM-74: the operator is told, and so is whoever checks."""
    with inside("facility"):
        key = session().scalar(select(Document.sha256).where(Document.number == "FI000001"))
    assert key
    (settings.home / "files" / "facility" / key[:2] / key).write_bytes(b"another")
    target = tmp_path / "some.zip"
    words = ["documents", "bundle", *PERIOD, "--to", str(target), "--tenant", "facility"]
    done = run.invoke(args=words)
    assert done.exit_code == 0
    assert done.stderr == "FI000001: has no file: not drawn yet, or see documents verify\n"
    code, told = check(unpacked(target) / "check.py")
    assert (code, told) == (1, [f"FI000001: ファイルがないか、読めません: {INVOICE}"])


def test_a_bundle_goes_over_no_file_and_a_dry_run_writes_none(
    run, issued, inside, tmp_path
) -> None:
    """OPS-10."""
    target = tmp_path / "x.zip"
    words = ["documents", "bundle", *PERIOD, "--to", str(target), "--tenant", "facility"]
    assert run.invoke(args=[*words, "--dry-run"]).stdout.startswith("4 documents, SHA-256 ")
    assert not target.exists()
    target.write_bytes(b"mine")
    refused = run.invoke(args=words)
    assert (refused.exit_code, refused.stderr) == (2, f"Error: {target} is there already\n")
    assert target.read_bytes() == b"mine"
    backwards = ["--from", "2026-11-01", "--until", "2026-10-01", "--to", str(tmp_path / "y.zip")]
    refused = run.invoke(args=["documents", "bundle", *backwards, "--tenant", "facility"])
    assert (refused.exit_code, refused.stderr) == (2, "Error: --from is later than --until\n")
    with inside("facility"):
        taken = select(AuditEvent).where(AuditEvent.action == "document.bundle")
        assert session().scalars(taken).all() == []
