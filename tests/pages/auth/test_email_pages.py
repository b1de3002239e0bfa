"""RENT-11, SHOP-03: the pages of a changed address; every dead link ends in the same calm answer."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member
from tests.cast import NOW, PASSWORD

NEW = {"email": "neu@one.example", "again": "neu@one.example"}
ASK = NEW | {"present": "hanako@one.example", "password": PASSWORD}
OLD_WAY = pytest.mark.parametrize(
    "sign_in_rules", ['items = "login_id_password", email_change = "old_address"'], indirect=False
)
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def link(rows):
    """The newest mailed path below `path`."""

    def find(path: str, tenant: str = "facility") -> str:
        bodies = [mail.body for mail in rows(OutboxMail, tenant)]
        return re.findall(rf"(/{path}/[\w-]+)", "\n".join(bodies))[-1]

    return find


def email_of(rows, login_id: str = "hanako") -> str:
    return next(m.email for m in rows(Member) if m.login_id == login_id)


def test_an_address_is_changed_by_the_pages(visit, rows, link):
    """SHOP-03: a scanner that opens the link changes nothing; the button does, once."""
    visitor = visit("facility", "hanako")
    assert visitor.post("/account/email", ASK).location == "/account/email/sent"
    stranger, proof = visit("facility"), link("prove-email")
    for _look in range(2):
        assert "変更する" in stranger.get(proof).text
    assert email_of(rows) == "hanako@one.example"
    assert stranger.post(proof).location == "/sign-in"
    assert email_of(rows) == "neu@one.example"
    for method in (stranger.get, lambda path: stranger.post(path, page="/sign-in")):
        dead = method(proof)
        assert (dead.status_code, "無効か、期限が切れています" in dead.text) == (422, True)
    assert stranger.post(link("undo-email")).location == "/sign-in"
    assert email_of(rows) == "hanako@one.example"


@ONE
def test_addresses_that_differ_are_told_apart_and_kept(visit, rows):
    """COM-23: at the field; the password is not given back."""
    answer = visit("facility", "hanako").post("/account/email", ASK | {"again": "neo@one.example"})
    assert answer.status_code == 422
    assert "メールアドレスが一致しません" in answer.text
    assert 'value="neo@one.example"' in answer.text
    assert PASSWORD not in answer.text


@OLD_WAY
def test_the_old_address_leads_to_where_the_new_one_is_typed(visit, rows, link, sign_in_rules):
    """RENT-11"""
    visitor, stranger = visit("facility", "hanako"), visit("facility")
    assert visitor.get("/account/email").location == "/account/email/request"
    assert "変更依頼" in visitor.get("/account/email/request").text
    assert visitor.post("/account/email/request").location == "/account/email/sent"
    typed = link("change-email")
    slip = stranger.post(typed, NEW | {"again": "x@one.example"})
    assert (slip.status_code, 'value="neu@one.example"' in slip.text) == (422, True)
    assert stranger.post(typed, NEW).location == "/sign-in"
    assert stranger.get(typed).status_code == 422
    assert stranger.post(link("prove-email")).location == "/sign-in"
    assert email_of(rows) == "neu@one.example"


@ONE
@pytest.mark.parametrize(
    "sign_in_rules", ['items = "login_id_password", email_change = "operator"']
)
def test_where_an_operator_does_it_the_page_says_whom_to_ask(visit, sign_in_rules):
    """COM-03"""
    page = visit("facility", "hanako").get("/account/email/request")
    assert "03-0000-0001" in page.text
    assert '<form method="post" action="/account/email' not in page.text


@ONE
def test_every_dead_link_is_the_same_calm_page(visit, rows, link, alter):
    """security.md §4.12: made up, swapped for another purpose, of another brand, expired, of a locked member."""
    visit("facility", "hanako").post("/account/email", ASK)
    proof = link("prove-email")
    token = proof.rpartition("/")[2]
    stranger, elsewhere = visit("facility"), visit("studio")
    pages = [
        stranger.get(f"/{path}/{value}")
        for path, value in (
            ("prove-email", "x" * 43),
            ("undo-email", token),
            ("change-email", token),
            ("set-password", token),
            ("not-me", token),
        )
    ]
    pages.append(elsewhere.get(proof))
    with clock.freeze(NOW + timedelta(minutes=31)):
        pages.append(stranger.get(proof))
    alter("hanako", status="locked")
    pages.append(stranger.get(proof))
    assert {page.status_code for page in pages} == {422}
    calm = "このリンクは無効か、期限が切れています。お手数ですが、もう一度お手続きください。"
    assert all(calm in page.text for page in pages)
    assert email_of(rows) == "hanako@one.example"


@ONE
@pytest.mark.parametrize(
    ("sign_in_rules", "get", "post"),
    [
        ('items = "login_id_password", email_change = "password"', 404, 404),
        ('items = "login_id_password", email_change = "operator"', 200, 404),
    ],
)
def test_a_way_that_a_brand_does_not_have_is_no_page(visit, sign_in_rules, get, post):
    """COM-03"""
    visitor = visit("facility", "hanako")
    assert visitor.get("/account/email/request").status_code == get
    assert visitor.post("/account/email/request", page="/account/password").status_code == post


@ONE
@pytest.mark.parametrize("sign_in_rules", ['items = "login_id_password", managed_by = "operator"'])
def test_where_an_operator_looks_after_members_there_are_no_pages_for_it(visit, sign_in_rules):
    """COM-03: no link either."""
    visitor = visit("facility", "hanako")
    for path in ("", "/new", "/new/done"):
        assert visitor.get(f"/account/members{path}").status_code == 404, path
    tabs = visitor.get("/account/profile").text.split('class="tabs"')[1].split("</nav>")[0]
    assert "/account/members" not in tabs
