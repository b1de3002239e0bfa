"""Signing in with a second step, by pages: mailed code, authenticator app, recovery code, trusted device."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Factor, Member
from portal.shared.auth import second_factor
from tests.cast import NOW, PASSWORD

STEP, CHOICE, APP = "/sign-in/second-step", "/account/second-factor", "/account/second-factor/app"
WRONG = "認証コードが正しくないか、有効期限が切れています。"
RENEWAL = "/account/second-factor/recovery-codes"
rules = pytest.mark.parametrize


@pytest.fixture
def newest(rows):
    """The code in the newest mail."""
    return lambda: re.findall(
        r"^([0-9]{6})$",
        [m.body for m in rows(OutboxMail) if m.event == "second_step"][-1],
        re.MULTILINE,
    )[0]


@pytest.fixture
def chosen(visit):
    """A visitor whose member has chosen mailed codes, and has signed out."""
    visitor = visit("facility", "hanako")
    answer = visitor.post(CHOICE, {"choice": "mail", "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    visitor.post("/sign-out", page=CHOICE)
    return visitor


def with_app(visitor):
    """Set an app up; its key and the recovery codes."""
    page = visitor.get(APP).text
    secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", page)[0].replace(" ", "")
    nonce = re.findall(r'name="nonce"[^>]*value="([0-9a-f]+)"', page)[0]
    assert 'src="data:image/svg+xml' in page
    data = {"nonce": nonce, "code": shown(secret), "password": PASSWORD}
    return secret, nonce, visitor.post(APP, data)


def shown(secret):
    """What the member's phone shows now."""
    import base64

    return second_factor.code_at(base64.b32decode(secret), int(clock.now().timestamp()) // 30)


def test_the_mailed_code_lets_in_with_a_new_session(chosen, visit, newest):
    """RENT-05, COM-13: until then nothing opens; spaces and full width are forgiven; `next` is kept."""
    visitor = visit()
    answer = visitor.post(
        "/sign-in?next=/facility/reservations", {"login_id": "hanako", "password": PASSWORD}
    )
    assert answer.headers["Location"] == f"{STEP}?next=/facility/reservations"
    before = visitor.client.get_cookie("portal", domain="facility.localhost").value
    assert visitor.get("/facility/reservations").status_code == 303
    assert "h***@one.example" in visitor.get(STEP).text
    code = newest()
    wide = code.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    answer = visitor.post(
        f"{STEP}?next=/facility/reservations", {"code": f" {wide[:3]} {wide[3:]}"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/facility/reservations")
    assert visitor.client.get_cookie("portal", domain="facility.localhost").value != before
    assert visitor.get("/facility/reservations").status_code == 200
    assert visitor.get(STEP).headers["Location"] == "/sign-in"


def test_wrong_foreign_and_expired_codes_get_one_calm_answer(chosen, visit, newest):
    """§4.13: another session's code is as wrong as a made-up one; after ten minutes so is one's own."""
    first, second = visit(), visit()
    first.sign_in("hanako", PASSWORD)
    foreign = newest()
    second.sign_in("hanako", PASSWORD)
    own = newest()
    for typed in (foreign, f"{(int(own) + 1) % 10**6:06}", "abcdef"):
        answer = second.post(STEP, {"code": typed})
        assert answer.status_code == 422
        assert WRONG in answer.text
    with clock.freeze(NOW + timedelta(minutes=10)):
        assert WRONG in second.post(STEP, {"code": own}).text
    with clock.freeze(NOW + timedelta(minutes=16)):
        assert second.get(STEP).headers["Location"] == "/sign-in"


def test_a_code_can_be_sent_again_after_a_minute_five_times_an_hour(visit, chosen, newest):
    """§4.13: the one before dies."""
    visitor = visit()
    visitor.sign_in("hanako", PASSWORD)
    old = newest()
    soon = visitor.post(f"{STEP}/send", page=STEP)
    assert (soon.status_code, soon.headers["Retry-After"]) == (429, "60")
    for turn in range(1, 7):
        with clock.freeze(NOW + timedelta(seconds=61 * turn)):
            assert visitor.post(f"{STEP}/send", page=STEP).status_code == (303 if turn < 6 else 429)
    with clock.freeze(NOW + timedelta(seconds=400)):
        if old != newest():
            assert visitor.post(STEP, {"code": old}).status_code == 422
        assert visitor.post(STEP, {"code": newest()}).status_code == 303


def test_a_trusted_device_is_not_asked_until_it_is_revoked(chosen, visit, newest):
    """COM-13: only the device that was ticked, for the tenant's days, and no longer than it is known."""
    visitor = visit()
    visitor.sign_in("hanako", PASSWORD)
    assert visitor.post(STEP, {"code": newest(), "trust": "y"}).status_code == 303
    visitor.post("/sign-out", page=CHOICE)
    assert visitor.sign_in("hanako", PASSWORD).headers["Location"] == "/"
    assert visit().sign_in("hanako", PASSWORD).headers["Location"] == STEP
    page = visitor.get("/account/security").text
    for number in re.findall(r"/account/security/devices/(\w+)/removal", page):
        visitor.post(f"/account/security/devices/{number}/removal", page="/account/security")
    visitor.post("/sign-out", page=CHOICE)
    assert visitor.sign_in("hanako", PASSWORD).headers["Location"] == STEP


def test_trust_runs_out(chosen, visit, newest):
    """COM-13"""
    visitor = visit()
    visitor.sign_in("hanako", PASSWORD)
    visitor.post(STEP, {"code": newest(), "trust": "y"})
    with clock.freeze(NOW + timedelta(days=30)):
        assert visitor.sign_in("hanako", PASSWORD).status_code == 303
        assert visitor.get(STEP).status_code == 200


def test_an_app_is_set_up_with_its_code_and_a_code_counts_once(visit, rows):
    """§4.14, §4.15: recovery codes are shown once, stand in once each, and can be made anew."""
    visitor = visit("facility", "hanako")
    secret, nonce, answer = with_app(visitor)
    recovery = re.findall(r"<code>(\w{5}-\w{5})</code>", answer.text)
    assert (answer.status_code, len(set(recovery))) == (200, 10)
    member = next(row for row in rows(Member) if row.login_id == "hanako")
    assert (member.second_factor, member.totp_nonce) == (Factor.TOTP, nonce)
    assert [m.event for m in rows(OutboxMail)].count("second_factor_changed") == 1
    visitor.post("/sign-out", page=CHOICE)
    assert visitor.sign_in("hanako", PASSWORD).headers["Location"] == STEP
    assert visitor.post(STEP, {"code": shown(secret)}).status_code == 422  # the one that set it up
    with clock.freeze(NOW + timedelta(seconds=60)):
        assert visitor.post(STEP, {"code": shown(secret)}).status_code == 303
        visitor.post("/sign-out", page=CHOICE)
        visitor.sign_in("hanako", PASSWORD)
        assert WRONG in visitor.post(STEP, {"code": shown(secret)}).text
        assert visitor.post(STEP, {"code": recovery[0].lower()}).status_code == 303
        visitor.post("/sign-out", page=CHOICE)
        visitor.sign_in("hanako", PASSWORD)
        assert visitor.post(STEP, {"code": recovery[0]}).status_code == 422
        assert visitor.post(STEP, {"code": recovery[1]}).status_code == 303
        assert "残り8個" in visitor.get(CHOICE).text
        assert visitor.post(RENEWAL, {"password": "Wrong-again-1"}).status_code == 422
        anew = visitor.post(RENEWAL, {"password": PASSWORD}).text
        assert len(re.findall(r"<code>\w{5}-\w{5}</code>", anew)) == 10
        visitor.post("/sign-out", page=CHOICE)
        visitor.sign_in("hanako", PASSWORD)
        assert visitor.post(STEP, {"code": recovery[2]}).status_code == 422


def test_an_app_can_be_guessed_at_five_times(visit):
    """§4.14: then the right code waits as well."""
    visitor = visit("facility", "hanako")
    secret, _nonce, _answer = with_app(visitor)
    visitor.post("/sign-out", page=CHOICE)
    with clock.freeze(NOW + timedelta(seconds=60)):
        visitor.sign_in("hanako", PASSWORD)
        tries = [visitor.post(STEP, {"code": "wrong"}).status_code for _turn in range(5)]
        assert tries == [422] * 5
        assert visitor.post(STEP, {"code": shown(secret)}).status_code == 429


def test_nothing_changes_without_the_password_or_the_apps_code(visit, rows):
    """§4.17, COM-13"""
    visitor = visit("facility", "hanako")
    page = visitor.get(APP).text
    nonce = re.findall(r'name="nonce"[^>]*value="([0-9a-f]+)"', page)[0]
    assert visitor.post(CHOICE, {"choice": "mail", "password": "Wrong-again-1"}).status_code == 422
    assert visitor.post(CHOICE, {"choice": "totp", "password": PASSWORD}).status_code == 422
    again = visitor.post(APP, {"nonce": nonce, "code": "000000x", "password": PASSWORD})
    assert again.status_code == 422
    assert nonce in again.text
    assert {row.second_factor for row in rows(Member)} == {Factor.OFF}
    assert not [m for m in rows(OutboxMail) if m.event == "second_factor_changed"]


@rules("sign_in_rules", ['second_factor = "required", remember_device_days = 0'])
def test_where_all_must_who_chose_nothing_gets_a_mailed_code(visit, newest):
    """COM-13: 利用しない is no choice there; and where devices are never spared, there is no tick."""
    visitor = visit()
    assert visitor.sign_in("hanako", PASSWORD).headers["Location"] == STEP
    assert 'name="trust"' not in visitor.get(STEP).text
    assert visitor.post(STEP, {"code": newest(), "trust": "y"}).status_code == 303
    assert "利用しない" not in visitor.get(CHOICE).text
    assert visitor.post(CHOICE, {"choice": "off", "password": PASSWORD}).status_code == 422
    visitor.post("/sign-out", page=CHOICE)
    assert visitor.sign_in("hanako", PASSWORD).headers["Location"] == STEP


@rules("sign_in_rules", ['second_factor = "off"'])
def test_where_there_is_none_there_is_no_page(visit):
    """COM-13"""
    visitor = visit("facility", "hanako")
    assert {visitor.get(path).status_code for path in (STEP, CHOICE, APP, RENEWAL)} == {404}
    assert visitor.post(f"{STEP}/send", page="/account/password").status_code == 404
    assert CHOICE not in visitor.get("/account/profile").text


def test_another_brands_pending_session_opens_nothing_here(chosen, visit, newest):
    """COM-02: the twin's cookie, with the right code, leads back to the start."""
    visitor, twin = visit(), visit("studio")
    visitor.sign_in("hanako", PASSWORD)
    value = visitor.client.get_cookie("portal", domain="facility.localhost").value
    token = twin.token("/sign-in")
    twin.client.set_cookie("portal", value, domain="studio.localhost")
    answer = twin.client.post(
        STEP, base_url=twin.base, data={"csrf_token": token, "code": newest()}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert visitor.post(STEP, {"code": newest()}).status_code == 303
