"""COM-72, COM-73, FAC-04: the account's documents, a month at once, receipts, and bytes that never change."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.files import file_store
from portal.shared.accounts.models import Account, Member
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind
from portal.shared.documents.models import Document
from portal.shared.members import operations as members

MONTH = "/documents/month.zip?month=2026-11"


@pytest.fixture
def issue(run) -> Callable[[str], str]:
    """Issue and draw the documents of a reservation, as the operator does."""

    def command(number: str) -> str:
        result = run.invoke(args=["facility", "issue", number, "--tenant", "facility"])
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    return command


def text_of(pdf: bytes) -> str:
    return "".join(
        "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split()
    )


def test_the_list_is_the_accounts_own(issue, visit, cast):
    """COM-73: members of the account see number, kind, date, amount; nobody else sees or opens any."""
    page = visit("facility", "kenichi")
    assert "発行された帳票はまだありません" in page.get("/documents").text
    issue(cast.billed)
    listed = page.get("/documents").text
    for word in (
        "FI000001",
        "FW000001",
        "請求書",
        "作業完了報告書",
        "¥14,850",
        "全2件中",
        cast.billed,
    ):
        assert word in listed
    pdf = page.get("/documents/invoice/FI000001.pdf")
    assert (pdf.status_code, pdf.mimetype) == (200, "application/pdf")
    assert pdf.data == page.get(f"/facility/reservations/{cast.billed}/invoice.pdf").data
    stranger = visit("facility", "yumi")
    assert "FI000001" not in stranger.get("/documents").text
    for who, path in (
        (stranger, "invoice/FI000001"),
        (visit("studio", "hanako"), "invoice/FI000001"),
        (page, "receipt/FI000001"),
        (page, "nothing/FI000001"),
        (page, "invoice/FI000002"),
    ):
        assert who.get(f"/documents/{path}.pdf").status_code == 404


def test_a_month_is_one_zip_with_an_index(issue, visit, cast):
    """COM-72, COM-74: each file by date, party and amount; the index has its digest; again the same bytes."""
    issue(cast.billed)
    page = visit("facility", "hanako")
    answer = page.get(MONTH)
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert 'filename="documents-2026-11.zip"' in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as made:
        assert made.testzip() is None
        header, *rows = csv.reader(io.StringIO(made.read("index.csv").decode("utf-8-sig")))
        assert header[0] == "番号"
        assert [row[:2] for row in rows] == [["FI000001", "請求書"], ["FW000001", "作業完了報告書"]]
        assert set(made.namelist()) == {"index.csv", *(row[5] for row in rows)}
        for row in rows:
            assert hashlib.sha256(made.read(row[5])).hexdigest() == row[6]
    assert page.get(MONTH).data == answer.data
    assert page.get(MONTH, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert visit("facility", "yumi").get(MONTH).status_code == 303


@pytest.mark.parametrize(
    "month", ["", "2026", "2026-13", "2026-00", "x", "9999-12", "0001-01", "2026-11-01", "2025-01"]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_month_or_an_empty_one_is_said(issue, visit, cast, month):
    """COM-23: above the list that one chooses a month from, not as a mistake in something typed."""
    issue(cast.billed)
    page = visit("facility", "hanako")
    answer = page.get("/documents/month.zip", query_string={"month": month})
    assert (answer.status_code, answer.location) == (303, "/documents")
    answer = page.get("/documents")
    assert "入力内容をご確認ください" not in answer.text
    assert "年月を選んでください" in answer.text or "発行された帳票はありません" in answer.text


def test_months_are_tokyos(app: Flask, issue, visit, inside, cast):
    """COM-72: what is issued at midnight of 1 November in Tokyo is November's, a second earlier October's."""
    issue(cast.billed)
    page = visit("facility", "hanako")
    for at, month in (
        (clock.local(2026, 11, 1), "2026-11"),
        (clock.local(2026, 11, 1) - timedelta(seconds=1), "2026-10"),
    ):
        with inside("facility"):
            for document in session().scalars(select(Document)):
                document.issued_at = at
            session().commit()
        for asked in ("2026-10", "2026-11"):
            answer = page.get(f"/documents/month.zip?month={asked}")
            assert (answer.status_code == 200) is (asked == month)


def test_a_receipt_is_there_once_it_is_paid(issue, run, visit, cast):
    """FAC-04: amount, what for, for whom; issued once."""
    page = visit("facility", "hanako")
    assert issue(cast.billed) == f"{cast.billed}: documents issued: 2\n"
    refused = page.get(f"/facility/reservations/{cast.billed}/receipt.pdf")
    assert (refused.status_code, operations.NOT_BEFORE_PAID in refused.text) == (422, True)
    assert run.invoke(args=["facility", "pay", cast.billed, "--tenant", "facility"]).exit_code == 0
    assert issue(cast.billed) == f"{cast.billed}: documents issued: 1\n"
    assert issue(cast.billed) == f"{cast.billed}: documents issued: 0\n"
    receipt = text_of(page.get(f"/facility/reservations/{cast.billed}/receipt.pdf").data)
    for word in ("領収書", "14,850", "ご利用料金", cast.billed):
        assert word in receipt


def test_nothing_that_changes_later_reaches_what_was_issued(app: Flask, issue, visit, inside, cast):
    """COM-30, COM-33, COM-72: person removed, addresses and names changed; page and bytes stay as they were."""
    tenant: Any = app.extensions["tenants"].current().by_key["facility"]
    issue(cast.billed)
    page = visit("facility", "hanako")
    paths = [
        f"/facility/reservations/{cast.billed}/{kind}.pdf" for kind in ("invoice", "work-report")
    ]
    before = [page.get(path).data for path in paths]
    shown = (
        page.get(f"/facility/reservations/{cast.billed}")
        .text.split('id="related"')[1]
        .split("</section>")[0]
    )
    with inside("facility"):
        hanako = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        kenichi = session().scalars(select(Member).where(Member.login_id == "kenichi")).one()
        account = session().get_one(Account, hanako.account_id)
        account.name, account.city, hanako.family_name = "改称株式会社", "別の市", "別の姓"
        data = dict.fromkeys(contacts.FIELDS, "") | {"name": "新しい送付先"}
        contacts.add(tenant, account.id, Kind.BILLING, data, by=SYSTEM)
        members.hand_over(tenant, kenichi, by=SYSTEM)
        members.remove(tenant, hanako, by=SYSTEM)
        session().commit()
    after = visit("facility", "kenichi")
    assert [after.get(path).data for path in paths] == before
    assert (
        after.get(f"/facility/reservations/{cast.billed}")
        .text.split('id="related"')[1]
        .split("</section>")[0]
        == shown
    )
    with inside("facility"):
        for document in session().scalars(select(Document)):
            assert file_store().get(document.sha256) in before
        assert queries.any_reservation(cast.billed).contact["name"].endswith("花子")
