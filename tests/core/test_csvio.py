"""Files out and in: COM-21 (Excel opens them right), OPS-12 (every bad line is named, all or nothing)."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import text
from portal.core.csvio import (
    CsvErrors,
    Encoding,
    Row,
    RowError,
    collect,
    guard,
    read_csv,
    unguard,
    write_csv,
)
from portal.core.errors import RuleBroken

HEADER = ["予約番号", "設備"]


def written(*rows: list[object], encoding: Encoding = "utf-8-sig") -> bytes:
    return b"".join(write_csv(rows, HEADER, encoding))


def mistakes_of(data: bytes) -> list[str]:
    with pytest.raises(CsvErrors) as refused:
        list(read_csv(data, HEADER))
    return [str(mistake) for mistake in refused.value.mistakes]


# Out


def test_excel_recognises_utf8_by_its_mark_and_gets_its_own_line_ends() -> None:
    assert written(["R-1", "旋盤"]) == "\ufeff予約番号,設備\r\nR-1,旋盤\r\n".encode()


def test_an_empty_list_has_a_header() -> None:
    assert written() == "\ufeff予約番号,設備\r\n".encode()


def test_cp932_writes_what_it_cannot_hold_as_geta() -> None:
    out = write_csv([["R-1", "𠮷野家具と😀"]], HEADER, "cp932")
    assert b"".join(out).decode("cp932") == "予約番号,設備\r\nR-1,〓野家具と〓\r\n"


def test_cp932_knows_tildes_minus_signs_and_yen_by_other_code_points() -> None:
    out = write_csv([["1〜2", "−3¥—‖"]], HEADER, "cp932")
    assert "1～2,－3￥" in b"".join(out).decode("cp932")


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'=", "''-"]
)
def test_a_cell_that_a_spreadsheet_would_run_is_guarded_and_survives_a_round_trip(
    start: str,
) -> None:
    """security.md §4.24: = + - @ tab CR LF, in either width."""
    harmful = f"{start}HYPERLINK(1)"
    data = written(["R-1", harmful])
    cells = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert cells[1][1] == f"'{harmful}"
    assert [row.values["設備"] for row in read_csv(data, HEADER)] == [harmful]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-5, "-5"),
        (Decimal("-1.50"), "-1.50"),
        (0, "0"),
        (None, ""),
        (True, "1"),
        (date(2026, 11, 22), "2026/11/22"),
        (datetime(2026, 11, 21, 15, 30, tzinfo=UTC), "2026/11/22 00:30"),
        ("'引用", "'引用"),
        ("a=b", "a=b"),
    ],
)
def test_numbers_and_dates_are_written_as_a_spreadsheet_reads_them(
    value: object, shown: str
) -> None:
    assert written(["R-1", value]).decode("utf-8-sig").splitlines()[1] == f"R-1,{shown}"


@given(st.text())
def test_the_guard_comes_off_again(cell: str) -> None:
    assert unguard(guard(cell)) == cell


@given(st.lists(st.tuples(st.text(), st.text(min_size=1)), max_size=5))
def test_what_was_written_is_read_back(rows: list[tuple[str, str]]) -> None:
    rows = [
        (first.replace("\x00", "").strip() + "x", second.replace("\x00", ""))
        for first, second in rows
    ]
    storable = [row for row in rows if not any("\ud800" <= c <= "\udfff" for c in "".join(row))]
    data = b"".join(write_csv(storable, HEADER))
    assert [tuple(row.values.values()) for row in read_csv(data, HEADER)] == storable


def test_a_long_list_is_streamed_as_it_is_asked_for() -> None:
    asked = []

    def rows() -> Iterator[list[object]]:
        for number in range(50_000):
            asked.append(number)
            yield [number, "設備"]

    out = write_csv(rows(), HEADER)
    assert asked == []
    next(out)
    assert len(asked) < 10_000


def test_a_long_list_needs_no_memory() -> None:
    """COM-21: every list downloads as CSV and survives a million rows."""
    tracemalloc.start()
    try:
        for _ in write_csv((["R-1", "設備"] for _ in range(50_000)), HEADER):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


# In


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_the_encoding_is_found_out(encoding: str) -> None:
    data = "予約番号,設備\r\nR-1,旋盤\r\n".encode(encoding)
    assert list(read_csv(data, HEADER)) == [Row(2, {"予約番号": "R-1", "設備": "旋盤"})]


def test_a_file_on_disk_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "reservations.csv"
    path.write_bytes(written(["R-1", "旋盤"]))
    assert [row.values["予約番号"] for row in read_csv(path, HEADER)] == ["R-1"]


def test_columns_may_stand_in_any_order_and_optional_ones_may_be_missing() -> None:
    rows = list(
        read_csv("設備,予約番号\n旋盤,R-1\n".encode(), [*HEADER, "備考"], optional=["備考"])
    )
    assert rows[0].values == {"予約番号": "R-1", "設備": "旋盤", "備考": ""}


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    data = '予約番号,設備\n\nR-1,"二行の\n設備"\n,\nR-2,旋盤\n'.encode()
    assert [row.line for row in read_csv(data, HEADER)] == [3, 6]


def test_a_misspelt_column_is_told_with_the_one_that_was_meant() -> None:
    found = mistakes_of("予約番,設備\nR-1,旋盤\n".encode())
    assert found[0] == "1行目「予約番」: この列は知りません。「予約番号」のことでしょうか。"
    assert found[1] == "1行目「予約番号」: この列がありません。"


def test_unknown_and_doubled_columns_are_told() -> None:
    found = mistakes_of("予約番号,設備,設備,zzz\n".encode())
    assert found == [
        "1行目「設備」: 同じ列が2つ以上あります。",
        "1行目「zzz」: この列は知りません。使える列: 予約番号、設備",
    ]


def test_an_empty_file_lacks_its_columns() -> None:
    assert len(mistakes_of(b"")) == 2


@pytest.mark.parametrize(
    "data", ["予約番号,設備\n".encode("utf-16"), "予約番号,設備\n".encode() + b"R-1,\x81\x00\xff\n"]
)
def test_what_is_neither_utf8_nor_cp932_is_refused_with_a_remedy(data: bytes) -> None:
    (found,) = mistakes_of(data)
    assert "UTF-8" in found


def test_the_undecodable_line_is_named() -> None:
    (found,) = mistakes_of("予約番号,設備\nR-1,旋盤\n".encode("cp932") + b"R-2,\x81\x20\n")
    assert found.startswith("3行目")


def test_every_record_of_the_wrong_length_is_named() -> None:
    found = mistakes_of("予約番号,設備\nR-1\nR-2,旋盤\nR-3,旋盤,余り\n".encode())
    assert found == [
        "2行目: 列の数が1です。見出しは2列です。",
        "4行目: 列の数が3です。見出しは2列です。",
    ]


@pytest.mark.parametrize("data", ['予約番号,設備\nR-1,"閉じない\n', '予約番号,"設備'])
def test_an_open_quote_is_named(data: str) -> None:
    (found,) = mistakes_of(data.encode())
    assert "CSVとして読めません" in found


# All or nothing


def parse(row: Row) -> str:
    number = row.values["予約番号"]
    if not number.startswith("R-"):
        raise RuleBroken(
            "予約番号「%(number)s」は R- で始まります。", field="予約番号", number=number
        )
    return number + row.take("設備", text.katakana)


def test_good_rows_are_all_parsed() -> None:
    data = written(["R-1", "センバン"], ["R-2", "プレス"])
    assert collect(read_csv(data, HEADER), parse) == ["R-1センバン", "R-2プレス"]


def test_every_bad_line_is_named_and_nothing_is_taken() -> None:
    """OPS-12: names each bad line, all or nothing."""
    data = "予約番号,設備\nR-1,センバン\nX-2,センバン\nR-3\nR-4,旋盤\n".encode()
    with pytest.raises(CsvErrors) as refused:
        collect(read_csv(data, HEADER), parse)
    assert refused.value.mistakes == (
        RowError(3, "予約番号", "予約番号「X-2」は R- で始まります。"),
        RowError(4, None, "列の数が1です。見出しは2列です。"),
        RowError(5, "設備", "カタカナで入力してください。"),
    )


def test_a_programming_mistake_is_not_taken_for_a_bad_line() -> None:
    def broken(_row: Row) -> str:
        raise ValueError("not about the file")

    with pytest.raises(ValueError, match="not about the file"):
        collect(read_csv(written(["R-1", "旋盤"]), HEADER), broken)
