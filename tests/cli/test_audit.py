"""`flask audit`: who did what, and whether the trail is whole (COM-90)."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from tests.support.raw import superuser

KEYS = ["#", "at", "recorded", "who", "login", "action", "subject", "changes"]


@pytest.fixture
def do(run):
    """Run a command of `flask audit` at the facility brand."""

    def command(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=["audit", *words, "--tenant", "facility"])
        assert result.exit_code == expect, result.output
        return str(result.output)

    return command


def tamper(app: Flask, statement: str) -> None:
    """Change the trail as somebody with the database in their hands would, triggers and all out of the way."""
    with superuser(app) as raw:
        if app.extensions["settings"].database.startswith("sqlite"):
            for (trigger,) in raw.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit_%'"
            ).fetchall():
                raw.execute(f"DROP TRIGGER {trigger}")
        else:
            raw.execute("ALTER TABLE audit_event DISABLE TRIGGER ALL")
            raw.execute("ALTER TABLE audit_head DISABLE TRIGGER ALL")
        raw.execute(statement)


def test_search_shows_the_newest_events_of_this_brand_first(do) -> None:
    """OPS-10, COM-02, COM-90."""
    found = json.loads(do("search", "--json"))
    assert {tuple(row) for row in found} == {tuple(KEYS)}
    numbers = [row["#"] for row in found]
    assert numbers == list(range(numbers[0], 0, -1))
    assert "reservation:SR000001" not in do("search")
    assert {row["who"] for row in found} == {"system"}
    assert {row["at"] for row in found} == {"2026-10-14 10:00"}


def test_search_follows_one_subject_from_its_beginning(do) -> None:
    """COM-90: before and after stand beside the action."""
    found = json.loads(do("search", "--subject", "reservation:FR000002", "--json"))
    assert [row["action"].partition(".")[2] for row in reversed(found)] == [
        "book",
        "confirmed",
        "even_so",
        "in_use",
        "used",
        "billed",
    ]
    assert "14850" in found[0]["changes"]
    assert do("search", "--subject", "reservation:FR00000", "--json") == "[]\n"
    assert len(json.loads(do("search", "--limit", "3", "--json"))) == 3


def test_a_table_of_events_fits_a_narrow_terminal(do) -> None:
    """OPS-10."""
    from rich.cells import cell_len

    drawn = do("search", "--limit", "100")
    assert max(map(cell_len, drawn.splitlines())) <= 80
    assert "\x1b" not in drawn


def test_a_whole_trail_holds(do, run) -> None:
    """COM-90."""
    assert do("verify") == "the chain holds\n"
    run.invoke(args=["accounts", "add", "試験", "--tenant", "facility"])
    assert do("verify") == "the chain holds\n"
    assert run.invoke(args=["audit", "verify", "--tenant", "shop"]).output == "the chain holds\n"


@pytest.mark.parametrize(
    ("statement", "at"),
    [
        (
            "UPDATE audit_event SET actor_name = '別人' WHERE tenant_id = 'facility' AND sequence = 3",
            3,
        ),
        ("UPDATE audit_event SET subject = 'x' WHERE tenant_id = 'facility' AND sequence = 1", 1),
        ("DELETE FROM audit_event WHERE tenant_id = 'facility' AND sequence = 2", 3),
        (
            "DELETE FROM audit_event WHERE tenant_id = 'facility' AND sequence = "
            "(SELECT max(sequence) FROM audit_event WHERE tenant_id = 'facility')",
            17,
        ),
    ],
    ids=["altered", "the first altered", "taken out", "the end cut off"],
)
def test_a_trail_that_was_tampered_with_is_told_with_the_place_and_exit_code_2(
    do, run, app, statement: str, at: int
) -> None:
    """COM-90, OPS-10: one line; the other brand's trail still holds."""
    tamper(app, statement)
    told = do("verify", expect=2)
    assert told.startswith(f"Error: the chain is broken at event {at}, 1 places in all: ")
    assert told.count("\n") == 1
    assert run.invoke(args=["audit", "verify", "--tenant", "studio"]).exit_code == 0


def test_an_anchor_kept_elsewhere_is_compared_with(do, run, app, tmp_path) -> None:
    """COM-90: a line a brand; one that was cut back to an earlier end is told."""
    told = run.invoke(args=["audit", "anchor"]).output
    assert [line.split()[0] for line in told.splitlines()] == sorted(
        app.extensions["tenants"].current().by_key
    )
    file = tmp_path / "anchors"
    file.write_text(f"# kept by the auditor\n\n{told}", encoding="utf-8")
    run.invoke(args=["accounts", "add", "試験", "--tenant", "facility"])
    again = run.invoke(args=["audit", "anchor"]).output
    file.write_text(f"{told}{again}", encoding="utf-8")
    assert do("verify", "--anchor", str(file)) == "the chain holds; and agrees with 2 anchors\n"

    where = "WHERE tenant_id = 'facility'"
    earlier = told.splitlines()[[line.split()[0] for line in told.splitlines()].index("facility")]
    _key, sequence, digest, *_rest = earlier.split()
    tamper(app, f"DELETE FROM audit_event {where} AND sequence > {sequence}")
    tamper(app, f"UPDATE audit_head SET sequence = {sequence}, digest = '{digest}' {where}")
    assert do("verify") == "the chain holds\n"
    assert "knows later events than the trail" in do("verify", "--anchor", str(file), expect=2)


def test_a_file_that_holds_no_anchor_of_the_brand_is_a_mistake(do, tmp_path) -> None:
    """OPS-10"""
    file = tmp_path / "anchors"
    file.write_text(f"other 1 {'0' * 64} 1 2026-01-01T00:00:00+00:00\n")
    assert "no anchor of facility" in do("verify", "--anchor", str(file), expect=2)
    file.write_text("something else\n")
    assert "no anchor: 'something else'" in do("verify", "--anchor", str(file), expect=2)
    file.write_bytes(b"PK\x03\x04\xff")
    assert f"{file} is not UTF-8" in do("verify", "--anchor", str(file), expect=2)
