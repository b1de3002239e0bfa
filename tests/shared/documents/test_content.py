"""What documents say, as values: kept as JSON, reckoned, refused when they are something else (COM-71, COM-72)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from pypdf import PdfReader

from portal.core.errors import RuleBroken
from portal.shared.billing import lines as bill_lines
from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import Rounding, totals_excluded, totals_included
from portal.shared.documents.content import (
    InvoiceContent,
    Issuer,
    Labour,
    Party,
    ReceiptContent,
    WorkReportContent,
)
from portal.shared.documents.pdf import render_document
from portal.shared.documents.setting import (
    FRAME,
    GAP,
    INK,
    SIDE,
    day,
    fit,
    moment,
    paragraphs,
    seal,
    tint,
)
from portal.shared.documents.typefaces import UndrawableText

LINES = st.lists(
    st.builds(
        BillLine,
        st.text(max_size=20),
        st.integers(0, 1_000),
        st.sampled_from(["個", "時間", ""]),
        st.integers(0, 10_000_000),
        st.sampled_from([0, 8, 10]),
        st.booleans(),
        st.none() | st.dates(),
    ),
    max_size=8,
).map(tuple)


@given(
    lines=LINES,
    rounding=st.sampled_from(Rounding),
    included=st.booleans(),
    remarks=st.text(max_size=30),
)
@settings(max_examples=50)
def test_every_invoice_comes_back_from_a_json_column_with_the_same_totals(
    lines: tuple[BillLine, ...], rounding: Rounding, included: bool, remarks: str
) -> None:
    """COM-72: what is kept is what was issued, to the last character and yen."""
    made = InvoiceContent(
        number="",
        issued_on=date(2026, 10, 31),
        traded_on=date(2026, 10, 1),
        recipient=Party("一番"),
        issuer=Issuer("試験"),
        lines=lines,
        rounding=rounding,
        prices_include_tax=included,
        remarks=remarks,
    )
    kept = InvoiceContent.from_json(json.loads(json.dumps(made.to_json())))
    assert kept == made
    assert kept.totals == made.totals
    assert kept.totals.total == sum(rate.gross for rate in kept.totals.per_rate)
    assert all(rate.net + rate.tax == rate.gross for rate in kept.totals.per_rate)
    assert bill_lines.from_json(bill_lines.to_json(lines)) == list(lines)


def test_totals_follow_whether_prices_include_tax_and_the_discount(invoice: InvoiceContent) -> None:
    """COM-71: one rule for documents and for billing."""
    taxed = [line.tax_line for line in invoice.lines]
    assert invoice.totals == totals_excluded(taxed)
    included = replace(invoice, prices_include_tax=True, discount=100, rounding=Rounding.UP)
    assert included.totals == totals_included(taxed, Rounding.UP, 100)
    with pytest.raises(RuleBroken):
        _ = replace(invoice, discount=44_881).totals


def test_only_reduced_rates_are_explained(invoice: InvoiceContent) -> None:
    """COM-71: the ※ stands for 軽減税率, not for any 8%."""
    assert [(rate.rate, rate.net) for rate in invoice.reduced_rates] == [(8, 6_480)]
    assert replace(invoice, lines=(BillLine("旧税率", 1, "式", 100, 8),)).reduced_rates == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda kept: kept["issuer"].update(registration_number="T123"), "registration_number"),
        (
            lambda kept: kept["issuer"].update(registration_number="7000012050002"),
            "registration_number",
        ),
        (lambda kept: kept["issuer"].update(accent="red"), "accent"),
        (lambda kept: kept.update(rounding="nearest"), "rounding"),
        (lambda kept: kept.update(issued_on="2026-02-30"), "issued_on"),
        (lambda kept: kept.pop("recipient"), "recipient"),
        (lambda kept: kept["lines"][0].update(unit_price="many"), "unit_price"),
    ],
)
def test_what_is_not_an_invoice_is_refused_with_the_place(
    invoice: InvoiceContent, change: Callable[[dict[str, Any]], Any], place: str
) -> None:
    """COM-72."""
    kept = invoice.to_json()
    change(kept)
    with pytest.raises(ValidationError, match=place):
        InvoiceContent.from_json(kept)


def test_a_work_report_reckons_minutes_and_tokyo_time(work_report: WorkReportContent) -> None:
    """FAC-12: seconds are not counted; nobody's work is zero."""
    assert work_report.used_minutes == 510
    assert work_report.labour_minutes == 450
    assert replace(work_report, labour=()).labour_minutes == 0
    assert [f"{at:%d %H:%M}" for at in work_report.used] == ["30 09:00", "30 17:30"]
    late = replace(work_report, used_until=datetime(2026, 10, 30, 15, 0, 59, tzinfo=UTC))
    assert (late.used[1].day, late.used_minutes) == (31, 900)
    naive = work_report.to_json() | {"used_from": "2026-10-30T00:00:00"}
    with pytest.raises(ValidationError, match="used_from"):
        WorkReportContent.from_json(naive)
    assert WorkReportContent.from_json(work_report.to_json()).labour[0] == Labour(
        "佐藤 一郎", date(2026, 10, 30), 270
    )


def test_a_receipt_keeps_its_totals_as_they_were_reckoned(receipt: ReceiptContent) -> None:
    """COM-72: it says again what was paid, whatever the rules have become."""
    assert ReceiptContent.from_json(receipt.to_json()).totals == receipt.totals
    assert receipt.totals.total == 49_238


def test_days_and_moments_are_written_as_people_write_them() -> None:
    """COM-70: without leading zeros but in minutes."""
    assert day(date(2026, 1, 2)) == "2026年1月2日"
    assert moment(datetime(2026, 1, 2, 9, 5, tzinfo=UTC)) == "2026年1月2日 9:05"


def test_free_text_keeps_its_lines_and_stays_text() -> None:
    """COM-70: empty lines are room; what looks like markup is shown as it is."""
    assert (
        paragraphs("\r\n 一\r\n\r\n<b>二</b>\n")
        == "<p>一</p><p>&nbsp;</p><p>&lt;b&gt;二&lt;/b&gt;</p>"
    )
    assert paragraphs("𠮷") == '<p><span class="notojp">𠮷</span></p>'


def test_only_what_is_too_wide_is_set_smaller_and_never_as_markup() -> None:
    """COM-70: a long number does not overprint its neighbour."""
    assert fit("1,000", 20) == "1,000"
    small = fit("<999,999,999,999>" * 2, 20)
    assert small.startswith('<span style="font-size: ')
    assert "&lt;999" in small
    size = float(small.partition(": ")[2].partition("pt")[0])
    assert 2 < size < 8.5
    assert float(
        fit("<999,999,999,999>" * 4, 20).partition(": ")[2].partition("pt")[0]
    ) == pytest.approx(size / 2, abs=0.06)


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True), st.floats(0, 1))
@settings(max_examples=50)
def test_a_tint_lies_between_white_and_the_colour(colour: str, strength: float) -> None:
    parts = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    made = [int(tint(colour, strength)[n : n + 2], 16) for n in (1, 3, 5)]
    assert all(part <= mixed <= 255 for part, mixed in zip(parts, made, strict=True))
    assert (tint(colour, 0), tint(colour, 1)) == ("#ffffff", colour)


def stamped(text: str) -> Image.Image:
    """The picture of a seal."""
    head, _comma, data = seal(text).partition(",")
    assert head == "data:image/png;base64"
    return Image.open(BytesIO(base64.b64decode(data))).convert("RGB")


@pytest.mark.parametrize(
    "text", ["印", "大森", "株式会社みなと精機之印", "𠮷﨑製作所之印", "株 式　会社"]
)
def test_a_seal_is_square_framed_and_full_of_its_characters(text: str) -> None:
    """COM-70: red on white, something in each quarter."""
    image = stamped(text)
    assert image.size == (SIDE, SIDE)
    assert image.getpixel((2, 2)) == INK
    half = SIDE // 2
    for left in (0, half):
        for top in (0, half):
            inner = (
                image.crop((left, top, left + half, top + half))
                .resize((32, 32))
                .crop((6, 6, 26, 26))
            )
            assert sum(green < 160 for green in inner.tobytes()[1::3]) > 8


def test_no_letter_of_a_seal_is_stretched() -> None:
    """COM-70: where columns are of different length, each letter keeps its proportions and size."""
    edge = FRAME + GAP

    def size(image: Image.Image, box: tuple[int, int, int, int]) -> tuple[int, int]:
        red = image.crop(box).convert("L").point([255] * 200 + [0] * 56)
        left, top, right, bottom = red.getbbox() or (0, 0, 0, 0)
        return right - left, bottom - top

    inner = SIDE - 2 * edge
    alone = size(stamped("口"), (edge, edge, SIDE - edge, SIDE - edge))
    eleven = stamped("口" * 11)
    third = inner // 3
    short = size(eleven, (edge, edge, edge + third, edge + third))
    long = size(eleven, (edge + 2 * third, edge, SIDE - edge, edge + inner // 4))
    assert short == pytest.approx(long, abs=2)
    for width, height in (short, long):
        assert width / height == pytest.approx(alone[0] / alone[1], rel=0.06)


def test_different_seals_look_different_and_the_same_ones_alike() -> None:
    """COM-72: the same content gives the same bytes."""
    assert seal("大森之印") == seal("大森 之印")
    assert seal("大森之印") != seal("大林之印")
    with pytest.raises(UndrawableText):
        seal("印\U0001f600")


def test_the_seal_stands_on_the_document_where_the_issuer_has_one(invoice: InvoiceContent) -> None:
    """COM-70."""

    def pictures(content: InvoiceContent) -> int:
        made = render_document("invoice", content.to_json(), datetime(2026, 10, 31, tzinfo=UTC))
        return len(PdfReader(BytesIO(made)).pages[0].images)

    assert pictures(invoice) == 1
    assert pictures(replace(invoice, issuer=replace(invoice.issuer, seal=""))) == 0
