"""How a request finds its tenant and member."""

from __future__ import annotations


def test_an_unknown_host_gets_a_plain_404_that_names_no_tenant_COM_01(client):
    response = client.get("/", base_url="http://nobody.localhost")
    assert response.status_code == 404
    assert "試験" not in response.text


def test_a_page_asks_to_sign_in_and_leads_back_COM_10(visit):
    response = visit().get("/facility/reservations?status=paid")
    assert response.status_code == 303
    assert response.headers["Location"] == "/sign-in?next=/facility/reservations%3Fstatus%3Dpaid"


def test_a_member_sees_their_page_COM_20_FAC_01(visit):
    page = visit("facility", "hanako").get("/")
    assert page.status_code == 200
    assert "FR000001" in page.text
