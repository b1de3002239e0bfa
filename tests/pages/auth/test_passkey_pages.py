"""Passkeys by pages: adding, removing, coming in, and where none is offered (COM-13, security.md §4.16, §4.17)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import MemberStatus
from portal.shared.auth.models import Passkey, PasskeyChallenge
from tests.cast import NOW, PASSWORD
from tests.support.authenticator import Authenticator

PAGE, OPTIONS = "/account/passkeys", "/account/passkeys/options"
STEP = "/sign-in/second-step"
WRONG = "入力内容に誤りがあります。もう一度ご確認ください。"
rules = pytest.mark.parametrize
alone = rules("sign_in_rules", ['passkeys = "sign_in"'])
as_step = rules("sign_in_rules", ['passkeys = "second_step"'])


def add(visitor, label="会社のパソコン"):
    """What a browser does on the page; returns the authenticator that holds the passkey."""
    key = Authenticator()
    options = visitor.post(OPTIONS, page=PAGE).get_json()
    answer = visitor.post(PAGE, {"label": label, "credential": key.make(options)})
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE), answer.text
    return key


def come_in(visitor, key, path="/sign-in/passkey", page="/sign-in"):
    """Sign in with a passkey alone, or answer the second step with it."""
    options = visitor.post(f"{path.partition('?')[0]}/options", page=page).get_json()
    return visitor.post(path, {"credential": key.sign(options)}, page=page)


@alone
def test_a_passkey_is_added_used_and_removed(visit, rows, acts):
    """COM-13, COM-90: the page tells the name and the uses; the member is mailed; `next` is kept."""
    visitor = visit("facility", "hanako")
    assert PAGE in visitor.get("/account/profile").text
    key = add(visitor)
    page = visitor.get(PAGE).text
    assert "会社のパソコン" in page
    assert "—" in page
    visitor.post("/sign-out", page=PAGE)
    answer = come_in(visitor, key, "/sign-in/passkey?next=/facility/reservations")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/facility/reservations")
    page = visitor.get(PAGE)
    assert page.text.count("2026/11/23(月) 10:00") == 2
    number = re.findall(r"/account/passkeys/(\w{16})/removal", page.text)[0]
    assert visitor.post(f"{PAGE}/{number}/removal", page=PAGE).status_code == 303
    assert visitor.post(f"{PAGE}/{number}/removal", page=PAGE).status_code == 404
    assert not rows(Passkey)
    visitor.post("/sign-out", page=PAGE)
    answer = come_in(visitor, key)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert WRONG in visitor.get("/sign-in").text
    assert [m.event for m in rows(OutboxMail)].count("passkey_changed") == 2
    said = [event.action for event in acts() if "passkey" in event.action]
    assert said == ["member.passkey_added", "member.use_passkey", "member.passkey_removed"]


@alone
def test_somebody_elses_passkey_is_not_found(visit, rows):
    """COM-02"""
    hanako, kenichi = visit("facility", "hanako"), visit("facility", "kenichi")
    add(hanako)
    number = rows(Passkey)[0].number
    assert number not in kenichi.get(PAGE).text
    assert kenichi.post(f"{PAGE}/{number}/removal", page=PAGE).status_code == 404
    assert len(rows(Passkey)) == 1


@alone
def test_the_password_is_asked_for_again(visit, rows):
    """security.md §4.17: for the page, for what it sends later, and for removing; its script is led away."""
    visitor = visit("facility", "hanako")
    add(visitor)
    number = rows(Passkey)[0].number
    with clock.freeze(NOW + timedelta(minutes=16)):
        assert visitor.get(PAGE).headers["Location"] == f"/account/proof?next={PAGE}"
        led = visitor.post(OPTIONS, page="/account/password")
        assert (led.status_code, led.headers["Location"]) == (303, "/account/proof")
        for path in (PAGE, f"{PAGE}/{number}/removal"):
            answer = visitor.post(path, page="/account/password")
            assert (answer.status_code, "パスワードの確認" in answer.text) == (422, True), path
        assert len(rows(Passkey)) == 1
        assert not rows(PasskeyChallenge)
        visitor.post(f"/account/proof?next={PAGE}", {"password": PASSWORD})
        assert visitor.post(f"{PAGE}/{number}/removal", page=PAGE).status_code == 303


@alone
def test_a_wrong_form_says_what_is_wrong_and_keeps_the_name(visit, rows):
    """COM-23: no name; nothing signed; a name that is too long; and nothing without the form's token."""
    visitor = visit("facility", "hanako")
    for data, words in (
        ({"credential": "{}"}, "入力してください。"),
        ({"label": "電話<b>"}, "パスキーを確認できませんでした。"),
        ({"label": "長" * 61}, "60文字以内"),
    ):
        answer = visitor.post(PAGE, data)
        assert (answer.status_code, words in answer.text) == (422, True), words
        assert "電話<b>" not in answer.text
    for path in (OPTIONS, PAGE, "/sign-in/passkey", "/sign-in/passkey/options"):
        assert visitor.client.post(path, base_url=visitor.base).status_code == 400
    assert not rows(Passkey)
    assert not rows(PasskeyChallenge)


@alone
def test_one_answer_for_all_who_may_not(visit, alter):
    """security.md §4.2: a locked member, another brand's passkey, none at all, a wrong password: the same words."""
    key = add(visit("facility", "hanako"))
    alter("hanako", status=MemberStatus.LOCKED)
    for visitor, held in ((visit(), key), (visit("studio"), key), (visit(), Authenticator())):
        answer = come_in(visitor, held)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
        assert WRONG in visitor.get("/legal/privacy").text
    assert WRONG in visit().sign_in("kenichi", "Wrong-again-1").text


@as_step
def test_a_passkey_stands_in_for_the_code(visit, rows):
    """COM-13: the button is there for who has one; a wrong one leads back; `next` is kept."""
    visitor = visit("facility", "hanako")
    key = add(visitor)
    visitor.post("/account/second-factor", {"choice": "mail", "password": PASSWORD})
    visitor.post("/sign-out", page=PAGE)
    assert "パスキー" not in visitor.get("/sign-in").text
    visitor.post(
        "/sign-in?next=/facility/reservations", {"login_id": "hanako", "password": PASSWORD}
    )
    assert "パスキーで認証する" in visitor.get(STEP).text
    answer = come_in(visitor, Authenticator(), f"{STEP}/passkey?next=/facility/reservations", STEP)
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"{STEP}?next=/facility/reservations",
    )
    assert "パスキーを確認できませんでした。" in visitor.get(STEP).text
    answer = come_in(visitor, key, f"{STEP}/passkey?next=/facility/reservations", STEP)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/facility/reservations")
    assert visitor.get("/facility/reservations").status_code == 200
    for path in (f"{STEP}/passkey", f"{STEP}/passkey/options"):
        assert visitor.post(path, page="/account/password").headers["Location"] == "/sign-in"
    assert visitor.post("/sign-in/passkey/options", page="/account/password").status_code == 404


@as_step
def test_who_has_none_is_not_offered_any(visit):
    """COM-13"""
    visitor = visit("facility", "kenichi")
    visitor.post("/account/second-factor", {"choice": "mail", "password": PASSWORD})
    visitor.post("/sign-out", page=PAGE)
    visitor.sign_in("kenichi", PASSWORD)
    page = visitor.get(STEP).text
    assert "パスキー" not in page
    assert "passkeys.js" not in page


def test_where_they_are_off_there_is_no_page_and_no_script(visit):
    """COM-13: the first page stays light."""
    visitor = visit("facility", "hanako")
    assert visitor.get(PAGE).status_code == 404
    for path in (
        OPTIONS,
        PAGE,
        f"{PAGE}/0/removal",
        "/sign-in/passkey",
        "/sign-in/passkey/options",
    ):
        assert visitor.post(path, page="/account/password").status_code == 404, path
    texts = (
        visit().get("/sign-in").text + visitor.get("/account/profile").text + visitor.get("/").text
    )
    assert "passkey" not in texts
    assert "publicKey" not in visitor.get("/app.js").text
