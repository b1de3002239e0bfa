"""`flask documents`: the archive as a tax office asks for it, and whether it is whole (COM-74)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.cli.documents import documents
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.settings import ROOT
from portal.shared.documents.models import Document, DocumentKind
from tests.support.old_documents import issue_as_before

KEYS = ["number", "kind", "date", "total", "counterparty", "about", "replaced_by"]


@pytest.fixture
def do(run):
    """Run a command of `flask documents` at the facility brand."""

    def command(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=["documents", *words, "--tenant", "facility"])
        assert result.exit_code == expect, result.output
        return str(result.output)

    return command


@pytest.fixture
def issued(run, inside, settings) -> Path:
    """The file of the invoice FI000001, 14,850 yen, issued and drawn by an operator."""
    result = run.invoke(args=["facility", "issue", "FR000002", "--tenant", "facility"])
    assert result.exit_code == 0, result.output
    with inside("facility"):
        key = session().scalar(select(Document.sha256).where(Document.number == "FI000001"))
    assert key
    return Path(settings.home / "files" / "facility" / key[:2] / key)


@pytest.fixture
def given_back(run, issued) -> None:
    """The invoice is paid and 4,950 yen of it given back: a receipt and a credit note are drawn."""
    for words in (
        ["pay", "FR000002"],
        ["refund", "FR000002", "--line", "値引き:1:式:4500", "--reason", "不調"],
        ["issue", "FR000002"],
    ):
        result = run.invoke(args=["facility", *words, "--tenant", "facility"])
        assert result.exit_code == 0, result.output


def test_find_shows_the_archive_with_the_same_keys_every_time(do, issued, run) -> None:
    """OPS-10, COM-74, COM-02."""
    found = json.loads(do("find", "--json"))
    assert {tuple(row) for row in found} == {tuple(KEYS)}
    assert found[1] == {
        "number": "FI000001",
        "kind": "invoice",
        "date": "2026-10-14",
        "total": 14850,
        "counterparty": "カナリア甲株式会社一番",
        "about": "FR000002",
        "replaced_by": "",
    }
    assert found[0]["total"] is None, "a work report bears no amount"
    assert [row["number"] for row in found] == ["FW000001", "FI000001"]
    assert "FI000001" in do("find")
    assert run.invoke(args=["documents", "find", "--tenant", "studio", "--json"]).output == "[]\n"


def test_find_by_date_amount_and_counterparty_alone_and_together(do, issued) -> None:
    """COM-74, 電子帳簿保存法: three keys, ranges with both ends in, and any of them together."""
    for words, hits in (
        (["--since", "2026-10-14", "--until", "2026-10-14"], 2),
        (["--since", "2026-10-15"], 0),
        (["--until", "2026-10-13"], 0),
        (["--least", "14850", "--most", "14850"], 1),
        (["--least", "14851"], 0),
        (["--most", "14849"], 0),
        (["--most", "0"], 0),
        (["--most", "3000000000"], 1),
        (["--least", "3000000000"], 0),
        (["--counterparty", "株式会社"], 2),
        (["--counterparty", "二番"], 0),
        (["--counterparty", "%"], 0),
        (["--since", "2026-01-01", "--least", "1", "--counterparty", "一番"], 1),
        (["--since", "2026-01-01", "--least", "1", "--counterparty", "二番"], 0),
        (["--since", "2026-12-31", "--until", "2026-01-01"], 0),
    ):
        assert len(json.loads(do("find", *words, "--json"))) == hits, words


def test_a_credit_note_is_found_by_the_size_of_its_amount(do, given_back) -> None:
    """COM-74: its total stands below zero, but 4,950 yen are what anybody looks for."""
    for words, hits in (
        (["--least", "4950", "--most", "4950"], ["CN00000001"]),
        (["--least", "4951", "--most", "14849"], []),
        (["--most", "4949"], []),
        (["--most", "4950"], ["CN00000001"]),
    ):
        found = json.loads(do("find", *words, "--json"))
        assert [row["number"] for row in found if row["kind"] == "credit_note"] == hits, words
    (note,) = json.loads(do("find", "--most", "4950", "--json"))
    assert note["total"] == -4950


def test_a_date_or_an_amount_that_is_none_is_refused(do) -> None:
    """OPS-10."""
    for words, said in (
        (["--since", "2026-02-30"], "'--since'"),
        (["--until", "10/14"], "'--until'"),
        (["--least", "1,000"], "'--least'"),
        (["--most", "many"], "'--most'"),
        (["--most", "-1"], "'--most'"),
        (["--least", "9223372036854775808"], "'--least'"),
    ):
        assert f"Invalid value for {said}" in do("find", *words, expect=2)


def test_a_whole_archive_is_whole_and_so_is_an_empty_one(do, run, issued) -> None:
    """COM-74."""
    assert do("verify") == "all documents are whole\n"
    assert (
        run.invoke(args=["documents", "verify", "--tenant", "shop"]).output
        == "all documents are whole\n"
    )


def test_one_changed_byte_is_found_and_told_with_the_number(do, issued) -> None:
    """COM-72, COM-74: one line, exit code 2."""
    whole = issued.read_bytes()
    issued.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert do("verify", expect=2) == "Error: FI000001: bytes do not match the digest\n"
    issued.write_bytes(whole)
    assert do("verify") == "all documents are whole\n"


def test_all_that_is_wrong_is_told_in_one_line(do, issued) -> None:
    """COM-74: a file that is gone, and one that is empty."""
    for file in issued.parents[1].rglob("*"):
        if file.is_file() and file != issued:
            file.write_bytes(b"")
    issued.unlink()
    told = do("verify", expect=2)
    assert told == "Error: FI000001: file is missing; FW000001: bytes do not match the digest\n"


def test_find_by_number_and_by_account(do, issued) -> None:
    """COM-74: one document, one customer; an account that is none is said."""
    numbers = [row["number"] for row in json.loads(do("find", "--account", "C000001", "--json"))]
    assert len(numbers) == 2
    assert json.loads(do("find", "--account", "C000002", "--json")) == []
    assert [
        row["number"] for row in json.loads(do("find", "--number", numbers[0], "--json"))
    ] == numbers[:1]
    assert json.loads(do("find", "--number", "nothing", "--json")) == []
    do("find", "--account", "C999999", expect=2)


def test_verify_says_how_many_documents_are_unsealed_and_seal_seals_them(
    run, app, inside, issued
) -> None:
    """COM-72, OPS-14: those of before are no fault; each is sealed once, and it is in the trail."""
    with inside("facility"):
        invoice = session().scalars(select(Document).where(Document.number == "FI000001")).one()
        issue_as_before("CN000001", DocumentKind.CREDIT_NOTE, invoice.content)

    def do(*words: str) -> tuple[str, str]:
        done = run.invoke(args=["documents", *words, "--tenant", "facility"])
        assert done.exit_code == 0, done.output
        return done.stdout, done.stderr

    unsealed = "1 documents have no digest in the trail: documents seal\n"
    assert do("verify") == ("all documents are whole\n", unsealed)
    assert do("seal", "--dry-run")[0] == "1 documents sealed\n"
    assert do("verify")[1] == unsealed
    assert do("seal", "--operator", "監督") == ("1 documents sealed\n", "")
    assert do("seal") == ("0 documents sealed\n", "")
    assert do("verify") == ("all documents are whole\n", "")
    (event,) = _events(inside, "document.seal")
    assert (event.subject, event.actor_name) == ("document:CN000001", "監督")
    assert event.changes["kind"] == "credit_note"


def test_open_saves_the_file_under_its_own_name_and_tells_the_trail(
    do, issued, inside, tmp_path, monkeypatch
) -> None:
    """COM-74, COM-90: at once, checked, for its owner's eyes; who took it out is known."""
    monkeypatch.chdir(tmp_path)
    assert do("open", "FI000001", "--dry-run").startswith("20261014_")
    assert list(tmp_path.iterdir()) == []
    name = do("open", "FI000001", "--operator", "監督").strip()
    assert name == "20261014_カナリア甲株式会社一番_14850_FI000001.pdf"
    saved = tmp_path / name
    assert saved.read_bytes() == issued.read_bytes()
    assert saved.stat().st_mode & 0o777 == 0o600
    (event,) = _events(inside, "document.save_file")
    assert (event.subject, event.actor_name) == ("document:FI000001", "監督")
    assert event.changes == {"kind": "invoice", "digest": issued.name}


def test_open_never_writes_over_a_file(do, issued, inside, tmp_path) -> None:
    """OPS-10: nor is anything in the trail that did not happen."""
    there = tmp_path / "there.pdf"
    there.write_bytes(b"mine")
    told = do("open", "FI000001", "--to", str(there), expect=2)
    assert told == f"Error: {there} is there already\n"
    assert there.read_bytes() == b"mine"
    assert _events(inside, "document.save_file") == []


def test_open_refuses_a_damaged_or_lost_file_and_an_unknown_number(do, issued, tmp_path) -> None:
    """COM-72: what goes out is what was issued."""
    target = tmp_path / "x.pdf"
    damaged = "Error: FI000001: its file is missing or damaged: documents verify\n"
    issued.write_bytes(b"%PDF-1.7 another")
    assert do("open", "FI000001", "--to", str(target), expect=2) == damaged
    issued.unlink()
    assert do("open", "FI000001", "--to", str(target), expect=2) == damaged
    told = do("open", "FI000009", "--to", str(target), expect=2)
    assert told == "Error: 帳票が見つかりません。\n"
    assert not target.exists()


def test_open_asks_for_the_kind_where_two_have_the_number(do, issued, inside, tmp_path) -> None:
    """COM-72: numbers are without doubles by kind alone."""
    with inside("facility"):
        invoice = session().scalars(select(Document).where(Document.number == "FI000001")).one()
        issue_as_before("FI000001", DocumentKind.CREDIT_NOTE, invoice.content)
    told = do("open", "FI000001", expect=2)
    assert told == "Error: 同じ番号の帳票が複数あります: credit_note, invoice\n"
    target = tmp_path / "x.pdf"
    do("open", "FI000001", "--kind", "invoice", "--to", str(target))
    assert target.read_bytes() == issued.read_bytes()


def test_every_command_of_documents_stands_in_the_guide_to_archiving() -> None:
    """OPS-14, COM-74: with the system overview and a template of the rules, both linked."""
    guide = (ROOT / "docs/archiving.md").read_text("utf-8")
    assert [name for name in documents.commands if f"flask documents {name}" not in guide] == []
    for part in ("## システム概要書", "## 訂正及び削除の防止に関する事務処理規程"):
        assert part in guide
    for page in ("README.md", "docs/operators.md"):
        assert "docs/archiving.md" in (ROOT / page).read_text("utf-8")


def _events(inside, action: str) -> list[AuditEvent]:
    with inside("facility"):
        found = session().scalars(select(AuditEvent).where(AuditEvent.action == action)).all()
        session().expunge_all()
        return list(found)
