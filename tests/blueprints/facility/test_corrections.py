"""COM-72: what was issued never changes; a correction is a new document that names the old one."""

from __future__ import annotations

import io

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from portal.blueprints.facility import queries
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.outbox import OutboxMail
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
    new = page.get(f"/reservations/{cast.billed}/invoice.pdf").data
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
    shown = page.get(f"/reservations/{cast.billed}").text
    assert "¥9,900" in shown
    with inside("facility"):
        event = (
            session()
            .scalars(select(AuditEvent).where(AuditEvent.action == "reservation.correct"))
            .one()
        )
        assert event.changes == {"reason": "ご利用は2時間でした", "total": [14850, 9900]}
        mail = session().scalars(select(OutboxMail).order_by(OutboxMail.id.desc()).limit(1)).one()
        assert "ご請求内容の訂正" in mail.subject
    assert "ご請求内容の訂正" in page.get("/account/history").text.split("<table", 1)[1]


def test_a_receipt_is_corrected_with_its_invoice_and_again(facility, cast, inside):
    """COM-72: once paid both are issued anew; a second correction names the first."""
    for step in ("issue", "pay", "issue"):
        assert facility(step, cast.billed).exit_code == 0
    assert facility("correct", cast.billed, *RIGHT).stdout.startswith(
        f"{cast.billed}: documents issued: 2"
    )
    assert (
        facility(
            "correct", cast.billed, "--line", "利用料:1:時間:4500", "--reason", "再訂正"
        ).exit_code
        == 0
    )
    with inside("facility"):
        issued = session().scalars(select(Document).order_by(Document.id)).all()
        invoices = [d for d in issued if d.kind is DocumentKind.INVOICE]
        assert [(d.content["corrects"] or {}).get("number") for d in invoices] == [
            None,
            "FI000001",
            "FI000002",
        ]
        assert [d.total for d in issued if d.kind is DocumentKind.RECEIPT] == [14850, 9900, 4950]
        assert len([d for d in issued if d.kind is DocumentKind.WORK_REPORT]) == 1


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
    assert told.stdout.startswith(f"{cast.billed}: documents issued: 1")
    page = visit("facility", "hanako")
    words = text_of(page.get("/documents/credit_note/CN00000001.pdf").data)
    dates, sums = (
        ("2026年11月23日", "元の取引日2026年10月14日"),
        ("返還金額（税込）", "4,950", "10%"),
    )
    for said in ("返還請求書", "FI000001", *dates, *sums, "返還の理由：機械の不調"):
        assert said in words, said
    for absent in ("お振込先", "ご請求申し上げます", "訂正"):
        assert absent not in words
    assert "−¥4,950" in page.get("/documents").text
    assert "¥14,850" in page.get(f"/reservations/{cast.billed}").text
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
