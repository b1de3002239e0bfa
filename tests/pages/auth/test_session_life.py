"""A session's life in the browser: its cookie, its ends, and who loses it (COM-10, COM-15, security.md §4.6, §4.7)."""

from __future__ import annotations

from datetime import timedelta
from http.cookies import SimpleCookie

import pytest

from portal import create_app
from portal.core import clock
from portal.core.db import db
from portal.settings import ROOT
from portal.shared.accounts.models import AccountStatus, MemberStatus
from portal.shared.auth.models import MemberSession, Throttle
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

HOST = "facility.localhost"
MINUTE = timedelta(minutes=1)


def cookie(visitor, name="portal", host=HOST):
    """The session's token in the visitor's browser; empty when there is none."""
    found = visitor.client.get_cookie(name, domain=host)
    return found.value if found else ""


def given_cookies(response):
    """What an answer sets, by name."""
    jar: SimpleCookie = SimpleCookie()
    for line in response.headers.getlist("Set-Cookie"):
        jar.load(line)
    return jar


def signed_in(visitor):
    """Whether the visitor sees their own pages."""
    return visitor.get("/facility/reservations").status_code == 200


@pytest.mark.parametrize(("scheme", "prefix"), [("http", ""), ("https", "__Host-")])
def test_cookies_are_for_one_host_for_the_server_alone_and_secure_over_https(
    database_url, make_settings, tmp_path, cheap_passwords, scheme, prefix
):
    """security.md §4.7: __Host- over HTTPS, HttpOnly, SameSite=Lax, no Domain, gone with the browser."""
    tenants = ROOT / "tests" / "tenants.toml"
    app = create_app(
        make_settings(database_url, home=tmp_path / "h", scheme=scheme, tenants_file=tenants)
    )
    visitor = Visitor(app, "facility")
    visitor.base = f"{scheme}://{HOST}"
    with clock.freeze(NOW):
        form = given_cookies(visitor.get("/sign-in"))
        answer = visitor.sign_in("hanako", PASSWORD)
        assert signed_in(visitor)
        goodbye = visitor.post("/sign-out", page="/account/password")
        assert not signed_in(visitor)
    with app.app_context():
        db.engine.dispose()
    session, cleared = (
        given_cookies(answer)[f"{prefix}portal"],
        given_cookies(goodbye)[f"{prefix}portal"],
    )
    for morsel in (session, cleared, form[f"{prefix}form"]):
        assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "Lax", "/")
        assert bool(morsel["secure"]) is (scheme == "https")
        assert morsel["domain"] == ""
    assert session["expires"] == session["max-age"] == ""
    assert len(session.value) >= 43  # 256 bits
    assert (cleared.value, cleared["max-age"]) == ("", "0")
    assert ("Strict-Transport-Security" in answer.headers) is (scheme == "https")


def test_a_cookie_planted_before_sign_in_is_worth_nothing_afterwards(visit):
    """security.md §4.6: a new token at each sign-in (session fixation)."""
    visitor, attacker = visit(), visit()
    for browser in (visitor, attacker):
        browser.client.set_cookie("portal", "planted-by-an-attacker", domain=HOST)
    assert not signed_in(visitor)
    visitor.sign_in("hanako", PASSWORD)
    first = cookie(visitor)
    assert first != "planted-by-an-attacker"
    assert signed_in(visitor)
    assert not signed_in(attacker)
    visitor.post(
        "/sign-in", {"login_id": "kenichi", "password": PASSWORD}, page="/account/password"
    )
    assert cookie(visitor) not in {first, ""}
    assert "健一" in visitor.get("/").text


@pytest.mark.parametrize("value", ["", "x", "0", "é\x01", "a" * 4000, "' OR 1=1 --"])
def test_a_made_up_cookie_is_no_session_and_no_crash(visit, value):
    """security.md §4.6"""
    visitor = visit()
    visitor.client.set_cookie("portal", value, domain=HOST)
    assert visitor.get("/facility/reservations").status_code == 303


def test_what_the_database_keeps_of_a_token_opens_nothing(visit, rows):
    """security.md §4.6: whoever reads the database cannot take a session over."""
    visit("facility", "hanako")
    visitor = visit()
    visitor.client.set_cookie("portal", rows(MemberSession)[0].token_digest, domain=HOST)
    assert not signed_in(visitor)


def test_another_brands_cookie_opens_nothing_here(visit):
    """COM-02, security.md §4.7: the row carries the tenant, also for a member with the same login ID and password."""
    studio, here = visit("studio", "hanako"), visit("facility")
    here.client.set_cookie("portal", cookie(studio, host="studio.localhost"), domain=HOST)
    assert not signed_in(here)
    assert signed_in(studio)


@pytest.mark.parametrize("sign_in_rules", ["idle_minutes = 30, absolute_hours = 2"])
def test_a_session_nobody_uses_ends_after_the_idle_time(visit, sign_in_rules):
    """security.md §4.6: each page keeps it alive, to the minute."""
    used, unused = visit("facility", "hanako"), visit("facility", "kenichi")
    with clock.freeze(NOW + 29 * MINUTE):
        assert signed_in(used)
    with clock.freeze(NOW + 30 * MINUTE):
        assert not signed_in(unused)
    with clock.freeze(NOW + 58 * MINUTE):
        assert signed_in(used)
        answer = unused.get("/account/profile")
        assert answer.headers["Location"] == "/sign-in?next=/account/profile"


@pytest.mark.parametrize("sign_in_rules", ["idle_minutes = 30, absolute_hours = 2"])
def test_a_session_ends_after_its_hours_however_busy_it_is(visit, sign_in_rules):
    """security.md §4.6"""
    visitor = visit("facility", "hanako")
    for minutes in (25, 50, 75, 100, 119):
        with clock.freeze(NOW + minutes * MINUTE):
            assert signed_in(visitor)
    with clock.freeze(NOW + 120 * MINUTE):
        assert not signed_in(visitor)


def test_use_is_noted_at_most_every_five_minutes(visit, rows):
    """security.md §4.6: pages read; a short write only now and then."""
    visitor = visit("facility", "hanako")
    for minutes, noted in ((4, 0), (5, 5), (9, 5), (10, 10)):
        with clock.freeze(NOW + minutes * MINUTE):
            assert signed_in(visitor)
        assert rows(MemberSession)[0].seen_at == NOW + noted * MINUTE


def test_signing_out_ends_the_row_so_that_a_copied_cookie_is_worthless(visit, rows):
    """security.md §4.6: ended in the database, not only in the browser; other browsers stay."""
    visitor, thief, elsewhere = visit("facility", "hanako"), visit(), visit("facility", "hanako")
    thief.client.set_cookie("portal", cookie(visitor), domain=HOST)
    assert signed_in(thief)
    answer = visitor.post("/sign-out", page="/account/password")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert "ログアウトしました。" in visitor.get("/sign-in").text
    assert cookie(visitor) == ""
    assert not signed_in(thief)
    assert signed_in(elsewhere)
    assert [row.ended_at for row in rows(MemberSession)] == [NOW, None]


def test_signing_out_takes_a_form_with_its_token(visit):
    """security.md §4.9, §4.10: no link and no other site signs anybody out."""
    visitor = visit("facility", "hanako")
    assert visitor.get("/sign-out").status_code == 405
    assert visitor.client.post("/sign-out", base_url=visitor.base).status_code == 400
    assert signed_in(visitor)


@pytest.mark.parametrize(
    "lost",
    [
        {"status": MemberStatus.LOCKED},
        {"status": MemberStatus.REMOVED},
        {"account": {"status": AccountStatus.WITHDRAWN}},
    ],
)
def test_who_is_locked_removed_or_withdrawn_is_out_at_once_and_stays_out(visit, alter, rows, lost):
    """COM-15, COM-16: the very next page asks to sign in, which is refused like a wrong password."""
    visitor, twin = visit("facility", "hanako"), visit("studio", "hanako")
    stranger = visit("facility", "yumi")
    assert signed_in(visitor)
    alter("hanako", **lost)
    assert visitor.get("/facility/reservations").status_code == 303
    with_password = visit().sign_in("hanako", PASSWORD)
    assert with_password.status_code == 422
    assert "入力内容に誤りがあります" in with_password.text
    assert visit().sign_in("kenichi", PASSWORD).status_code == (422 if "account" in lost else 303)
    assert signed_in(twin)
    assert signed_in(stranger)
    assert max(row.tries for row in rows(Throttle)) >= 1


def test_a_forced_change_leads_to_the_change_page_and_nothing_else_until_done(visit, alter):
    """COM-12: every page and form leads there; only signing out is let through; afterwards all is open."""
    alter("hanako", must_change_password=True)
    visitor = visit("facility", "hanako")
    for path in (
        "/",
        "/facility/reservations",
        "/facility/reservations/FR000001",
        "/account/profile",
        "/facility/reservations.csv",
    ):
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers.get("Location")) == (303, "/account/password"), (
            path
        )
    posted = visitor.post("/account/profile", {"family_name": "別名"}, page="/account/password")
    assert (posted.status_code, posted.headers["Location"]) == (303, "/account/password")
    page = "/account/password"
    assert visitor.get(page).status_code == 200
    new = "brand-New-Leaf-58"
    form = {"old_password": PASSWORD, "password": new, "again": new}
    for wrong in (
        {"old_password": "not-the-old-1"},
        {"again": new + "x"},
        {"password": "short", "again": "short"},
    ):
        assert visitor.post(page, form | wrong).status_code == 422
        assert visitor.get("/").status_code == 303
    same = visitor.post(page, {"old_password": PASSWORD, "password": PASSWORD, "again": PASSWORD})
    assert "現在と同じパスワードは使えません。" in same.text
    assert visitor.post(page, form).headers["Location"] == "/"
    assert signed_in(visitor)
    assert visit().sign_in("hanako", PASSWORD).status_code == 422
    assert signed_in(visit_with(visit, new))


def test_a_forced_change_can_be_put_off_by_signing_out(visit, alter):
    """COM-12: and it waits at the next sign-in."""
    alter("hanako", must_change_password=True)
    visitor = visit("facility", "hanako")
    assert visitor.post("/sign-out", page="/account/password").headers["Location"] == "/sign-in"
    assert visit("facility", "hanako").get("/").headers["Location"] == "/account/password"


def test_a_changed_password_ends_the_members_other_sessions_and_only_those(visit):
    """COM-15: the browser it was changed in stays; colleagues and the twin brand are untouched."""
    here, elsewhere = visit("facility", "hanako"), visit("facility", "hanako")
    colleague, twin = visit("facility", "kenichi"), visit("studio", "hanako")
    new = "brand-New-Leaf-58"
    here.post("/account/password", {"old_password": PASSWORD, "password": new, "again": new})
    assert [signed_in(v) for v in (here, elsewhere, colleague, twin)] == [True, False, True, True]


def test_an_operator_ends_all_sessions_of_a_member(visit, run):
    """COM-15, OPS-13"""
    browsers = [
        visit("facility", "hanako"),
        visit("facility", "hanako"),
        visit("facility", "kenichi"),
    ]
    assert (
        run.invoke(args=["members", "end-sessions", "hanako", "--tenant", "facility"]).exit_code
        == 0
    )
    assert [signed_in(v) for v in browsers] == [False, False, True]


def visit_with(visit, password):
    """Hanako's visit with another password."""
    visitor = visit()
    visitor.sign_in("hanako", password)
    return visitor
