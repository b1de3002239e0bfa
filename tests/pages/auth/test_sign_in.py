"""The sign-in page: one message for whatever is wrong, forgiving about width and case, silent about passwords."""

from __future__ import annotations

import re

import pytest
from markupsafe import escape

from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.core.signer import digest
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.auth import passwords
from portal.shared.auth.models import MemberSession, Throttle
from tests.cast import NOW, PASSWORD

WRONG = "入力内容に誤りがあります。もう一度ご確認ください。"
MISSING = "入力してください。"
TYPED = "Typed-but-wrong-58"
WRONG_PAIRS = [
    ("hanako", TYPED),
    ("nobody", PASSWORD),
    ("nobody", TYPED),
    ("hanako@one.example", PASSWORD),
    ("hanakoo", PASSWORD),
    ("hanak_", PASSWORD),
    ("%", PASSWORD),
    ("hanako' OR '1'='1", PASSWORD),
    ("hanako", PASSWORD + " "),
    ("hanako", " " + PASSWORD),
    ("hanako", PASSWORD.upper()),
    ("hanako", PASSWORD[:-1]),
    ("hanako", "ｇreen-Tea-and-72-cups"),
    ("hanako", "x" * 256),
]


def settled(page: str, login_id: str) -> str:
    """A page without what differs from one request to the next: the token and the typed login ID."""
    page = re.sub(r'(name="csrf_token"[^>]*value="|Token": ")[^"]*', r"\1", page)
    return page.replace(f'value="{escape(login_id)}"', 'value="…"')


def test_the_page_asks_for_the_tenants_items_in_the_tenants_name(visit):
    """COM-10: login ID and password here, fit for a password manager; nothing else is asked."""
    answer = visit().get("/sign-in")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.search(r'<input[^>]*autocomplete="username"[^>]*name="login_id"', answer.text)
    assert re.search(r'<input[^>]*autocomplete="current-password"[^>]*name="password"', answer.text)
    assert 'name="email"' not in answer.text
    assert "試験設備" in answer.text
    assert "試験スタジオ" not in answer.text


def test_a_brand_that_has_operators_reset_passwords_says_whom_to_ask(visit):
    """COM-12"""
    assert "お問い合わせまたはお電話にてご連絡ください" in visit().get("/sign-in").text


def test_the_right_password_opens_the_page_and_notes_when_and_from_where(visit, rows):
    """COM-10, COM-15: the session is a row; the token itself is kept nowhere."""
    visitor = visit()
    answer = visitor.post(
        "/sign-in",
        {"login_id": "hanako", "password": PASSWORD},
        headers={"User-Agent": "Browser/1.0 " + "x" * 300},
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert visitor.get("/").status_code == 200
    token = visitor.client.get_cookie("portal", domain="facility.localhost")
    (row,) = rows(MemberSession)
    assert token
    assert row.token_digest == digest(token.value)
    assert (row.created_at, row.seen_at, row.ended_at) == (NOW, NOW, None)
    assert row.address == "192.0.2.7"
    assert row.user_agent.startswith("Browser/1.0 ")
    assert len(row.user_agent) == 200
    assert next(m for m in rows(Member) if m.login_id == "hanako").last_signed_in_at == NOW


def test_every_wrong_item_gets_one_and_the_same_answer(visit, rows):
    """COM-10, security.md §4.2: the page does not tell which item is wrong, nor who is a member."""
    usual = visit().sign_in("somebody-else", "Another-wrong-01")
    assert (usual.status_code, WRONG in usual.text) == (422, True)
    for number, (login_id, password) in enumerate(WRONG_PAIRS):
        answer = visit().post(
            "/sign-in",
            {"login_id": login_id, "password": password},
            environ_base={"REMOTE_ADDR": f"192.0.2.{number}"},
        )
        assert answer.status_code == 422
        assert settled(answer.text, login_id) == settled(usual.text, "somebody-else"), login_id
        assert not [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("portal=")]
    assert rows(MemberSession) == []


def test_who_has_no_password_yet_gets_the_same_answer(visit, inside, brand):
    """COM-10: an invited member who has not used the link is no different from nobody."""
    with inside("facility"):
        person = accounts.Person("森", "進", "susumu@one.example", login_id="susumu")
        accounts.add_member(brand("facility"), accounts.find_account("C000001"), person, by=SYSTEM)
        session().commit()
    for password in ("no member has this password", "nobody's", PASSWORD):
        answer = visit().sign_in("susumu", password)
        assert answer.status_code == 422
        assert WRONG in answer.text


def test_an_empty_field_is_named_and_is_no_try(visit, rows):
    """COM-23: told at the field and in the summary; only what could be right counts as a try."""
    for login_id, password, misses in (
        ("", "", 2),
        ("", PASSWORD, 1),
        ("hanako", "", 1),
        ("   ", PASSWORD, 1),
        ("\u3000\u200b", PASSWORD, 1),
    ):
        answer = visit().sign_in(login_id, password)
        assert answer.status_code == 422
        assert answer.text.count('class="ferr"') == misses
        assert MISSING in answer.text
        assert WRONG not in answer.text
    assert rows(Throttle) == []


def test_fields_that_are_not_sent_at_all_are_empty_fields(visit):
    """COM-23"""
    answer = visit().post("/sign-in")
    assert answer.status_code == 422
    assert answer.text.count('class="ferr"') == 2


@pytest.mark.parametrize(
    ("login_id", "password", "limit"), [("x" * 61, PASSWORD, 60), ("hanako", "x" * 257, 256)]
)
def test_what_is_longer_than_any_right_one_is_refused_before_it_is_hashed(
    visit, rows, login_id, password, limit
):
    """security.md §4.5, §4.21"""
    answer = visit().sign_in(login_id, password)
    assert answer.status_code == 422
    assert f"{limit}文字以内" in answer.text
    assert rows(Throttle) == []


def test_a_login_id_may_be_typed_in_any_width_and_case(visit):
    """COM-10, COM-23: full-width letters of a Japanese keyboard are the same login ID."""
    for typed in (
        "ｈａｎａｋｏ",
        "ＨＡＮＡＫＯ",
        " hanako ",
        "\u3000hanako\u3000",
        "Hanako",
        "ha\u200bnako",
    ):
        visitor = visit()
        assert visitor.sign_in(typed, PASSWORD).status_code == 303, typed
        assert "花子" in visitor.get("/").text


def test_what_was_typed_is_kept_but_never_the_password(visit):
    """COM-23, security.md §4.27: in the field, escaped; the password is typed again."""
    answer = visit().sign_in('hana"><script>ko', TYPED)
    assert 'value="hana&#34;&gt;&lt;script&gt;ko"' in answer.text
    assert "<script>ko" not in answer.text
    assert TYPED not in answer.text
    only_name = visit().sign_in("hanako", "")
    assert 'value="hanako"' in only_name.text
    only_password = visit().sign_in("", TYPED)
    assert TYPED not in only_password.text


def test_a_get_with_credentials_in_the_address_signs_nobody_in(visit, rows):
    """security.md §4.10: GET never writes."""
    answer = visit().get(f"/sign-in?login_id=hanako&password={PASSWORD}")
    assert answer.status_code == 200
    assert 'value="hanako"' not in answer.text
    assert rows(MemberSession) == []
    assert rows(Throttle) == []


def test_without_the_forms_own_token_nobody_is_signed_in(visit, rows):
    """security.md §4.9: sign-in too, so that nobody is signed in as somebody else behind their back."""
    visitor = visit()
    visitor.get("/sign-in")
    strangers = visit().token("/sign-in")
    for token in ({}, {"csrf_token": ""}, {"csrf_token": "made-up"}, {"csrf_token": strangers}):
        data = {"login_id": "hanako", "password": PASSWORD, **token}
        answer = visitor.client.post("/sign-in", base_url=visitor.base, data=data)
        assert answer.status_code == 400
        assert PASSWORD not in answer.text
    assert rows(MemberSession) == []
    assert rows(Throttle) == []


def test_other_methods_are_refused(visit):
    """security.md §4.10"""
    visitor = visit()
    for method in ("put", "delete", "patch"):
        assert getattr(visitor.client, method)("/sign-in", base_url=visitor.base).status_code in {
            400,
            405,
        }


def test_who_is_signed_in_already_is_led_on(visit):
    """COM-10: to the front page, or where they were going, if it is here."""
    visitor = visit("facility", "hanako")
    for query, target in (
        ("", "/"),
        ("?next=/facility/reservations%3Fstatus%3Dpaid", "/facility/reservations?status=paid"),
        ("?next=//evil.example/", "/"),
    ):
        answer = visitor.get(f"/sign-in{query}")
        assert (answer.status_code, answer.headers["Location"]) == (303, target)


def test_the_twin_brand_has_its_own_passwords(visit, alter):
    """COM-02: the password set at one brand opens nothing at the other."""
    alter("hanako", "studio", password_hash=passwords.hash_password("only-at-the-Studio-3"))
    assert visit("facility").sign_in("hanako", "only-at-the-Studio-3").status_code == 422
    assert visit("studio").sign_in("hanako", "only-at-the-Studio-3").status_code == 303


@pytest.mark.parametrize(
    ("sign_in_rules", "typed", "wrong"),
    [
        (
            'items = "email_password"',
            {"email": "Susumu@One.example"},
            {"email": "susumu@two.example"},
        ),
        (
            'items = "login_id_email_password"',
            {"login_id": "ＳＵＳＵＭＵ", "email": "susumu@one.example"},
            {"login_id": "susumu", "email": "hanako@one.example"},
        ),
    ],
)
def test_a_brand_may_ask_for_the_mail_address_instead_or_too(visit, inside, brand, typed, wrong):
    """COM-10: each of the items must be right, together."""
    with inside("facility"):
        person = accounts.Person("森", "進", "susumu@one.example", login_id="susumu")
        accounts.add_member(
            brand("facility"),
            accounts.find_account("C000001"),
            person,
            by=SYSTEM,
            password_hash=passwords.hash_password(PASSWORD),
        )
        session().commit()
    page = visit().get("/sign-in").text
    assert [f'name="{name}"' in page for name in ("login_id", "email")] == [
        "login_id" in typed,
        True,
    ]
    refused = visit().post("/sign-in", {**wrong, "password": PASSWORD})
    assert refused.status_code == 422
    assert WRONG in refused.text
    malformed = visit().post(
        "/sign-in", {**typed, "email": "susumu.one.example", "password": PASSWORD}
    )
    assert "メールアドレスの形式が正しくありません。" in malformed.text
    assert visit().post("/sign-in", {**typed, "password": PASSWORD}).status_code == 303


_NONE = "notify_sign_in = false, notify_new_device = false"


@pytest.mark.parametrize(
    ("sign_in_rules", "mails"),
    [("notify_sign_in = true", 3), ("notify_sign_in = false", 2), (_NONE, 0)],
    ids=["each", "new browsers", "none"],
)
def test_a_mail_tells_of_sign_ins_as_the_tenant_wants_it(visit, rows, sign_in_rules, mails):
    """COM-14: to the member's own address, for each sign-in or each new browser; none for a try that was wrong."""
    visit().sign_in("hanako", TYPED)
    known = visit("facility", "hanako")
    known.post("/sign-out", page="/")
    known.sign_in("hanako", PASSWORD)
    visit("facility", "hanako")
    wanted = ["hanako@one.example"] * mails
    assert [mail.recipient for mail in rows(OutboxMail) if mail.event == "sign_in"] == wanted
