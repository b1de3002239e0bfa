"""What commands print (OPS-10)."""

from __future__ import annotations

import json
from datetime import date

import pytest
from rich.cells import cell_len

from portal.cli.command_line import CommandError
from portal.cli.output import fail, table


def test_a_table_folds_long_cells_within_80_columns_and_loses_nothing(capsys) -> None:
    """OPS-10."""
    long = "株式会社高崎精機製作所" * 12
    table(["number", "name", "total"], [["FR000001", long, 12345], ["FR000002", "短い", None]])
    out = capsys.readouterr().out
    assert max(map(cell_len, out.splitlines())) <= 80
    assert "".join(out.split()).count("精") == 12
    assert "\x1b" not in out


def test_numbers_instants_and_headings_are_never_broken_in_two(capsys) -> None:
    """OPS-10: what is copied from a table is whole; long text makes the room."""
    columns = ["number", "facility", "starts", "status", "total", "since", "customer", "awaits"]
    row = ["FR000001", "三次元測定室A（大型）", "2026-12-10 13:00", "受付済", 11550, "2026-11-30"]
    row += ["株式会社高崎精機製作所", "請求確定"]
    table(columns, [row, row])
    out = capsys.readouterr().out
    assert max(map(cell_len, out.splitlines())) <= 80
    for whole in ("FR000001", "2026-12-10", "13:00", "2026-11-30", "11550", *columns):
        assert whole in out, out


def test_a_terminal_too_narrow_for_a_table_gets_a_record_a_row(capsys, monkeypatch) -> None:
    """OPS-10."""
    monkeypatch.setenv("COLUMNS", "50")
    columns = ["number", "facility", "starts", "status", "total", "since"]
    table(columns, [["FR000001", "三次元測定室A", "2026-12-10 13:00", "受付済", 11550, None]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["number", "FR000001"]
    assert lines[2].split() == ["starts", "2026-12-10", "13:00"]
    assert len(lines) == len(columns) + 1


def test_json_keeps_types_and_japanese(capsys) -> None:
    """OPS-10."""
    table(
        ["name", "on", "total", "none"], iter([["工房", date(2026, 11, 22), 5, None]]), as_json=True
    )
    out = capsys.readouterr().out
    assert "工房" in out
    assert json.loads(out) == [{"name": "工房", "on": "2026-11-22", "total": 5, "none": None}]


def test_what_customers_typed_cannot_steer_the_terminal(capsys) -> None:
    table(["name"], [["a\x1b[2Jb\x07\x9b31m\u202ec"], ["[red]as typed[/red]"]])
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\x07\x9b\u202e")
    assert "[red]as typed[/red]" in out


def test_numbers_stand_right_and_truth_is_a_word(capsys) -> None:
    table(["total", "open"], [[5, True], [12345, False]])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[2:]] == [["5", "yes"], ["12345", "no"]]
    assert lines[2].startswith("    5")


def test_a_failure_is_one_line_and_exit_code_2() -> None:
    """OPS-10."""
    with pytest.raises(CommandError) as failed:
        fail("first\nsecond \x1b[31m")
    assert failed.value.exit_code == 2
    assert failed.value.message == "first second �[31m"
