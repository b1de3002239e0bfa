"""Where a document's pages end (COM-70): looked at over every number of lines that once went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO

import pytest
from pypdf import PdfReader

from portal.shared.billing.lines import BillLine
from portal.shared.documents.content import (
    InvoiceContent,
    Labour,
    Material,
    Party,
    WorkReportContent,
)
from portal.shared.documents.pdf import render_document

COUNTS = {
    "invoice": [1, 15, 16, 18, 19, 20, 21, 53, 55, 56, 57, 58],
    "credit_note": [18, 20, 21, 22, 54, 57],
}
"""Numbers of lines: where the first and the second page run over."""

POINTS_A_MILLIMETRE = 72 / 25.4
FOOT = 17 * POINTS_A_MILLIMETRE
FILLED_TO = 235 * POINTS_A_MILLIMETRE
"""How far down (from the lower edge) the last page is printed at least."""


def pages(kind: str, content: InvoiceContent | WorkReportContent) -> list[str]:
    """The text of each page without blanks."""
    made = render_document(kind, content.to_json(), datetime(2026, 10, 31, tzinfo=UTC))
    return ["".join(page.extract_text().split()) for page in PdfReader(BytesIO(made)).pages]


def lowest_print(kind: str, content: InvoiceContent | WorkReportContent) -> tuple[int, float]:
    """How many pages there are, and how high over the last one's lower edge its lowest text stands,
    the foot left out.
    """
    made = render_document(kind, content.to_json(), datetime(2026, 10, 31, tzinfo=UTC))
    heights: list[float] = []

    def visit(text: str, matrix: list[float], place: list[float], *_font: object) -> None:
        height = place[4] * matrix[1] + place[5] * matrix[3] + matrix[5]
        if text.strip() and height > FOOT:
            heights.append(height)

    reader = PdfReader(BytesIO(made))
    reader.pages[-1].extract_text(visitor_text=visit)
    return len(reader.pages), min(heights)


def of_lines(invoice: InvoiceContent, count: int) -> InvoiceContent:
    return replace(invoice, lines=tuple(invoice.lines[n % 2] for n in range(count)))


def where(found: Iterable[str], pattern: str) -> list[int]:
    """On which pages `pattern` is."""
    return [number for number, page in enumerate(found, 1) if re.search(pattern, page)]


def assert_whole_totals(found: list[str], rates: Iterable[str]) -> None:
    """The totals stand once, with their head and all rates, on the last page, below lines."""
    places = [where(found, "区分対価"), where(found, r"合計[\d,]+¥")]
    places += [where(found, rate) for rate in rates]
    assert places == [[len(found)]] * len(places)
    assert "No." in found[-1]


@pytest.mark.parametrize("kind", COUNTS)
def test_totals_stay_in_one_piece_with_lines_above_them(invoice: InvoiceContent, kind: str) -> None:
    """COM-70, COM-71: with any number of lines, and never a last page of a bank account alone."""
    remarks = "返還の理由：数量の誤り" if kind == "credit_note" else ""
    for count in COUNTS[kind]:
        found = pages(kind, replace(of_lines(invoice, count), remarks=remarks))
        rates = ["10%対象", "8%対象※"] if count > 1 else ["10%対象"]
        assert_whole_totals(found, rates)
        assert where(found, remarks or "お振込先") == [len(found)]


def test_totals_stay_whole_below_lines_of_several_rows_and_above_remarks(
    invoice: InvoiceContent,
) -> None:
    """COM-70: long descriptions, a longer bank account and remarks, each of which moves the pages' ends."""
    long = replace(
        invoice.lines[0], description="精密切削ブラケット " + "材質と表面処理の指定 " * 4
    )
    bank = "さくら坂銀行　梅田支店　普通 1234567\n口座名義　カ）ミナトセイキ"
    for count in range(7, 13):
        content = replace(
            invoice,
            lines=(*[long] * count, *invoice.lines),
            issuer=replace(invoice.issuer, bank=bank),
            remarks="納品書を同封しました。\nご確認ください。",
        )
        found = pages("invoice", content)
        assert_whole_totals(found, ["10%対象", "8%対象※"])
        assert where(found, "お振込先.*備考納品書") == [len(found)]


def test_a_work_report_has_no_last_page_with_next_to_nothing_on_it(
    work_report: WorkReportContent,
) -> None:
    """COM-70, FAC-12: a remark alone is carried over with what stands above it."""
    for count in [11, 12, 13, 14, 15, 48]:
        content = replace(
            work_report,
            labour=(Labour("佐藤 一郎", date(2026, 10, 30), 270),) * ((count + 1) // 2),
            materials=(Material("超硬エンドミル", "2", "本"),) * (count // 2),
        )
        number, lowest = lowest_print("work_report", content)
        assert number == 1 or lowest < FILLED_TO, count


def test_a_table_leaves_neither_its_sum_nor_one_line_alone_on_a_page(
    work_report: WorkReportContent,
) -> None:
    """COM-70: 合計 with at least one row above it, a head with at least two rows below."""
    for count in (16, 17, 18, 19):
        labour = (Labour("佐藤 一郎", date(2026, 10, 30), 270),) * count
        for page in pages("work_report", replace(work_report, labour=labour)):
            for rows in re.findall(r"作業日作業者時間(.*?)(?:使用|株式会社みなと)", page):
                assert rows.count("佐藤一郎") >= (1 if "合計" in rows else 2)


def test_a_head_is_never_the_last_of_its_page(work_report: WorkReportContent) -> None:
    """COM-70: 使用材料 with its table, 作業時間 with its table."""
    for count in range(26, 34, 2):
        text = "\n".join(["治具を取り付けました。"] * count)
        for page in pages("work_report", replace(work_report, work=text)):
            assert not re.search("(作業内容|作業時間|使用材料)株式会社", page), count


def test_long_remarks_go_on_over_pages_and_what_fits_no_page_is_still_drawn(
    invoice: InvoiceContent, work_report: WorkReportContent
) -> None:
    """COM-70: whatever is typed, the document comes and says all of it."""
    remarks = "\n".join(f"備考{n}。" for n in range(150))
    found = pages("invoice", replace(invoice, remarks=remarks))
    assert all(f"備考{n}。" in "".join(found) for n in range(150))
    assert "お振込先" in found[0]
    huge = replace(invoice.lines[0], description="長い仕様" * 1500)
    found = pages("invoice", replace(invoice, lines=(huge, *invoice.lines)))
    assert "".join(found).count("長い仕様") == 1500
    bank = "\n".join(f"支店{n}" for n in range(70))
    found = pages("invoice", replace(invoice, issuer=replace(invoice.issuer, bank=bank)))
    assert all(f"支店{n}" in "".join(found) for n in range(70))
    found = pages("work_report", replace(work_report, work="作業をしました。" * 1500))
    text = "".join(re.sub(r"株式会社みなと精機作業完了報告書WR.*", "", page) for page in found)
    assert text.count("作業をしました。") == 1500


def test_the_longest_names_push_lines_over_but_no_totals_apart(invoice: InvoiceContent) -> None:
    """COM-70."""
    long = Party("国立研究開発法人" * 12, address="北海道常呂郡佐呂間町" * 10)
    for count in (8, 10, 12):
        found = pages("invoice", replace(of_lines(invoice, count), recipient=long))
        assert_whole_totals(found, ["10%対象", "8%対象※"])


def test_hundreds_of_lines_are_all_drawn_and_in_order(invoice: InvoiceContent) -> None:
    """COM-70: none is lost or doubled where a page ends."""
    lines = tuple(BillLine(f"部品{n}", 1, "個", 100, 10) for n in range(250))
    found = pages("invoice", replace(invoice, lines=lines))
    assert_whole_totals(found, ["10%対象"])
    printed = [int(number) for page in found for number in re.findall(r"部品(\d+)1個", page)]
    assert printed == list(range(250))
