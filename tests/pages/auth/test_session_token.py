"""A session's token and a form's token: which acts replace them, and what the old ones are worth (security.md §4.6)."""

from __future__ import annotations

import pytest

from portal.shared.auth.models import MemberSession
from tests.cast import PASSWORD

HOST = "facility.localhost"
NEW = "brown-Rice-and-31-bowls"
STEP_UPS = {
    "/account/proof": {"password": PASSWORD},
    "/account/password": {"old_password": PASSWORD, "password": NEW, "again": NEW},
}


def token_of(visitor):
    """The session's token in the visitor's browser; empty when there is none."""
    found = visitor.client.get_cookie("portal", domain=HOST)
    return found.value if found else ""


def with_token(visit, token):
    """Another browser that somebody put this token into."""
    other = visit()
    other.client.set_cookie("portal", token, domain=HOST)
    return other


def signed_in(visitor):
    """Whether the visitor sees their own pages."""
    return visitor.get("/facility/reservations").status_code == 200


@pytest.mark.parametrize("page", STEP_UPS)
def test_a_typed_password_gives_the_session_another_token(visit, rows, page):
    """security.md §4.6, §4.17: a token that leaked before is worth nothing after; the session goes on."""
    visitor = visit("facility", "hanako")
    before = token_of(visitor)
    assert visitor.post(page, STEP_UPS[page]).status_code == 303
    assert token_of(visitor) not in {before, ""}
    assert signed_in(visitor)
    assert not signed_in(with_token(visit, before))
    assert [row.ended_at for row in rows(MemberSession)] == [None]


def test_a_wrong_password_leaves_the_token_as_it_is(visit):
    """security.md §4.6"""
    visitor = visit("facility", "hanako")
    before = token_of(visitor)
    assert visitor.post("/account/proof", {"password": "wrong-one-1"}).status_code == 422
    assert token_of(visitor) == before
    assert signed_in(visitor)


@pytest.mark.parametrize("who", ["hanako", "kenichi"])
def test_signing_in_anew_ends_the_session_that_it_replaces(visit, who):
    """security.md §4.6: nobody can reach it any more, save who copied its cookie."""
    visitor, elsewhere = visit("facility", "hanako"), visit("facility", "hanako")
    before = token_of(visitor)
    assert visitor.sign_in(who, PASSWORD).status_code == 303
    assert signed_in(visitor)
    assert not signed_in(with_token(visit, before))
    assert signed_in(elsewhere)


def test_a_refused_sign_in_ends_no_session(visit):
    """security.md §4.6: nor does one at another brand."""
    visitor = visit("facility", "hanako")
    assert visitor.sign_in("hanako", "wrong-one-1").status_code == 422
    assert signed_in(visitor)
    assert with_token(visit, token_of(visitor)).get("/facility/reservations").status_code == 200
    studio = visit("studio")
    studio.client.set_cookie("portal", token_of(visitor), domain="studio.localhost")
    assert studio.sign_in("hanako", PASSWORD).status_code == 303
    assert signed_in(visitor)


@pytest.mark.parametrize("sign_in_rules", ['second_factor = "required", factors = ["mail"]'])
def test_a_second_step_that_is_begun_anew_ends_the_one_before(visit, sign_in_rules):
    """security.md §4.6, §4.13: a browser waits for one second step at a time."""
    visitor = visit()
    visitor.sign_in("hanako", PASSWORD)
    first = token_of(visitor)
    assert with_token(visit, first).get("/sign-in/second-step").status_code == 200
    visitor.sign_in("kenichi", PASSWORD)
    assert with_token(visit, first).get("/sign-in/second-step").status_code == 303
    assert visitor.get("/sign-in/second-step").status_code == 200


def test_no_forms_token_outlives_a_sign_in_or_a_sign_out(visit):
    """security.md §4.9: whoever planted or read one before the sign-in sends nothing in the member's name."""
    visitor = visit()

    def send(token):
        data = {"csrf_token": token, "old_password": "x", "password": "x", "again": "x"}
        return visitor.client.post("/account/password", base_url=visitor.base, data=data)

    before = visitor.token("/sign-in")
    visitor.post("/sign-in", {"csrf_token": before, "login_id": "hanako", "password": PASSWORD})
    assert signed_in(visitor)
    assert send(before).status_code == 400
    inside = visitor.token("/account/password")
    assert send(inside).status_code == 422
    visitor.post("/sign-out", {"csrf_token": inside})
    assert "ログアウトしました。" in visitor.get("/sign-in").text
    again = {"csrf_token": inside, "login_id": "hanako", "password": PASSWORD}
    assert visitor.client.post("/sign-in", base_url=visitor.base, data=again).status_code == 400


@pytest.mark.parametrize("value", ["", "1", "1|0123abcd", "é" * 9])
def test_a_cookie_that_remembers_somebody_is_ignored(visit, app, value):
    """security.md §4.7: Flask-Login's own cookie neither lets in nor throws out."""
    from flask_login.utils import encode_cookie

    visitor, stranger = visit("facility", "hanako"), visit()
    with app.app_context():
        forged = encode_cookie("1") if value == "1" else value
    for browser in (visitor, stranger):
        browser.client.set_cookie("remember_token", forged, domain=HOST)
    assert signed_in(visitor)
    assert stranger.get("/facility/reservations").status_code == 303
    assert stranger.get("/sign-in").status_code == 200
