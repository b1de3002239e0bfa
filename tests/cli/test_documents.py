"""`flask documents`: the archive as a tax office asks for it, and whether it is whole (COM-74)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.core.db import session
from portal.shared.documents.models import Document

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
