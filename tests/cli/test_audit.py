"""`flask audit`: who did what, and whether the trail is whole (COM-90)."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from tests.support.raw import superuser

KEYS = ["#", "at", "who", "action", "subject", "changes"]


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
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_event'"
            ).fetchall():
                raw.execute(f"DROP TRIGGER {trigger}")
        else:
            raw.execute("ALTER TABLE audit_event DISABLE TRIGGER ALL")
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
            15,
        ),
    ],
    ids=["altered", "the first altered", "taken out", "the end cut off"],
)
def test_a_trail_that_was_tampered_with_is_told_with_the_place_and_exit_code_2(
    do, run, app, statement: str, at: int
) -> None:
    """COM-90, OPS-10: one line; the other brand's trail still holds."""
    tamper(app, statement)
    assert do("verify", expect=2) == f"Error: the chain is broken at event {at}, 1 places in all\n"
    assert run.invoke(args=["audit", "verify", "--tenant", "studio"]).exit_code == 0
