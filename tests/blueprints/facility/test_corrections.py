"""COM-72: what was issued never changes; a correction is a new document that names the old one."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.billing.lines import BillLine
from portal.shared.documents.models import Document, DocumentKind

ARGS = ["--tenant", "facility", "--operator", "大森"]
RIGHT = ["--line", "利用料:2:時間:4500", "--reason", "ご利用は2時間でした"]


@pytest.fixture
def facility(run):
    """Run a command of the brand."""

    def command(*args: str):
        return run.invoke(args=["facility", *args, *ARGS])

    return command


def text_of(pdf: bytes) -> str:
    return "".join(
        "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split()
    )


def test_a_corrected_invoice_names_the_old_one_which_stays(facility, visit, cast, inside):
    """COM-72, FAC-04: new number, other total, the reason; the old bytes as they were; the member is told."""
    page = visit("facility", "hanako")
    assert facility("issue", cast.billed).exit_code == 0
    old = page.get("/documents/invoice/FI000001.pdf").data
    told = facility("correct", cast.billed, *RIGHT)
    assert told.stdout == f"{cast.billed}: documents issued: 1\n{cast.billed}: 請求確定 ¥9,900\n"
    new = page.get(f"/facility/reservations/{cast.billed}/invoice.pdf").data
    assert page.get("/documents/invoice/FI000001.pdf").data == old
    assert page.get("/documents/invoice/FI000002.pdf").data == new
    words = text_of(new)
    for said in (
        "FI000002",
        "FI000001",
        "訂正し、これに代わるものです",
        "ご利用は2時間でした",
        "9,900",
    ):
        assert said in words
    assert "FI000002" not in text_of(old)
    shown = page.get(f"/facility/reservations/{cast.billed}").text
    assert "¥9,900" in shown
    with inside("facility"):
        event = (
            session()
            .scalars(select(AuditEvent).where(AuditEvent.action == "reservation.correct"))
            .one()
        )
        assert event.changes == {"reason": "ご利用は2時間でした", "total": [14850, 9900]}
        mail = session().scalars(select(OutboxMail).order_by(OutboxMail.id.desc()).limit(1)).one()
        assert "ご請求内容訂正のお知らせ" in mail.subject
    assert "ご請求内容の訂正" in page.get("/account/history").text.split("<table", 1)[1]


def test_a_receipt_says_what_was_received_whatever_is_corrected(facility, cast, inside):
    """COM-72: the invoice is issued anew, the receipt of the money that came in stays as it is."""
    for step in ("issue", "pay", "issue"):
        assert facility(step, cast.billed).exit_code == 0
    assert facility("correct", cast.billed, *RIGHT).stdout.startswith(
        f"{cast.billed}: documents issued: 1"
    )
    again = ["--line", "利用料:1:時間:4500", "--reason", "再訂正"]
    assert facility("correct", cast.billed, *again).exit_code == 0
    with inside("facility"):
        issued = session().scalars(select(Document).order_by(Document.id)).all()
        invoices = [d for d in issued if d.kind is DocumentKind.INVOICE]
        assert [(d.content["corrects"] or {}).get("number") for d in invoices] == [
            None,
            "FI000001",
            "FI000002",
        ]
        assert [d.total for d in issued if d.kind is DocumentKind.RECEIPT] == [14850]
        assert len([d for d in issued if d.kind is DocumentKind.WORK_REPORT]) == 1


def test_a_receipt_to_another_name_names_the_one_that_it_replaces(facility, cast, inside):
    """COM-72: the same money, to whom it should have been."""
    for step in ("issue", "pay", "issue"):
        assert facility(step, cast.billed).exit_code == 0
    renamed = facility("edit-reservation", cast.billed, "--billing-name", "二番商事")
    assert renamed.exit_code == 0
    same = ["--line", "利用料:3:時間:4500", "--reason", "宛名の訂正"]
    told = facility("correct", cast.billed, *same)
    assert told.stdout.startswith(f"{cast.billed}: documents issued: 2")
    with inside("facility"):
        kept = select(Document).where(Document.kind == DocumentKind.RECEIPT).order_by(Document.id)
        first, second = session().scalars(kept).all()
        assert (first.total, second.total) == (14850, 14850)
        assert (first.replaced_by, second.replaced_by) == (second.number, "")
        assert second.content["recipient"]["name"] == "二番商事"
        assert second.content["corrects"]["number"] == first.number


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_changes_nothing_is_no_correction(facility, cast, inside):
    """COM-72"""
    assert facility("issue", cast.billed).exit_code == 0
    assert facility("correct", cast.billed, *RIGHT).exit_code == 0
    again = facility("correct", cast.billed, *RIGHT)
    assert again.exit_code == 2
    assert "請求明細が変わっていません" in again.output
    with inside("facility"):
        assert session().query(Document).count() == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("before", "args", "said"),
    [
        ((), RIGHT, "請求書がまだ発行されていません"),
        (("issue",), ["--line", "利用料:3:時間:-4500", "--reason", "負"], "マイナス"),
        (("issue",), ["--line", "利用料:3:時間:4500"], "--reason"),
        (("issue",), ["--reason", "行なし"], "--line"),
    ],
)
def test_what_cannot_be_corrected_is_said_in_one_line(facility, cast, inside, before, args, said):
    """OPS-10: exit code 2, nothing issued, nothing changed."""
    for step in before:
        assert facility(step, cast.billed).exit_code == 0
    refused = facility("correct", cast.billed, *args)
    assert refused.exit_code == 2
    assert said in refused.output
    with inside("facility"):
        assert queries.any_reservation(cast.billed).total == 14850
        assert session().query(Document).count() == 2 * len(before)


def test_what_is_given_back_is_a_document_of_its_own(facility, visit, cast, inside):
    """COM-71: 適格返還請求書 with both dates, rate and tax; the invoice and what was paid stay as they were."""
    for step in ("issue", "pay"):
        assert facility(step, cast.billed).exit_code == 0
    told = facility(
        "refund",
        cast.billed,
        "--line",
        "機械の不調によるお値引き:1:時間:4500",
        "--reason",
        "機械の不調",
    )
    assert told.stdout == (
        f"{cast.billed}: documents issued: 1\n{cast.billed}: お支払済 ¥14,850\n"
        f"{cast.billed}: 返還 ¥4,950 (CN00000001)\n"
    )
    page = visit("facility", "hanako")
    words = text_of(page.get("/documents/credit_note/CN00000001.pdf").data)
    dates, sums = (
        ("2026年11月23日", "元の取引日2026年10月14日"),
        ("返還金額（税込）", "4,950", "10%"),
    )
    for said in ("返金明細書", "FI000001", *dates, *sums, "返還の理由：機械の不調"):
        assert said in words, said
    for absent in ("お振込先", "ご請求申し上げます", "訂正"):
        assert absent not in words
    assert "−¥4,950" in page.get("/documents").text
    assert "¥14,850" in page.get(f"/facility/reservations/{cast.billed}").text
    assert "ご請求金額の返還" in page.get("/account/history").text.split("<table", 1)[1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_more_is_given_back_than_was_paid(facility, cast, inside):
    """COM-71: before the payment a correction is meant; twice two thirds is too much, exactly all is not."""
    assert facility("issue", cast.billed).exit_code == 0
    early = facility("refund", cast.billed, *RIGHT)
    assert (early.exit_code, "訂正をしてください" in early.output) == (2, True)
    assert facility("pay", cast.billed).exit_code == 0
    assert facility("refund", cast.billed, *RIGHT).exit_code == 0
    again = facility("refund", cast.billed, *RIGHT)
    assert (again.exit_code, "超えます" in again.output) == (2, True)
    assert (
        facility("refund", cast.billed, "--line", "残り:1:時間:4500", "--reason", "全額").exit_code
        == 0
    )
    with inside("facility"):
        notes = (
            session()
            .scalars(select(Document).where(Document.kind == DocumentKind.CREDIT_NOTE))
            .all()
        )
        assert [note.total for note in notes] == [-9900, -4950]


def lines_of(inside, kind: DocumentKind) -> list[tuple[int, bool]]:
    """Rates of the lines of the newest document of a kind, and whether they are reduced."""
    with inside("facility"):
        newest = select(Document).where(Document.kind == kind).order_by(Document.id.desc())
        found = session().scalars(newest.limit(1)).one()
        return [(line["rate"], line["reduced"]) for line in found.content["lines"]]


def test_a_refund_is_said_and_stands_on_the_reservations_page(facility, visit, cast):
    """COM-71, FAC-03, OPS-10: the amount in a dry run too; who may see amounts gets the document there."""
    for step in ("issue", "pay"):
        assert facility(step, cast.billed).exit_code == 0
    words = ["refund", cast.billed, "--line", "値引き:1:式:4500", "--reason", "不調"]
    said = f"{cast.billed}: 返還 ¥4,950 (CN00000001)\n"
    assert facility(*words, "--dry-run").stdout.endswith(said)
    path, page = f"/facility/reservations/{cast.billed}", visit("facility", "hanako")
    assert "ご請求の減額" not in page.get(path).text
    assert facility(*words).stdout.endswith(said)
    shown = page.get(path).text
    assert "<dt>ご請求の減額</dt><dd>¥4,950（2026/11/23(月)、返金明細書 CN00000001）</dd>" in shown
    assert "<dt>ご返金予定</dt><dd>¥4,950</dd>" in shown
    assert 'href="/documents/credit_note/CN00000001.pdf"' in shown


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_given_back_bears_the_rate_that_was_billed(facility, inside, cast):
    """COM-71: a cancellation charge bears no tax, so neither does what is given back or billed in its place."""
    number = cast.requested
    assert facility("cancel", number, "--charge", "5250").exit_code == 0
    for step in ("issue", "pay", "issue"):
        assert facility(step, number).exit_code == 0
    told = facility("refund", number, "--line", "減額:1:式:250", "--reason", "減額")
    assert f"{number}: 返還 ¥250 " in told.stdout
    assert lines_of(inside, DocumentKind.CREDIT_NOTE) == [(0, False)]
    refused = facility("refund", number, "--line", "減額:1:式:250:10", "--reason", "減額")
    assert refused.exit_code == 2
    assert "a rate out of 0" in refused.stderr
    told = facility("correct", number, "--line", "キャンセル料:1:式:5000", "--reason", "減額")
    assert f"{number}: キャンセル ¥5,000\n" in told.stdout
    assert lines_of(inside, DocumentKind.INVOICE) == [(0, False)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_of_a_bill_with_two_rates_the_rate_is_named_and_no_more_of_it_given_back(
    facility, inside, cast
):
    """COM-71: 1,100 yen at 10%, 1,080 at 8%; each is given back at its own rate and only once."""
    both = ["--line", "利用料:1:式:1000", "--line", "弁当:2:個:500:8"]
    assert facility("issue", cast.billed).exit_code == 0
    assert facility("correct", cast.billed, *both, "--reason", "弁当").exit_code == 0
    assert facility("pay", cast.billed).exit_code == 0
    refund = ["refund", cast.billed, "--reason", "返金", "--line"]
    assert "name the rate" in facility(*refund, "弁当:1:個:500").stderr
    assert facility(*refund, "弁当:1:個:600:8").exit_code == 0
    assert lines_of(inside, DocumentKind.CREDIT_NOTE) == [(8, True)]
    more = facility(*refund, "弁当:1:個:401:8")
    assert "税率8%の返還金額の合計が" in more.stderr
    assert facility(*refund, "弁当:1:個:400:8").exit_code == 0


def test_a_rate_that_the_bill_lacks_is_refused_by_the_rule_itself(inside, facility, app, cast):
    """COM-71: whoever asks, not the command line alone."""
    for step in ("issue", "pay"):
        assert facility(step, cast.billed).exit_code == 0
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        lines = [BillLine("値引き", 1, "式", 100, 8, reduced=True)]
        with pytest.raises(RuleBroken, match="税率8%の請求がない") as refused:
            operations.refund(
                tenant, queries.any_reservation(cast.billed), lines, "値引き", by=SYSTEM
            )
        assert refused.value.field == "lines"


def test_documents_are_filed_under_the_day_that_they_print(facility, inside, cast):
    """COM-74: one 取引日; a receipt under its 領収日, whatever is issued when."""
    for step in ("issue", "pay", "issue"):
        assert facility(step, cast.billed).exit_code == 0
    with inside("facility"):
        filed = {d.kind.value: d.transaction_date for d in session().scalars(select(Document))}
        printed = {d.kind.value: d.content for d in session().scalars(select(Document))}
    assert filed["invoice"].isoformat() == printed["invoice"]["traded_on"] == "2026-10-14"
    assert filed["receipt"].isoformat() == printed["receipt"]["paid_on"] == "2026-11-23"
    assert filed["work_report"].isoformat() == "2026-10-14"


def test_of_two_invoices_the_one_that_holds_is_told(facility, run, visit, cast):
    """COM-72, COM-74: 帳票, its CSV, the month's index and `documents find` mark what was replaced."""
    for step in ("issue", "pay", "issue"):
        assert facility(step, cast.billed).exit_code == 0
    assert facility("correct", cast.billed, *RIGHT).exit_code == 0
    page = visit("facility", "hanako")
    listed = page.get("/documents").text
    assert listed.count("訂正済み → FI000002") == 1
    assert listed.count("訂正済み → ") == 1, "the receipt says what was received and holds"
    report = listed.split("FW000001", 2)[-1].split("</tr>")[0]
    assert "¥" not in report
    rows = csv.DictReader(io.StringIO(page.get("/documents.csv").data.decode("utf-8-sig")))
    held = {row["番号"]: (row["訂正後の番号"], row["金額（税込）"]) for row in rows}
    assert (held["FI000001"], held["FI000002"]) == (("FI000002", "14850"), ("", "9900"))
    assert held["FW000001"] == ("", "")
    archive = zipfile.ZipFile(io.BytesIO(page.get("/documents/month.zip?month=2026-11").data))
    index = csv.DictReader(io.StringIO(archive.read("index.csv").decode("utf-8-sig")))
    assert {row["番号"]: (row["訂正後の番号"], row["金額（税込）"]) for row in index} == held
    found = run.invoke(args=["documents", "find", "--tenant", "facility", "--json"])
    shown = {row["number"]: (row["replaced_by"], row["total"]) for row in json.loads(found.output)}
    assert shown["FI000001"] == ("FI000002", 14850)
    assert shown["FW000001"] == ("", None)
