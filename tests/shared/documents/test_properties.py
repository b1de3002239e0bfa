"""What a PDF says about itself, and what it brings along to be read anywhere (COM-70)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from pypdf import PdfReader

from portal.shared.documents.content import (
    Content,
    InvoiceContent,
    ReceiptContent,
    WorkReportContent,
)
from portal.shared.documents.pdf import render_document

CREATED = datetime(2026, 10, 31, tzinfo=UTC)


def read(kind: str, content: Content) -> PdfReader:
    return PdfReader(BytesIO(render_document(kind, content.to_json(), CREATED)))


def kinds(element: Any) -> Iterator[str]:
    """The kind of `element` and of all in it, in the order in which they are read."""
    element = element.get_object()
    yield str(element["/S"])
    for kid in element["/K"]:
        if not isinstance(kid, int):
            yield from kinds(kid)


def test_a_screen_reader_finds_headings_paragraphs_and_tables(
    invoice: InvoiceContent, work_report: WorkReportContent
) -> None:
    """COM-70: tagged PDF; a table on two pages has its head on both, the seal has words."""
    long = replace(invoice, lines=invoice.lines * 15)
    reader = read("invoice", long)
    root: Any = reader.root_object
    assert str(root["/MarkInfo"]["/Marked"]) == "True"
    tree = root["/StructTreeRoot"]
    found = list(kinds(tree["/K"]))
    assert found[:3] == ["/Document", "/H1", "/P"]
    assert found.count("/Table") == 3
    assert found.count("/TH") == 2 * 8 + 4
    assert found.count("/TR") == 30 + 3 + 3
    assert found.count("/TD") == 30 * 8 + 3 * 4
    assert found.count("/Figure") == 1
    report: Any = read("work_report", work_report).root_object["/StructTreeRoot"]
    assert list(kinds(report["/K"])).count("/H2") == 3


def test_each_piece_of_marked_text_belongs_to_one_element(invoice: InvoiceContent) -> None:
    """COM-70: numbers on the pages and numbers in the tree are the same ones; the foot has none."""
    reader = read("invoice", replace(invoice, lines=invoice.lines * 15))
    tree: Any = reader.root_object["/StructTreeRoot"]
    numbers = tree["/ParentTree"]["/Nums"]
    page: Any
    for index, page in enumerate(reader.pages):
        code = page.get_contents().get_data()
        marked = re.findall(rb"/MCID (\d+)>> BDC", code)
        owners = numbers[2 * index + 1].get_object()
        assert [int(number) for number in marked] == list(range(len(owners)))
        assert numbers[2 * index] == page["/StructParents"] == index
        for number, owner in enumerate(owners):
            assert number in owner.get_object()["/K"]
            assert owner.get_object()["/Pg"].get_object()["/StructParents"] == index
        assert code.count(b"/Artifact BMC") == 1
        assert code.count(b"EMC") == len(owners) + 1


def test_a_spaced_title_is_one_word_to_who_searches(
    invoice: InvoiceContent, work_report: WorkReportContent, receipt: ReceiptContent
) -> None:
    """COM-70: the room between the letters is no blank."""
    for kind, content, title in (
        ("invoice", invoice, "請求書"),
        ("credit_note", invoice, "返金明細書"),
        ("work_report", work_report, "作業完了報告書"),
        ("receipt", receipt, "領収書"),
    ):
        page = read(kind, content).pages[0]
        assert page.extract_text().split()[0] == title


def test_every_typeface_is_in_the_file(
    invoice: InvoiceContent, work_report: WorkReportContent, receipt: ReceiptContent
) -> None:
    """COM-70: nothing named that a reader would have to have, such as Helvetica; all can be searched."""
    many = replace(invoice, lines=invoice.lines * 15, remarks="備考")
    for kind, content in (("invoice", many), ("work_report", work_report), ("receipt", receipt)):
        for page in read(kind, content).pages:
            for name, entry in page["/Resources"]["/Font"].items():  # type: ignore[index]
                font = entry.get_object()
                assert "/FontFile2" in font["/FontDescriptor"].get_object(), name
                assert "/ToUnicode" in font


def test_the_file_describes_itself_to_archives(receipt: ReceiptContent) -> None:
    """COM-70, COM-72: title, issuer, dates and language as XMP, as the properties have them; sRGB."""
    issuer = replace(receipt.issuer, name="A&B <精機>")
    reader = read("receipt", replace(receipt, issuer=issuer))
    xmp = reader.xmp_metadata
    assert xmp is not None
    assert xmp.dc_title == {"x-default": "領収書 RC-2026-00077"}
    assert xmp.dc_creator == ["A&B <精機>"]
    assert xmp.dc_language == ["ja"]
    assert xmp.xmp_create_date == xmp.xmp_modify_date == CREATED.replace(tzinfo=None)
    assert reader.metadata is not None
    assert xmp.pdf_producer == reader.metadata.producer == "xhtml2pdf, ReportLab"
    assert xmp.xmp_creator_tool == reader.metadata.creator == "Portal"
    root = reader.root_object
    assert str(root["/Lang"]) == "ja"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"] is not None  # type: ignore[index]
    intent = root["/OutputIntents"][0]  # type: ignore[index]
    assert intent["/DestOutputProfile"].get_object().get_data()[36:40] == b"acsp"
