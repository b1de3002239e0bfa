"""COM-21: every list downloads as CSV that Excel in Japan opens right, holding the account's own rows."""

from __future__ import annotations

import csv
import io

import pytest

ADDRESS = {
    "name": "=経理センター",
    "department": "経理部",
    "person": "森",
    "postal_code": "1440035",
    "prefecture": "東京都",
    "city": "大田区",
    "street": "南蒲田9-99-1",
    "telephone": "0300001009",
}


def rows(answer) -> list[list[str]]:
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))


def test_members_and_addresses(visit):
    """COM-21, COM-30, COM-31: as people write them; what would be a formula is text."""
    page = visit("facility", "hanako")
    found = rows(page.get("/account/members.csv"))
    assert found[0][:3] == ["お名前", "部署名", "メールアドレス"]
    assert [(row[2], row[4]) for row in found[1:]] == [
        ("hanako@one.example", "○"),
        ("kenichi@one.example", ""),
    ]
    assert found[1][5].endswith("担当者の管理")
    assert not found[2][5].endswith("担当者の管理")
    form = "/billing-addresses/new"
    kept = page.post(form, ADDRESS)
    page.post(f"{form}/confirm", {"draft": kept.location.rpartition("=")[2]}, page=form)
    found = rows(page.get("/billing-addresses.csv"))
    assert found[0][0] == "請求書送付先"
    assert len(found) == 2
    assert found[1][0] == "'=経理センター"
    assert found[1][4] in page.get("/billing-addresses").text
    assert rows(visit("facility", "yumi").get("/billing-addresses.csv"))[1:] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_inquiries_and_documents(visit, run, cast):
    """COM-21, COM-51, COM-73: the search counts; another account's list is empty."""
    page, form = visit("facility", "hanako"), "/inquiries/new?category=other"
    kept = page.post(form, {"body": "お願いします。", "agreed": "y"})
    page.post("/inquiries/new/confirm", {"draft": kept.location.rpartition("=")[2]}, page=form)
    assert (
        run.invoke(args=["facility", "issue", cast.billed, "--tenant", "facility"]).exit_code == 0
    )
    (asked,) = rows(page.get("/inquiries.csv"))[1:]
    assert (asked[1], asked[2], asked[5]) == ("お願いします。", "その他お問合せ", "受付")
    assert rows(page.get("/inquiries.csv?status=closed"))[1:] == []
    issued = rows(page.get("/documents.csv"))[1:]
    assert {(row[0], row[1], row[4]) for row in issued} == {
        ("FI000001", "請求書", "14850"),
        ("FW000001", "作業完了報告書", ""),
    }
    stranger = visit("facility", "yumi")
    assert (
        rows(stranger.get("/inquiries.csv"))[1:] == rows(stranger.get("/documents.csv"))[1:] == []
    )
