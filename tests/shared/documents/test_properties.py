"""What a PDF says about itself, and what it brings along to be read anywhere (COM-70)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

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
