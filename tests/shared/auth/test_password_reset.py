"""Sign-in, passwords and links as operations: what pages and CLI share (COM-10, COM-12)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import func, select

from portal.config.schema_password import PasswordRules
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.auth import links, password_reset, passwords, sessions
from portal.shared.auth import sign_in as entrance
from portal.shared.auth.models import MemberSession, OneTimeLink
from portal.shared.auth.sessions import Client
from portal.shared.auth.sign_in import Credentials
from tests.cast import NOW, PASSWORD
from tests.support.links import is_alive

NEW = "brand-New-Leaf-58"
BASE = "http://facility.localhost"


@pytest.fixture
def sign_in(here, brand):
    """Sign a member in; returns the token."""

    def enter(login_id="hanako", password=PASSWORD):
        given = Credentials(login_id=login_id, password=password)
        return entrance.sign_in(brand, given, Client("192.0.2.7", "Browser/1.0")).token

    return enter


@pytest.fixture
def change(brand, signed_in):
    """Change Hanako's password as she would, in `token`'s session; returns the session's new token."""

    def run(old, new, *, token=""):
        who = signed_in(token=token)
        return password_reset.change_password(brand, who, old, new, by=who.actor("192.0.2.7"))

    return run


def test_a_hash_of_older_costs_is_made_anew_at_sign_in_and_only_then(sign_in, member):
    """security.md §4.1: with the password just typed; a wrong one changes nothing, today's hash stays."""
    old = Argon2Hasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    member().password_hash = old
    session().commit()
    with pytest.raises(RuleBroken):
        sign_in(password="wrong-today-1")
    assert member().password_hash == old
    sign_in()
    anew = member().password_hash
    assert anew != old
    assert not passwords.outdated(anew)
    assert passwords.verify(anew, PASSWORD)
    sign_in()
    assert member().password_hash == anew


def test_a_password_longer_than_may_be_set_today_still_opens(sign_in, member):
    """security.md §4.4: a maximum applies when setting, never at sign-in."""
    long = "x7-Qw!4r" * 25
    member().password_hash = passwords.hash_password(long)
    session().commit()
    assert sign_in(password=long)
    with pytest.raises(RuleBroken):
        sign_in(password=long[:128])


def test_nobody_costs_as_much_hashing_as_somebody(sign_in, monkeypatch):
    """COM-10, security.md §4.2: one verification for each try, whoever it names."""
    seen = []
    real = passwords.verify

    def watched(kept, typed):
        seen.append(bool(kept))
        return real(kept, typed)

    monkeypatch.setattr(passwords, "verify", watched)
    for login_id in ("hanako", "nobody"):
        with pytest.raises(RuleBroken, match="入力内容に誤りがあります"):
            sign_in(login_id, "wrong-today-1")
    assert seen == [True, False]


def test_credentials_do_not_show_the_password_where_they_are_printed():
    """security.md §4.27: a record of them in a log or a traceback is no leak."""
    assert PASSWORD not in repr(Credentials(login_id="hanako", password=PASSWORD))


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("not-the-old-1", NEW, "old_password", "現在のパスワードが正しくありません。"),
        ("", NEW, "old_password", "現在のパスワードが正しくありません。"),
        (PASSWORD, PASSWORD, "password", "現在と同じパスワードは使えません。"),
        (PASSWORD, "short", "password", "12文字以上"),
        (PASSWORD, "xx-Hanako-2026-q", "password", "ログインIDを含む"),
    ],
)
def test_a_refused_change_changes_nothing(sign_in, change, member, old, new, field, said):
    """COM-11, COM-12: the field is named; sessions and hash stay."""
    token, before = sign_in(), member().password_hash
    with pytest.raises(RuleBroken, match=said) as refused:
        change(old, new)
    assert refused.value.field == field
    assert member().password_hash == before
    assert sessions.look_up(token, idle_minutes=30)
    assert (
        session().scalar(
            select(func.count(OutboxMail.id)).where(OutboxMail.event == "password_changed")
        )
        == 0
    )


def test_a_change_is_told_to_the_member_by_mail_and_keeps_only_this_session(
    sign_in, change, member
):
    """COM-12, COM-15, COM-80: so that a change by somebody else is noticed."""
    here, elsewhere = sign_in(), sign_in()
    kept = sessions.look_up(here, idle_minutes=30)
    renewed = sessions.look_up(change(PASSWORD, NEW, token=here), idle_minutes=30)
    assert passwords.verify(member().password_hash, NEW)
    assert kept
    assert renewed
    assert renewed.session_id == kept.session_id
    assert sessions.look_up(here, idle_minutes=30) is None
    assert sessions.look_up(elsewhere, idle_minutes=30) is None
    mail = session().scalars(select(OutboxMail).where(OutboxMail.event == "password_changed")).one()
    assert mail.recipient == "hanako@one.example"
    assert NEW not in mail.subject + mail.body + mail.html


def test_the_tenants_own_rules_are_asked_at_every_way_of_setting(here, brand, member):
    """COM-11: the change and the link alike."""
    rules = brand.sign_in.model_copy(update={"password": PasswordRules(preset="legacy-8-12")})
    legacy = brand.model_copy(update={"sign_in": rules})
    token = send_link(legacy, member())
    with pytest.raises(RuleBroken, match="12文字以内"):
        password_reset.use_set_password_link(legacy, token, NEW, address="192.0.2.7")
    password_reset.use_set_password_link(legacy, token, "Abcd1290x", address="192.0.2.7")
    assert passwords.verify(member().password_hash, "Abcd1290x")


def send_link(tenant, to, **more):
    """Send a link; returns its token, as the mail has it."""
    password_reset.send_set_password_link(tenant, to, by=SYSTEM, **more)
    session().commit()
    mail = session().scalars(select(OutboxMail).order_by(OutboxMail.id.desc())).first()
    assert mail
    return mail.body.partition(f"{BASE}/set-password/")[2].split()[0]


def test_a_link_lives_half_an_hour_unless_it_is_an_invitation(brand, member):
    """security.md §4.12: ≤30 min for a reset."""
    token = send_link(brand, member())
    assert session().scalars(select(OneTimeLink.expires_at)).one() == NOW + timedelta(minutes=30)
    for minutes, alive in ((29, True), (30, False)):
        with clock.freeze(NOW + timedelta(minutes=minutes)):
            assert is_alive(token, *password_reset.SETTING) is alive
    assert timedelta(days=3) == links.INVITATION


def test_looking_at_a_link_uses_nothing_up_and_a_link_of_another_purpose_is_none(brand, member):
    """security.md §4.12"""
    token = send_link(brand, member())
    assert all(is_alive(token, *password_reset.SETTING) for _ in range(3))
    session().scalars(select(OneTimeLink)).one().purpose = "not-me"
    session().commit()
    assert not is_alive(token, *password_reset.SETTING)
    with pytest.raises(RuleBroken, match="このリンクは無効か"):
        password_reset.use_set_password_link(brand, token, NEW, address="")
    assert passwords.verify(member().password_hash, PASSWORD)


def test_a_link_used_by_another_while_the_password_is_hashed_is_dead(brand, member, monkeypatch):
    """COM-12, security.md §4.12: the database decides who was first; the second sets nothing."""
    token, real = send_link(brand, member()), passwords.hash_password

    def slow(password):
        monkeypatch.setattr(passwords, "hash_password", real)
        password_reset.use_set_password_link(brand, token, "First-come-first-7", address="")
        return real(password)

    monkeypatch.setattr(passwords, "hash_password", slow)
    with pytest.raises(RuleBroken, match="このリンクは無効か"):
        password_reset.use_set_password_link(brand, token, NEW, address="")
    assert passwords.verify(member().password_hash, "First-come-first-7")


def test_signing_out_ends_only_the_session_it_was_pressed_in(sign_in):
    """COM-15"""
    first, second = sign_in(), sign_in()
    who = sessions.look_up(first, idle_minutes=30)
    assert who
    entrance.sign_out(who, by=who.actor("192.0.2.7"))
    assert sessions.look_up(first, idle_minutes=30) is None
    assert sessions.look_up(second, idle_minutes=30)
    assert session().scalars(select(MemberSession.ended_at).order_by(MemberSession.id)).all() == [
        NOW,
        None,
    ]
