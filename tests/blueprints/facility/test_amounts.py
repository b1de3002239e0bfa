"""What the account pays is for whom it lets see that: 請求・帳票 (docs/decisions/rights.md)."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from portal.blueprints.facility import operations
from portal.blueprints.facility.models import Reservation
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member

TOTAL = re.compile(r"[¥￥]|14,?850|13,?500")
"""An amount as it is written, and what the cast's billed reservation costs with tax and without."""
PRICE_LIST = {"facility.facilities", "facility.facility"}
"""What a use costs everybody is no amount of the account: whoever orders must know it."""
OTHERS = {"documents", "auth", "home.theme", "home.script", "health", "demo", "static"}


@pytest.fixture
def may(inside):
    """Let the ordinary member of the cast do this and nothing else."""

    def give(rights: str) -> None:
        with inside("facility"):
            member = session().scalars(select(Member).where(Member.login_id == "kenichi")).one()
            member.rights = rights
            session().commit()

    return give


def pages(app: Flask) -> list[str]:
    """Every address of the facility brand that is read, with the cast's numbers in it."""
    known = {"number": "FR000002", "slug": "work-report", "code": "LC-01"}
    found = []
    for rule in app.url_map.iter_rules():
        is_other = {rule.endpoint, rule.endpoint.partition(".")[0]} & (OTHERS | PRICE_LIST)
        if "GET" not in (rule.methods or ()) or is_other or not rule.arguments <= set(known):
            continue
        values = {name: known[name] for name in rule.arguments}
        built = rule.build(values, append_unknown=False)
        assert built
        found.append(built[1])
    return sorted(found)


def test_no_page_list_or_file_shows_an_amount_without_the_right(app, visit, may, cast):
    """Every page, CSV file and card that a member may open; the representative sees the amounts where they stand."""
    may("quotes,orders,support,manage")
    visitor, boss = visit("facility", "kenichi"), visit("facility", cast.representative)
    shown_to_boss = set()
    for path in pages(app):
        answer = visitor.get(path)
        assert not TOTAL.search(answer.text), path
        if TOTAL.search(boss.get(path).text):
            shown_to_boss.add(path)
    assert {
        "/",
        "/facility/reservations",
        "/facility/reservations.csv",
        "/facility/reservations/FR000002",
    } <= shown_to_boss


def test_who_has_the_right_sees_amounts_and_who_has_not_reads_why_not(visit, may):
    """The reason stands beside what is not shown."""
    visitor, why = visit("facility", "kenichi"), "「請求・帳票」の権限のある方にだけ"
    may("billing")
    page = visitor.get("/facility/reservations/FR000002").text
    assert "¥14,850" in page
    assert why not in page
    may("orders")
    page = visitor.get("/facility/reservations/FR000002").text
    assert "非表示" in page
    assert why in page
    assert "非表示" in visitor.get("/facility/reservations.csv").text


def test_the_charge_of_a_cancellation_today_is_an_amount_too(visit, may):
    """FAC-05: the share is the brand's rule, the sum is the account's."""
    may("support,orders")
    page = visit("facility", "kenichi").get("/facility/reservations/FR000001").text
    assert "キャンセル" in page
    assert "¥" not in page


def test_the_price_list_is_for_everybody(visit, may):
    """FAC-11: what an hour costs."""
    may("orders")
    assert "¥4,500" in visit("facility", "kenichi").get("/facility/facilities").text


@pytest.mark.parametrize(("rights", "is_shown"), [("billing", True), ("orders,support", False)])
def test_a_mail_about_a_bill_names_the_amount_to_who_may_see_it(app, inside, may, rights, is_shown):
    """COM-80: the contact of a reservation is whoever asked for it."""
    may(rights)
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        billed = (
            session().scalars(select(Reservation).where(Reservation.number == "FR000002")).one()
        )
        billed.contact = billed.contact | {"email": "kenichi@one.example"}
        operations.LIFE.notify(tenant, billed)
        session().commit()
        mails = select(OutboxMail.body).where(OutboxMail.recipient == "kenichi@one.example")
        [body] = session().scalars(mails)
    assert ("¥14,850" in body) is is_shown
    assert "お支払期限" in body


@pytest.mark.parametrize(("rights", "money"), [("billing", 200), ("orders,support", 403)])
def test_a_document_has_one_answer_wherever_it_is_asked_for(run, visit, may, cast, rights, money):
    """COM-73: a work report bears no amount, not even in its name; all else is for 請求・帳票, on both addresses."""
    for step in ("pay", "issue"):
        words = ["facility", step, cast.billed, "--tenant", "facility"]
        assert run.invoke(args=words).exit_code == 0
    may(rights)
    visitor = visit("facility", "kenichi")
    for slug, address, expected in (
        ("work-report", "work_report/FW000001", 200),
        ("invoice", "invoice/FI000001", money),
        ("receipt", "receipt/RC00000001", money),
    ):
        for path in (
            f"/facility/reservations/{cast.billed}/{slug}.pdf",
            f"/documents/{address}.pdf",
        ):
            answer = visitor.get(path)
            assert answer.status_code == expected, path
            if slug == "work-report":
                assert not TOTAL.search(answer.headers["Content-Disposition"])
    assert visitor.get("/documents/nothing/FW000001.pdf").status_code == (
        404 if money == 200 else 403
    )
