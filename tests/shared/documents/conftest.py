"""Documents to draw."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import totals_excluded
from portal.shared.documents.content import (
    InvoiceContent,
    Issuer,
    Labour,
    Material,
    Party,
    ReceiptContent,
    WorkReportContent,
)


@pytest.fixture
def created() -> datetime:
    """When the documents are made: 9:00 on 31 October 2026 in Tokyo."""
    return datetime(2026, 10, 31, 0, 0, tzinfo=UTC)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(
        name="株式会社みなと精機",
        registration_number="T7000012050002",
        postal_code="530-0001",
        address="大阪府大阪市北区梅田3丁目1番3号",
        telephone="06-1234-5678",
        bank="さくら坂銀行　梅田支店　普通 1234567",
        seal="株式会社みなと精機之印",
    )


@pytest.fixture
def customer() -> Party:
    return Party(
        "株式会社髙﨑精機製作所",
        "御中",
        "144-0035",
        "東京都大田区南蒲田2丁目16番1号",
        "購買部",
        "𠮷田 花子",
    )


@pytest.fixture
def lines() -> tuple[BillLine, ...]:
    return (
        BillLine("精密切削ブラケット", 3, "個", 12800, 10, day=date(2026, 10, 1)),
        BillLine("来客用茶菓子", 2, "箱", 3240, 8, reduced=True, day=date(2026, 10, 5)),
    )


@pytest.fixture
def invoice(issuer: Issuer, customer: Party, lines: tuple[BillLine, ...]) -> InvoiceContent:
    return InvoiceContent(
        number="INV-2026-00417",
        issued_on=date(2026, 10, 31),
        traded_on=date(2026, 10, 1),
        traded_until=date(2026, 10, 30),
        due_on=date(2026, 11, 30),
        recipient=customer,
        issuer=issuer,
        lines=lines,
        subject="10月分 部品加工代金",
    )


@pytest.fixture
def work_report(issuer: Issuer, customer: Party) -> WorkReportContent:
    return WorkReportContent(
        number="WR-2026-00031",
        issued_on=date(2026, 10, 31),
        reservation_number="FR00001234",
        facility="五軸加工機（第2試作室）",
        used_from=datetime(2026, 10, 30, 0, 0, tzinfo=UTC),
        used_until=datetime(2026, 10, 30, 8, 30, tzinfo=UTC),
        recipient=customer,
        issuer=issuer,
        work="治具を取り付け、試作品を加工しました。\n\n刃物に異常はありません。",
        labour=(
            Labour("佐藤 一郎", date(2026, 10, 30), 270),
            Labour("𠮷野 次郎", date(2026, 10, 30), 180),
        ),
        materials=(Material("超硬エンドミル", "2", "本"),),
        remarks="治具の再校正をおすすめします。",
    )


@pytest.fixture
def receipt(issuer: Issuer, customer: Party, lines: tuple[BillLine, ...]) -> ReceiptContent:
    return ReceiptContent(
        number="RC-2026-00077",
        issued_on=date(2026, 10, 31),
        paid_on=date(2026, 10, 30),
        recipient=customer,
        issuer=issuer,
        totals=totals_excluded(line.tax_line for line in lines),
        proviso="部品代",
        by_card=True,
    )
