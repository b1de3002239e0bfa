"""パスワードの変更 as the member meets it: what is refused where, what ends, what is told (COM-12, COM-15)."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member
from tests.cast import PASSWORD
from tests.pages.account.walk import fields

PAGE = "/account/password"
NEW = "brown-Rice-and-31-bowls"
WEAK = "ログインIDを含むパスワードは使えません。"
REFUSED = [
    (
        {"old_password": "wrong-one-entirely"},
        "old_password",
        "現在のパスワードが正しくありません。",
    ),
    ({"old_password": PASSWORD + " "}, "old_password", "現在のパスワードが正しくありません。"),
    ({"old_password": ""}, "old_password", "入力してください。"),
    (
        {"password": "short-1", "again": "short-1"},
        "password",
        "パスワードは12文字以上で入力してください。",
    ),
    (
        {"password": "a1-" * 43, "again": "a1-" * 43},
        "password",
        "パスワードは128文字以内で入力してください。",
    ),
    (
        {"password": "x" * 257, "again": "x" * 257},
        "password",
        "256文字以内で入力してください（現在257文字）。",
    ),
    ({"password": "Hanako-loves-59-rice", "again": "Hanako-loves-59-rice"}, "password", WEAK),
    (
        {"password": "my-Password-2026-x", "again": "my-Password-2026-x"},
        "password",
        "推測されやすい",
    ),
    ({"password": PASSWORD, "again": PASSWORD}, "password", "現在と同じパスワードは使えません。"),
    ({"password": "", "again": ""}, "password", "入力してください。"),
    ({"again": NEW.upper()}, "again", "パスワードが一致しません。"),
    ({"again": ""}, "again", "入力してください。"),
]


def change(visitor, **typed):
    """Send the form; right unless `typed` says otherwise."""
    return visitor.post(PAGE, {"old_password": PASSWORD, "password": NEW, "again": NEW} | typed)


@pytest.mark.parametrize(("typed", "name", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused_is_told_at_its_field_and_no_password_comes_back(
    reader, typed, name, message
):
    """COM-11, COM-12, COM-23: what was typed is kept, passwords aside."""
    answer = change(reader, **typed)
    assert answer.status_code == 422
    found = fields(answer.text)
    assert name in {key for key, own in found.items() if own.get("aria-invalid")}
    told = re.search(rf'<p class="ferr" id="{name}-e">.*?<span>(.*?)</span>', answer.text)
    assert told
    assert message in told[1]
    assert found[name]["aria-describedby"] == f"{name}-e"
    assert f'<a href="#{name}">' in answer.text
    for key in ("old_password", "password", "again"):
        assert (found[key]["type"], found[key]["value"]) == ("password", "")
    assert PASSWORD not in answer.text
    assert NEW not in answer.text


def test_the_browsers_password_store_is_told_which_is_which(reader):
    """COM-12: autocomplete names the present password and the new one."""
    told = {key: own.get("autocomplete") for key, own in fields(reader.get(PAGE).text).items()}
    assert told["old_password"] == "current-password"
    assert told["password"] == told["again"] == "new-password"


def test_a_change_ends_the_other_sessions_and_keeps_this_one(visit, cast):
    """COM-15: the member's other browsers are signed out, colleagues are not."""
    here, elsewhere = visit("facility", cast.representative), visit("facility", cast.representative)
    colleague = visit("facility", cast.member)
    answer = change(here)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "パスワードを変更しました。" in here.get("/").text
    assert "パスワードを変更しました。" not in here.get("/").text, "said once"
    assert elsewhere.get("/").headers["Location"] == "/sign-in"
    assert colleague.get("/").status_code == 200


def test_only_the_new_password_opens_afterwards_and_only_at_this_brand(visit, cast):
    """COM-02, COM-12"""
    change(visit("facility", cast.representative))
    assert visit("facility").sign_in(cast.representative, PASSWORD).status_code == 422
    assert visit("facility").sign_in(cast.representative, NEW).status_code == 303
    assert visit("studio").sign_in(cast.representative, PASSWORD).status_code == 303


def test_a_refused_change_changes_nothing(visit, cast, inside):
    """COM-12: no new hash, no event, no mail, and the other session lives."""
    here, elsewhere = visit("facility", cast.representative), visit("facility", cast.representative)
    change(here, old_password="wrong-one-entirely")
    assert elsewhere.get("/").status_code == 200
    with inside("facility"):
        assert (
            not session()
            .scalars(select(OutboxMail).where(OutboxMail.event == "password_changed"))
            .all()
        )
        assert (
            not session()
            .scalars(select(AuditEvent).where(AuditEvent.action == "member.set_password"))
            .all()
        )
    assert visit("facility").sign_in(cast.representative, PASSWORD).status_code == 303


def test_a_change_is_mailed_and_audited_without_any_password(visit, cast, inside):
    """COM-81, COM-90: no password is ever in a mail or in the trail."""
    change(visit("facility", cast.representative))
    with inside("facility"):
        mail = (
            session()
            .scalars(select(OutboxMail).where(OutboxMail.event == "password_changed"))
            .one()
        )
        event = (
            session()
            .scalars(select(AuditEvent).where(AuditEvent.action == "member.set_password"))
            .one()
        )
        assert (mail.recipient, event.subject) == ("hanako@one.example", "member:hanako")
        assert mail.subject == "【試験設備】パスワード変更のお知らせ"
        assert "カナリア甲 花子 様" in mail.body
        everything = f"{mail.subject}{mail.body}{mail.html}{event.changes}"
        assert not [secret for secret in (PASSWORD, NEW, "argon2") if secret in everything]


def test_a_forced_change_comes_before_everything_else(visit, cast, inside):
    """COM-12: every page leads to the password; signing out stays possible; then the way is free."""
    with inside("facility"):
        session().scalars(
            select(Member).where(Member.login_id == cast.member)
        ).one().must_change_password = True
        session().commit()
    visitor = visit("facility", cast.member)
    for path in ("/", "/facility/reservations", "/account/profile", "/notices", "/account/members"):
        assert visitor.get(path).headers["Location"] == PAGE
    assert "はじめに、ご自身のパスワードを設定してください。" in visitor.get(PAGE).text
    assert "はじめに" in change(visitor, again="x").text
    assert change(visitor).headers["Location"] == "/"
    assert visitor.get("/").status_code == 200
    assert "はじめに" not in visitor.get(PAGE).text
