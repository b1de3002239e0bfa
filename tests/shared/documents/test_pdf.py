"""Documents as PDF (COM-70, COM-71): what can be read in them, and what making them may not do."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image
from pydantic import ValidationError
from pypdf import PdfReader

from portal.core.money import LARGEST
from portal.shared.billing.lines import BillLine
from portal.shared.documents.content import (
    Content,
    Correction,
    InvoiceContent,
    Party,
    ReceiptContent,
    WorkReportContent,
)
from portal.shared.documents.pdf import PdfFailed, render_document, render_pdf
from portal.shared.documents.typefaces import UndrawableText

KINDS: dict[type[Content], str] = {
    InvoiceContent: "invoice",
    WorkReportContent: "work_report",
    ReceiptContent: "receipt",
}
CREATED = datetime.fromisoformat("2026-10-31T09:00:00+09:00")


def drawn(content: Content) -> bytes:
    return render_document(KINDS[type(content)], content.to_json(), CREATED)


def pages(pdf: bytes) -> list[str]:
    """The text of each page without spaces and line ends, which layout scatters."""
    return ["".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def text(content: Content) -> str:
    return "".join(pages(drawn(content)))


def plain(html: str, assets: Path | None = None) -> bytes:
    return render_pdf(f"<body>{html}</body>", footer="", created=CREATED, assets=assets)


def test_an_invoice_says_what_a_qualified_invoice_must(invoice: InvoiceContent) -> None:
    """COM-71: issuer and T-number, date of the sale, marked lines, totals and tax per rate, recipient."""
    said = text(invoice)
    for fact in [
        "請求書番号INV-2026-00417",
        "株式会社みなと精機",
        "登録番号T7000012050002",
        "取引日2026年10月1日～2026年10月30日",
        "発行日2026年10月31日",
        "お支払期限2026年11月30日",
        "株式会社髙﨑精機製作所購買部𠮷田花子様",
        "来客用茶菓子※",
        "※印は軽減税率（8%）の対象品目です。",
        "10%対象38,4003,84042,240",
        "8%対象※6,4805186,998",
        "合計44,8804,358¥49,238",
        "¥49,238",
        "さくら坂銀行",
    ]:
        assert fact in said


def test_text_can_be_searched_also_in_characters_of_the_second_typeface(
    invoice: InvoiceContent,
) -> None:
    """COM-70: 𠮷 lies beyond 16 bits; a reader must find and copy it as itself."""
    assert "𠮷田花子様" in text(invoice)


def test_the_file_names_what_it_is_in_its_properties(invoice: InvoiceContent) -> None:
    info = PdfReader(BytesIO(drawn(invoice))).metadata
    assert info is not None
    assert (info.title, info.author) == ("請求書 INV-2026-00417", "株式会社みなと精機")
    assert info.creation_date == CREATED


def test_the_same_content_gives_the_same_bytes(invoice: InvoiceContent) -> None:
    """COM-72: so that a document can be proved to come from what it is said to come from."""
    assert drawn(invoice) == drawn(invoice)


def test_every_page_is_a4_and_numbered_and_repeats_the_heads(invoice: InvoiceContent) -> None:
    """COM-70: page n / m, and the table's head on each page that has lines."""
    lines = tuple(
        replace(invoice.lines[0], description=f"部品その{n} " + "長い仕様" * 20) for n in range(40)
    )
    pdf = drawn(replace(invoice, lines=lines))
    each = pages(pdf)
    assert len(each) > 2
    for number, page in enumerate(each, 1):
        assert f"{number}/{len(each)}ページ" in page
        assert "株式会社みなと精機請求書INV-2026-00417" in page
        assert ("No.納品日品名・仕様" in page) == ("部品その" in page)
    assert all(f"部品その{n}長い" in "".join(each) for n in range(40))
    sizes = {
        tuple(round(side) for side in page.mediabox[2:]) for page in PdfReader(BytesIO(pdf)).pages
    }
    assert sizes == {(595, 842)}


def test_a_single_page_is_one_of_one(invoice: InvoiceContent) -> None:
    assert "1/1ページ" in text(invoice)


def test_the_largest_amounts_are_not_broken(invoice: InvoiceContent) -> None:
    line = BillLine("大型五軸加工機", 1, "式", LARGEST, 10)
    said = drawn(replace(invoice, lines=(line, line)))
    words = PdfReader(BytesIO(said)).pages[0].extract_text().split()
    assert words.count("999,999,999,999") >= 4
    assert "¥2,199,999,999,997" in words


def test_numbers_and_words_in_a_narrow_column_stay_whole(invoice: InvoiceContent) -> None:
    line = replace(
        invoice.lines[0],
        description="ステンレス鋼板の切断加工と表面処理 図番 BR-20418-C 公差±0.02mm 1,234,567個",
    )
    words = (
        PdfReader(BytesIO(drawn(replace(invoice, lines=(line,))))).pages[0].extract_text().split()
    )
    assert any("BR-20418-C" in word for word in words)
    assert any("1,234,567個" in word for word in words)


def test_a_document_with_the_longest_names_is_still_one_page(invoice: InvoiceContent) -> None:
    long = Party(
        "国立研究開発法人" * 12,
        "御中",
        "144-0035",
        "北海道常呂郡佐呂間町" * 10,
        "調達部" * 20,
        "山田" * 20,
    )
    longest = replace(invoice, recipient=long, issuer=replace(invoice.issuer, name="みなと" * 30))
    assert len(pages(drawn(longest))) == 1


def test_a_simplified_invoice_bears_no_bank_account(invoice: InvoiceContent) -> None:
    """SHOP-42: the payment company sends the formal one."""
    said = text(replace(invoice, simplified=True))
    assert "請求書（簡易版）" in said
    assert "さくら坂銀行" not in said
    assert "お振込先" not in said


def test_a_discount_and_tax_included_prices_add_up_to_what_is_paid(invoice: InvoiceContent) -> None:
    lines = (BillLine("部品", 1, "式", 1595, 10), BillLine("茶", 1, "箱", 7398, 8, reduced=True))
    said = text(replace(invoice, lines=lines, discount=92, prices_include_tax=True))
    assert "金額（税込）" in said
    assert "お値引き−92" in said
    assert "10%対象1,4361431,579" in said
    assert "8%対象※6,7805427,322" in said
    assert "合計8,216685¥8,901" in said


def test_a_correction_names_what_it_replaces(invoice: InvoiceContent) -> None:
    """COM-72: a correction is a new document that refers to the old one."""
    said = text(
        replace(invoice, corrects=Correction("INV-2026-00398", date(2026, 10, 30), "数量の誤り"))
    )
    assert "2026年10月30日発行の請求書（INV-2026-00398）を訂正し" in said
    assert "訂正の理由：数量の誤り" in said


def test_a_work_report_says_what_was_done_by_whom_and_how_long(
    work_report: WorkReportContent,
) -> None:
    """FAC-04, FAC-12; times are Tokyo's."""
    said = text(work_report)
    for fact in [
        "作業完了報告書",
        "予約番号FR00001234",
        "五軸加工機（第2試作室）",
        "2026年10月30日9:00～2026年10月30日17:30（8時間30分）",
        "佐藤一郎、𠮷野次郎",
        "治具を取り付け、試作品を加工しました。",
        "4時間30分",
        "合計7時間30分",
        "超硬エンドミル2本",
        "治具の再校正をおすすめします。",
    ]:
        assert fact in said


def test_a_receipt_says_how_it_was_paid_and_when_it_is_a_second_one(
    receipt: ReceiptContent,
) -> None:
    first, second = text(receipt), text(replace(receipt, issue=2))
    assert "領収書番号RC-2026-00077" in first
    assert "¥49,238" in first
    assert "部品代として" in first
    assert "クレジットカード利用" in first
    assert "再発行" not in first
    assert "（再発行）" in second
    assert "クレジットカード利用" not in text(replace(receipt, by_card=False))


def test_what_a_customer_typed_is_text_and_never_markup(invoice: InvoiceContent) -> None:
    line = replace(invoice.lines[0], description='<img src="file:///etc/passwd"><b>太字</b>&amp;')
    assert '<imgsrc="file:///etc/passwd"><b>太字</b>&amp;' in text(replace(invoice, lines=(line,)))


@pytest.mark.parametrize("char", ["\U0001f600", "\U000323af", "\ue000", "\x07"])
def test_a_character_that_no_typeface_draws_is_refused(invoice: InvoiceContent, char: str) -> None:
    """COM-70: never a blank on a document."""
    with pytest.raises(UndrawableText, match=f"U\\+{ord(char):04X}"):
        drawn(replace(invoice, subject=f"部品{char}"))
    with pytest.raises(UndrawableText):
        plain(f"部品{char}")
    with pytest.raises(UndrawableText):
        drawn(replace(invoice, issuer=replace(invoice.issuer, seal=f"印{char}")))


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "../../../../../../etc/passwd",
        "http://127.0.0.1:9/logo.png",
        "https://example.com/logo.png",
        "ftp://example.com/logo.png",
    ],
)
def test_nothing_is_read_from_the_machine_or_the_network(source: str, tmp_path: Path) -> None:
    """security.md §4.23: no remote, no file outside the assets, and no document that hides that it tried."""
    for html in (f'<img src="{source}">', f'<div style="background-image: url({source})">x</div>'):
        with pytest.raises(PdfFailed, match="not to be read"):
            plain(html)
        with pytest.raises(PdfFailed, match="not to be read"):
            plain(html, assets=tmp_path)


def test_a_picture_that_is_missing_is_never_left_out_silently(tmp_path: Path) -> None:
    with pytest.raises(PdfFailed, match=r"missing\.png"):
        plain('<img src="missing.png">', assets=tmp_path)


def test_a_link_out_of_the_assets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logo.png").symlink_to("/etc/passwd")
    with pytest.raises(PdfFailed, match="not to be read"):
        plain('<img src="logo.png">', assets=tmp_path)


def test_a_picture_among_the_assets_is_drawn(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "logo.png")
    made = plain('<img src="logo.png">', assets=tmp_path)
    assert len(PdfReader(BytesIO(made)).pages[0].images) == 1


def test_a_picture_that_would_fill_the_memory_is_refused() -> None:
    huge = BytesIO()
    Image.new("1", (9000, 9000)).save(huge, "PNG")
    source = base64.b64encode(huge.getvalue()).decode()
    made = plain(f'<img src="data:image/png;base64,{source}">x')
    assert not PdfReader(BytesIO(made)).pages[0].images


def test_a_document_nested_beyond_reason_is_abandoned() -> None:
    with pytest.raises(PdfFailed):
        plain("<div>" * 500 + "x" + "</div>" * 500)


def test_documents_made_at_once_do_not_mix(
    invoice: InvoiceContent, receipt: ReceiptContent
) -> None:
    made: dict[int, bytes] = {}

    def make(place: int, content: Content) -> None:
        made[place] = drawn(content)

    contents: list[Content] = [invoice, receipt, invoice, receipt]
    threads = [Thread(target=make, args=job) for job in enumerate(contents)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0] == made[2] == drawn(invoice)
    assert made[1] == made[3] == drawn(receipt)


def test_content_comes_back_from_json_as_it_was(
    invoice: InvoiceContent, work_report: WorkReportContent, receipt: ReceiptContent
) -> None:
    """COM-72: an issued document keeps what it was made from."""
    corrected = replace(invoice, corrects=Correction("INV-1", date(2026, 10, 1)))
    for content in (invoice, corrected, work_report, receipt):
        assert type(content).from_json(content.to_json()) == content


def test_content_of_another_kind_or_with_a_bad_colour_or_number_is_refused(
    invoice: InvoiceContent,
) -> None:
    with pytest.raises(ValidationError):
        render_document("receipt", invoice.to_json(), CREATED)
    with pytest.raises(ValidationError):
        drawn(replace(invoice, issuer=replace(invoice.issuer, accent="red;} @import 'x'")))
    with pytest.raises(ValidationError):
        drawn(replace(invoice, issuer=replace(invoice.issuer, registration_number="T123")))
    with pytest.raises(KeyError):
        render_document("../layouts/base", {}, CREATED)
