"""domain-facts.md: what an account lets each member do (見積・発注・請求・サポート・管理), held to by every page."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.shared.accounts.models import Member
from portal.shared.members import operations as members

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SAID = "この操作の権限がありません。代表の方にご相談ください。"
PAGES = {
    "billing": [
        "/documents",
        "/documents.csv",
        "/documents/month.zip?month=2026-11",
        "/billing-addresses/new",
    ],
    "orders": [
        "/facility/facilities/LC-01/reservation",
        "/facility/facilities/LC-01/reservation/confirm",
    ],
    "support": ["/inquiries/new", "/inquiries/new/confirm"],
}


@pytest.fixture
def kenichi(inside):
    """Give the ordinary member these rights and no others; gives his number."""

    def give(rights: str) -> str:
        with inside("facility"):
            member = session().scalars(select(Member).where(Member.login_id == "kenichi")).one()
            member.rights = rights
            session().commit()
            return members.number_of(member)

    return give


@ONE
@pytest.mark.parametrize("right", list(PAGES))
def test_a_page_is_for_who_has_its_right(kenichi, visit, right):
    """One right taken away closes its pages and no others; having it alone opens them."""
    everything = {"quotes", "orders", "billing", "support", "manage"}
    kenichi(",".join(everything - {right}))
    page = visit("facility", "kenichi")
    for name, paths in PAGES.items():
        for path in paths:
            answer = page.get(path)
            assert (answer.status_code == 403) is (name == right), path
            assert (SAID in answer.text) is (name == right), path
    kenichi(right)
    for path in PAGES[right]:
        assert page.get(path).status_code != 403, path


@ONE
def test_forms_refuse_as_well_as_pages(kenichi, visit, cast):
    """No form that was open before, or made by hand, does what its sender may not."""
    page = visit("facility", "kenichi")
    kenichi("")
    for path in (
        "/facility/facilities/LC-01/reservation",
        "/facility/facilities/LC-01/reservation/confirm",
        "/inquiries/new",
        "/inquiries/new/confirm",
        "/billing-addresses/new",
        "/billing-addresses/new/confirm",
        "/billing-addresses/0/usual",
        "/billing-addresses/0/removal",
    ):
        assert page.post(path, page="/account/profile").status_code == 403, path
    assert page.get(f"/facility/reservations/{cast.billed}/invoice.pdf").status_code == 403


@ONE
def test_what_one_may_not_do_is_off_with_its_reason(kenichi, visit, cast):
    """COM-20: no way in the navigation, a button that says why, and all else as before."""
    kenichi("")
    page = visit("facility", "kenichi")
    top = page.get("/").text
    assert 'href="/documents"' not in top
    assert 'href="/inquiries/new"' not in top
    shown = page.get(f"/facility/reservations/{cast.requested}").text
    assert shown.count(SAID) >= 3
    assert "/inquiries/new?category=change" not in shown
    for path in ("/billing-addresses", "/inquiries", "/facility/facilities/LC-01"):
        answer = page.get(path)
        assert (answer.status_code, SAID in answer.text) == (200, True), path
    kenichi("quotes,orders,billing,support")
    assert 'href="/documents"' in page.get("/").text
    assert 'href="/documents"' in visit("facility", "hanako").get("/").text


@ONE
def test_the_representative_may_do_everything(inside, visit):
    """Whatever stands in the record."""
    with inside("facility"):
        session().scalars(select(Member).where(Member.login_id == "hanako")).one().rights = ""
        session().commit()
    page = visit("facility", "hanako")
    for path in (path for paths in PAGES.values() for path in paths):
        assert page.get(path).status_code != 403, path


def test_the_representative_says_who_may_do_what(kenichi, visit, inside):
    """COM-22, COM-26, COM-90: ticked, confirmed in words, saved, audited, in force at once."""
    number = kenichi("quotes,orders,billing,support")
    page, path = visit("facility", "hanako"), f"/account/members/{number}"
    form = page.get(path).text
    assert len(re.findall(r'name="rights"[^>]*checked|checked[^>]*name="rights"', form)) == 3
    names = {"family_name": "健一", "given_name": "健一", "version": "1"}
    kept = page.post(path, names | {"rights": ["support", "manage"]})
    assert "お問い合わせ、担当者の管理" in page.get(kept.location).text
    token = kept.location.rpartition("=")[2]
    assert page.post(f"{path}/confirm", {"draft": token}, page=path).location == f"{path}/done"
    with inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "kenichi")).one()
        assert member.rights == "quotes,support,manage", "what this brand does not offer stays"
        event = (
            session().scalars(select(AuditEvent).where(AuditEvent.action == "member.profile")).one()
        )
        assert event.changes["rights"] == ["quotes,orders,billing,support", "quotes,support,manage"]
    colleague = visit("facility", "kenichi")
    assert colleague.get("/documents").status_code == 403
    assert colleague.get("/account/members/new").status_code == 200


@ONE
def test_nobody_gives_rights_to_themself(kenichi, visit, inside):
    """Nor to the representative, nor without the right to manage; a form made by hand gives none."""
    number = kenichi("manage")
    page, path = visit("facility", "kenichi"), f"/account/members/{number}"
    assert 'name="rights"' not in page.get(path).text
    names = {
        "family_name": "健一",
        "given_name": "健一",
        "version": "1",
        "rights": ["billing", "manage"],
    }
    kept = page.post(path, names)
    page.post(f"{path}/confirm", {"draft": kept.location.rpartition("=")[2]}, page=path)
    with inside("facility"):
        assert (
            session().scalars(select(Member).where(Member.login_id == "kenichi")).one().rights
            == "manage"
        )
        hanako = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        of_hanako = members.number_of(hanako)
    assert 'name="rights"' not in page.get(f"/account/members/{of_hanako}").text


@ONE
def test_a_new_member_gets_what_was_ticked(visit, inside):
    """RENT-10: all but the management, unless said otherwise."""
    page, path = visit("facility", "hanako"), "/account/members/new"
    assert (
        len(re.findall(r'name="rights"[^>]*checked|checked[^>]*name="rights"', page.get(path).text))
        == 3
    )
    typed = {
        "family_name": "加藤",
        "given_name": "光",
        "login_id": "kato",
        "email": "kato@one.example",
    }
    kept = page.post(path, typed | {"rights": ["billing"]})
    page.post(f"{path}/confirm", {"draft": kept.location.rpartition("=")[2]}, page=path)
    with inside("facility"):
        assert (
            session().scalars(select(Member).where(Member.login_id == "kato")).one().rights
            == "billing"
        )
