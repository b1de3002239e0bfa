"""A reservation's invoice and work report: what they say and who gets them (FAC-04, COM-70 to COM-73)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.billing_items import charge_item, use_item
from portal.blueprints.facility.models import Reservation
from portal.blueprints.facility.work_reports import work_report_content
from portal.config.schema import Tenant
from portal.config.schema_parts import Issuer as TenantIssuer
from portal.core import SYSTEM, clock
from portal.core.db import session
from portal.core.files import FileDamaged
from portal.shared.billing.lines import BillLine
from portal.shared.documents.content import Labour, Material
from portal.shared.documents.models import Document
from portal.shared.documents.parties import issuer_of, recipient_of
from portal.shared.documents.pdf import render_document
from portal.shared.invoicing import contents
from portal.shared.invoicing.operations import Remittance
from tests.cast import NOW
from tests.support.bills import billed_for

ISSUER = {
    "name": "株式会社試験設備",
    "registration_number": "T7000012050002",
    "postal_code": "530-0001",
    "address": "大阪府大阪市北区梅田3丁目1番3号",
    "telephone": "06-1234-5678",
    "bank": "さくら坂銀行　梅田支店　普通 1234567",
}
LINES = [
    BillLine("利用料", 3, "時間", 12_800, 10, day=date(2026, 10, 14)),
    BillLine("来客用茶菓子", 2, "箱", 3_240, 8, reduced=True, day=date(2026, 10, 14)),
]


@pytest.fixture
def tenant(app) -> Tenant:
    """The facility brand with an issuer as a real one has."""
    known: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return known.model_copy(update={"issuer": TenantIssuer(**ISSUER)})


@pytest.fixture
def issue(run) -> Callable[[str], str]:
    """Issue a reservation's documents as an operator."""

    def command(number: str) -> str:
        return str(run.invoke(args=["facility", "issue", number, "--tenant", "facility"]).output)

    return command


def invoice_content(tenant: Tenant, reservation: Reservation) -> Any:
    """What the reservation's invoice would say now: facts and addresses as they stand."""
    operations.BILLING.readdress(reservation)
    money = operations.money(reservation)
    draft = use_item(reservation)
    if reservation.cancelled_at:
        draft = charge_item(reservation)
    item = money.items[-1]
    item.facts = [list(fact) for fact in draft.facts]
    item.day_label = draft.day_label
    item.traded_on = money.invoices[-1].traded_on = draft.traded_on
    session().flush()
    return contents.invoice_content(tenant, money.invoices[-1])


def receipt_content(tenant: Tenant, reservation: Reservation) -> Any:
    """What the receipt of a payment of the reservation's invoice would say."""
    operations.BILLING.readdress(reservation)
    owed = operations.money(reservation).owed
    remittance = Remittance(amount=owed, received_on=clock.today()) if owed else None
    if remittance:
        operations.record_payment(tenant, reservation, by=SYSTEM, remittance=remittance)
    return contents.receipt_content(tenant, operations.money(reservation).payments[-1])


def said(kind: str, content: Any) -> str:
    """Everything that a document says, without spaces and line ends."""
    pages = PdfReader(BytesIO(render_document(kind, content.to_json(), NOW))).pages
    return "".join("".join(page.extract_text().split()) for page in pages)


@pytest.fixture
def billed(inside, tenant) -> Any:
    """A billed reservation whose lines carry two rates, in the scope of its brand."""
    with inside("facility"):
        reservation = queries.any_reservation("FR000002")
        billed_for(tenant, reservation, LINES)
        yield reservation


def test_an_invoice_carries_the_reservations_facts_and_the_brands_own(
    billed: Reservation, tenant
) -> None:
    """COM-71, FAC-04: T-number, dates, rates and totals as the billing rules reckon them."""
    content = replace(invoice_content(tenant, billed), number="FI000001")
    text = said("invoice", content)
    for fact in (
        "請求書番号FI000001",
        "株式会社試験設備",
        "登録番号T7000012050002",
        "さくら坂銀行",
        "カナリア甲株式会社一番カナリア甲花子様",
        "発行日2026年11月23日",
        "取引日2026年10月14日",
        "お支払期限2026年11月30日",
        "予約番号FR000002",
        "カナリア甲レーザー加工機ご利用料金",
        "来客用茶菓子※",
        "10%対象38,4003,84042,240",
        "8%対象※6,4805186,998",
        "合計44,8804,358¥49,238",
    ):
        assert fact in text
    assert (content.totals.net, content.totals.tax, content.totals.total) == (44_880, 4_358, 49_238)


def test_a_use_over_midnight_is_traded_when_it_ended(billed: Reservation, tenant) -> None:
    """COM-71, COM-74: one 取引日, by which the document is found too; midnight is Tokyo's."""
    same_day = invoice_content(tenant, billed)
    assert same_day.references == (("予約番号", "FR000002"),)
    billed.used_from, billed.used_until = (
        clock.local(2026, 10, 31, 22),
        clock.local(2026, 11, 1, 6),
    )
    content = invoice_content(tenant, billed)
    assert content.traded_on == content.transaction_date == billed.traded_on == date(2026, 11, 1)
    text = said("invoice", content)
    assert "取引日2026年11月1日" in text
    assert "ご利用開始日2026年10月31日" in text


@pytest.mark.parametrize(("rounding", "tax"), [("down", 99), ("up", 100), ("half", 100)])
def test_the_brand_decides_what_becomes_of_a_fraction_of_a_yen(
    billed: Reservation, tenant, rounding: str, tax: int
) -> None:
    """COM-71: 999 yen at 10% is 99.9 yen of tax."""
    billed_for(tenant, billed, [BillLine("利用料", 1, "式", 999, 10)])
    own = tenant.model_copy(update={"tax": tenant.tax.model_copy(update={"rounding": rounding})})
    assert invoice_content(own, billed).totals.tax == tax


def test_the_recipient_is_the_billing_address_of_the_booking_in_every_part(
    billed: Reservation, tenant
) -> None:
    """COM-33, COM-71: a person is 様, a company 御中; rare kanji stay themselves."""
    billed.billing = {
        "name": "𠮷田 花子",
        "honorific": "様",
        "postal_code": "1440035",
        "address": "東京都大田区南蒲田2丁目16番1号",
        "department": "",
        "person": "",
    }
    text = said("invoice", invoice_content(tenant, billed))
    assert "𠮷田花子様" in text
    assert "144-0035" in text
    assert "御中" not in text
    billed.billing = {"name": "株式会社髙﨑"}
    assert recipient_of(billed.billing, {}).honorific == "御中"
    assert "株式会社髙﨑御中" in said("invoice", invoice_content(tenant, billed))


@pytest.mark.parametrize(
    ("billing", "named", "not_named"),
    [
        ({"name": "株式会社一番"}, "株式会社一番御中", "一番様"),
        ({"name": "株式会社一番", "department": "経理部"}, "株式会社一番御中経理部", "経理部様"),
        (
            {"name": "株式会社一番", "department": "経理部", "person": "佐々木 緑"},
            "株式会社一番経理部佐々木緑様",
            "御中",
        ),
        (
            {"name": "株式会社一番 経理部", "department": "経理部", "person": "佐々木 緑"},
            "株式会社一番経理部佐々木緑様",
            "御中",
        ),
        ({"name": "佐々木 緑", "person": "佐々木緑"}, "佐々木緑様", "御中"),
        ({"name": "カナリア甲花子"}, "カナリア甲花子様", "御中"),
    ],
)
def test_a_person_is_sama_and_then_the_company_is_not_onchu(
    billed: Reservation, tenant, billing: dict[str, str], named: str, not_named: str
) -> None:
    """COM-70, COM-71: 御中 or 様, never both; an individual 様 alone; a department once."""
    billed.billing = billing
    for content, kind in (
        (invoice_content(tenant, billed), "invoice"),
        (receipt_content(tenant, billed), "receipt"),
        (work_report_content(tenant, billed), "work_report"),
    ):
        text = said(kind, content)
        assert named in text
        assert not_named not in text.replace(named, "")


def test_the_days_of_an_invoice_are_days_of_use_or_of_the_cancellation(
    billed: Reservation, tenant
) -> None:
    """COM-71: nothing is delivered where hours of use are billed."""
    text = said("invoice", invoice_content(tenant, billed))
    assert "No.ご利用日品名" in text
    assert "納品日" not in text
    billed.cancelled_at = NOW
    assert "No.キャンセル日品名" in said("invoice", invoice_content(tenant, billed))


def test_documents_say_when_it_was_used_as_recorded(billed: Reservation, tenant) -> None:
    """FAC-12, FAC-04: three days before the booked time, on all documents."""
    billed.held_until = None
    billed.starts_at, billed.ends_at = clock.local(2026, 12, 4, 9), clock.local(2026, 12, 4, 12)
    billed.used_from = clock.local(2026, 12, 1, 19)
    billed.used_until = clock.local(2026, 12, 1, 20, 8)
    report = work_report_content(tenant, billed)
    assert report.used_minutes == 68
    assert "2026年12月1日19:00～2026年12月1日20:08（1時間8分）" in said("work_report", report)
    invoice = invoice_content(tenant, billed)
    assert (invoice.traded_on, invoice.traded_until) == (date(2026, 12, 1), None)
    assert billed.traded_on == invoice.traded_on == report.transaction_date


def test_a_brand_that_says_no_issuer_issues_in_its_companys_name(app) -> None:
    """OPS-01: a tenant of five lines can invoice."""
    known: Tenant = app.extensions["tenants"].current().by_key["facility"]
    issuer = issuer_of(known)
    assert (issuer.name, issuer.registration_number) == ("試験設備", "")
    assert issuer.accent == known.theme.brand_strong


def test_a_brands_seal_stands_on_its_documents(billed: Reservation, tenant) -> None:
    """COM-70: what `issuer.seal` says becomes a picture; without it there is none."""
    plain = invoice_content(tenant, billed)
    sealed = invoice_content(
        tenant.model_copy(update={"issuer": TenantIssuer(**ISSUER, seal="試験設備之印")}), billed
    )
    assert (plain.issuer.seal, sealed.issuer.seal) == ("", "試験設備之印")
    pictures = [
        len(PdfReader(BytesIO(render_document("invoice", content.to_json(), NOW))).pages[0].images)
        for content in (plain, sealed)
    ]
    assert pictures == [0, 1]


def test_forty_lines_and_the_longest_names_lose_nothing(billed: Reservation, tenant) -> None:
    """COM-70: over pages, each line once, and the sum at the end."""
    lines = [BillLine(f"第{n:02}号" + "長い仕様" * 20, 1, "式", 1_000, 10) for n in range(40)]
    billed_for(tenant, billed, lines)
    billed.billing = {
        "name": "国立研究開発法人" * 12,
        "address": "北海道常呂郡佐呂間町" * 10,
        "person": "𠮷" * 40,
    }
    text = said("invoice", invoice_content(tenant, billed))
    assert [text.count(f"第{n:02}号") for n in range(40)] == [1] * 40
    assert "合計40,0004,000¥44,000" in text
    assert text.count("𠮷") == 40
    assert "1/1ページ" not in text


def test_a_work_report_says_what_was_done_by_whom_how_long_and_with_what(
    billed: Reservation, tenant
) -> None:
    """FAC-04, FAC-12: materials are separated as the operator typed them; blanks between are none."""
    billed.work_report = {
        "done": "治具を取り付け、\n試作品を加工しました。",
        "worker": "大森 誠",
        "minutes": 95,
        "materials": "ネジ、 アクリル板 、、𠮷野紙、",
    }
    billed.used_from, billed.used_until = (
        billed.starts_at,
        billed.starts_at + timedelta(minutes=100),
    )
    content = work_report_content(tenant, billed)
    assert content.labour == (Labour("大森 誠", date(2026, 10, 24), 95),)
    assert content.materials == tuple(
        Material(name, "1", "式") for name in ("ネジ", "アクリル板", "𠮷野紙")
    )
    assert content.used_minutes == 100
    text = said("work_report", content)
    for fact in (
        "作業完了報告書",
        "予約番号FR000002",
        "大森誠",
        "1時間35分",
        "𠮷野紙1式",
        "試作品を加工しました。",
    ):
        assert fact in text


def test_a_reservation_without_a_report_still_has_a_sheet(billed: Reservation, tenant) -> None:
    """FAC-12: imported old reservations know neither worker nor materials."""
    billed.work_report, billed.used_from, billed.used_until = None, None, None
    content = work_report_content(tenant, billed)
    assert (content.work, content.labour, content.materials) == ("", (), ())
    assert content.used_until == billed.ends_at
    assert "作業完了報告書" in said("work_report", content)


def test_an_amount_beyond_two_thousand_million_yen_is_billed_and_issued(run, cast) -> None:
    """COM-71: a whole production line; on both databases."""
    steps = (
        ["confirm"],
        ["start"],
        ["finish", "--done", "据付", "--worker", "大森", "--minutes", "60"],
        ["fix-amount", "--line", "生産設備一式:3:式:999999999"],
        ["issue"],
    )
    for name, *words in steps:
        result = run.invoke(args=["facility", name, cast.requested, *words, "--tenant", "facility"])
        assert result.exit_code == 0, (result.output, result.exception)
    found = run.invoke(
        args=["documents", "find", "--least", "3000000000", "--tenant", "facility", "--json"]
    )
    assert [row["total"] for row in json.loads(found.output)] == [3_299_999_996]


def test_the_page_gives_what_was_issued_with_a_name_to_file_it_by(
    issue, visit, cast, tmp_path: Path
) -> None:
    """FAC-04, COM-72, COM-74: read with another program than the one that drew it."""
    assert issue(cast.billed) == "FR000002: documents issued: 2\n"
    answer = visit("facility", cast.representative).get(
        f"/facility/reservations/{cast.billed}/invoice.pdf"
    )
    assert answer.mimetype == "application/pdf"
    assert "14850_FI000001.pdf" in answer.headers["Content-Disposition"]
    reader = shutil.which("pdftotext")
    assert reader, "make test installs poppler-utils"
    (tmp_path / "invoice.pdf").write_bytes(answer.data)
    done = subprocess.run(
        [reader, "-layout", "-enc", "UTF-8", str(tmp_path / "invoice.pdf"), "-"],
        capture_output=True,
        check=True,
    )
    text = "".join(done.stdout.decode().split())
    assert "請求書" in text
    assert "FI000001" in text
    assert "¥14,850" in text


def test_another_accounts_document_does_not_exist(issue, visit, cast) -> None:
    """COM-73: the same 404 as for a number that was never given, for strangers and for the other brand."""
    issue(cast.billed)
    for kind in ("invoice", "work-report"):
        path = f"/facility/reservations/{cast.billed}/{kind}.pdf"
        assert visit("facility", cast.member).get(path).status_code == 200
        stranger = visit("facility", cast.stranger)
        assert stranger.get(path).status_code == 404
        assert stranger.get(path.replace(cast.billed, "FR009999")).status_code == 404
        assert visit("studio", cast.representative).get(path).status_code == 404
        assert visit("facility").get(path).status_code == 303
    assert (
        visit("facility", cast.member)
        .get(f"/facility/reservations/{cast.billed}/delivery-note.pdf")
        .status_code
        == 404
    )


def test_a_document_still_being_drawn_is_awaited_with_the_reason(
    run, visit, inside, cast, app
) -> None:
    """FAC-04: issued and not drawn yet is said on the page, and refused at the address."""
    from portal.core.actor import SYSTEM
    from portal.web import document_views

    with inside("facility"):
        tenant = app.extensions["tenants"].current().by_key["facility"]
        assert len(operations.issue(tenant, queries.any_reservation(cast.billed), by=SYSTEM)) == 2
        assert operations.issue(tenant, queries.any_reservation(cast.billed), by=SYSTEM) == []
        session().commit()
    member = visit("facility", cast.representative)
    answer = member.get(f"/facility/reservations/{cast.billed}/invoice.pdf")
    assert answer.status_code == 422
    assert document_views.BEING_DRAWN in answer.text
    assert document_views.BEING_DRAWN in member.get(f"/facility/reservations/{cast.billed}").text
    assert run.invoke(args=["worker", "--once"]).exit_code == 0
    assert member.get(f"/facility/reservations/{cast.billed}/invoice.pdf").data.startswith(b"%PDF")


def test_damaged_bytes_are_never_given_out(issue, visit, inside, settings, cast) -> None:
    """COM-72: better none than another."""
    issue(cast.billed)
    with inside("facility"):
        key = session().scalars(select(Document.sha256).where(Document.number == "FI000001")).one()
    (settings.home / "files" / "facility" / key[:2] / key).write_bytes(b"%PDF-1.4 something else")
    with pytest.raises(FileDamaged):
        visit("facility", cast.representative).get(
            f"/facility/reservations/{cast.billed}/invoice.pdf"
        )
