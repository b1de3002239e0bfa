"""What documents print of the law and of the trade (COM-70, COM-71)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import cast

import pytest
from pypdf import PdfReader

from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import totals_excluded
from portal.shared.documents.content import Content, InvoiceContent, ReceiptContent, Untaxed
from portal.shared.documents.pdf import render_document
from portal.shared.documents.setting import days, pdf_environment, quantity

CREATED = datetime(2026, 10, 31, tzinfo=UTC)


def read(kind: str, content: Content) -> PdfReader:
    return PdfReader(BytesIO(render_document(kind, content.to_json(), CREATED)))


def text(kind: str, content: Content) -> str:
    """All text of the document without blanks."""
    return "".join("".join(page.extract_text().split()) for page in read(kind, content).pages)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (3, "3"),
        (12800, "12,800"),
        (0, "0"),
        (-3, "−3"),
        (Decimal("1.5"), "1.5"),
        (Decimal("1.50"), "1.5"),
        (Decimal("0.25"), "0.25"),
        (Decimal("2.000"), "2"),
        (Decimal("1E+3"), "1,000"),
        (Decimal("1234.5"), "1,234.5"),
        (Decimal("-0.5"), "−0.5"),
    ],
)
def test_a_quantity_is_printed_without_zeros_that_say_nothing(
    number: int | Decimal, shown: str
) -> None:
    """COM-71."""
    assert quantity(number) == shown


def test_a_fraction_of_a_quantity_is_printed_as_it_is(invoice: InvoiceContent) -> None:
    """COM-71: 1.5 hours are 1.5, not 2 and not 1.50."""
    hours = replace(invoice.lines[0], quantity=cast(int, Decimal("1.50")), unit="時間")
    content = replace(invoice, lines=(hours,))
    template = pdf_environment().get_template("pdf/invoice.html")
    assert '<td class="r">1.5</td>' in template.render(doc=content, title="請求書")


def test_a_span_of_days_names_one_day_once() -> None:
    """COM-71."""
    first = date(2026, 10, 1)
    assert days((first, None)) == days((first, first)) == "2026年10月1日"
    assert days((first, date(2026, 10, 30))) == "2026年10月1日～2026年10月30日"


def test_who_is_not_registered_claims_no_qualified_invoice(invoice: InvoiceContent) -> None:
    """COM-71: without a registration number it is a 請求書 and names neither 登録番号 nor 適格."""
    issuer = replace(invoice.issuer, registration_number="")
    for kind, title in (("invoice", "請求書"), ("credit_note", "返金明細書")):
        said = text(kind, replace(invoice, issuer=issuer))
        assert said.startswith(f"{title}{title}番号")
        assert "適格" not in said
        assert "登録番号" not in said


def test_a_simplified_invoice_bears_no_registration_number(invoice: InvoiceContent) -> None:
    """COM-71, SHOP-42: the payment company's is the qualified one, and there is only one of a sale."""
    said = text("invoice", replace(invoice, simplified=True))
    assert "（簡易版）" in said
    assert "登録番号" not in said
    assert invoice.issuer.registration_number not in said
    assert invoice.issuer.registration_number in text("invoice", invoice)


def test_a_credit_note_names_the_days_of_the_return_and_of_the_trade(
    invoice: InvoiceContent,
) -> None:
    """COM-71: 適格返還請求書 as 返金明細書, for 返還請求書 alone reads as a demand for payment."""
    content = replace(invoice, issued_on=date(2026, 11, 10), due_on=None)
    said = text("credit_note", content)
    assert said.startswith("返金明細書（適格返還請求書）返金明細書番号")
    for fact in [
        "返還日2026年11月10日",
        "元の取引日2026年10月1日～2026年10月30日",
        "返還金額（税込）¥49,238",
        "10%対象38,4003,84042,240",
        "8%対象※6,4805186,998",
    ]:
        assert fact in said
    assert "お振込先" not in said
    assert "ご請求" not in said


def test_the_old_standard_rate_is_not_taken_for_the_reduced_one(
    invoice: InvoiceContent, receipt: ReceiptContent
) -> None:
    """COM-71: 8% until September 2019 bears no ※, and the two 8% are told apart."""
    old = BillLine("旧税率の加工", 1, "式", 1000, 8)
    explained = "※印のない8%対象は、2019年9月30日までの標準税率（旧税率）によるものです。"
    content = replace(invoice, lines=(old, *invoice.lines))
    said = text("invoice", content)
    assert "旧税率の加工1式1,0008%1,000" in said
    assert "8%対象※6,4805186,998" in said
    assert "8%対象1,000801,080" in said
    assert explained in said
    assert explained not in text("invoice", invoice)
    totals = totals_excluded([old.tax_line])
    assert explained in text("receipt", replace(receipt, totals=totals))
    assert explained not in text("receipt", receipt)


@pytest.mark.parametrize(
    ("untaxed", "among_totals"),
    [(Untaxed.OUTSIDE, "対象外（不課税）"), (Untaxed.EXEMPT, "非課税"), (Untaxed.EXPORTED, "免税")],
)
def test_what_bears_no_tax_says_why(
    invoice: InvoiceContent, receipt: ReceiptContent, untaxed: Untaxed, among_totals: str
) -> None:
    """COM-71: 0% is 不課税, 非課税 or 免税, on the line and among the totals, and never ※."""
    line = BillLine("キャンセル料", 1, "式", 6750, 0)
    said = text("invoice", replace(invoice, lines=(line,), untaxed=untaxed))
    assert f"6,750{untaxed.value}6,750" in said
    assert f"{among_totals}6,75006,750" in said
    totals = totals_excluded([line.tax_line])
    assert f"{among_totals}6,75006,750" in text(
        "receipt", replace(receipt, totals=totals, untaxed=untaxed)
    )


def test_a_receipt_names_the_day_of_the_trade_the_payment_and_the_stamp(
    receipt: ReceiptContent,
) -> None:
    """COM-70, COM-71: 取引日 and お支払方法 where they are known, and that a file needs no stamp."""
    known = replace(
        receipt,
        traded_on=date(2026, 10, 1),
        traded_until=date(2026, 10, 30),
        by_card=False,
        paid_by="銀行振込",
    )
    said = text("receipt", known)
    assert "取引日2026年10月1日～2026年10月30日" in said
    assert "お支払方法銀行振込" in said
    assert "本領収書は電子データで発行しているため、収入印紙の貼付は不要です。" in said
    unknown = text("receipt", replace(receipt, by_card=False))
    assert "取引日" not in unknown
    assert "お支払方法" not in unknown
