"""Passkeys without a page: who may come in with what, and who may not (COM-13, security.md §4.16)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import Actor
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Account, AccountStatus, Factor, Member, MemberStatus
from portal.shared.auth import devices, links, passkeys, sessions, sign_in
from portal.shared.auth.models import MemberSession, Passkey, PasskeyChallenge
from portal.shared.auth.sessions import Client
from portal.shared.auth.throttling import TooMany
from tests.cast import NOW, PASSWORD
from tests.support.authenticator import PRESENT, Authenticator

Find = Callable[..., Member]
WRONG = "入力内容に誤りがあります。もう一度ご確認ください。"
CLIENT = Client("192.0.2.7", "test")


def having(brand: Tenant, passkeys: str) -> Tenant:
    """The brand with another rule about passkeys."""
    rules = brand.sign_in.model_copy(update={"passkeys": passkeys})
    return brand.model_copy(update={"sign_in": rules})


@pytest.fixture
def on(brand: Tenant) -> Tenant:
    """The brand, where a passkey lets in alone."""
    return having(brand, "sign_in")


def added(
    tenant: Tenant, member: Member, key: Authenticator | None = None, label: str = "電話"
) -> Any:
    """Register a passkey of the member; returns what holds it."""
    key, by = key or Authenticator(), member_actor(member)
    options = passkeys.creation_options(tenant, member.id)
    passkeys.register(tenant, member.id, label, key.make(options), by=by)
    return key


def member_actor(member: Member) -> Actor:
    """The member as the audit trail names them."""
    return Actor("member", member.name, member.id, member.account_id, CLIENT.address)


def to_sign(tenant: Tenant, **more: Any) -> passkeys.RequestOptions:
    return passkeys.request_options(tenant, CLIENT, **more)


def enter(tenant: Tenant, answer: str) -> Any:
    return sign_in.by_passkey(tenant, answer, CLIENT)


def refused(tenant: Tenant, answer: str) -> None:
    """One answer, and nobody is signed in by it."""
    before = session().scalars(select(MemberSession.id)).all()
    with pytest.raises(passkeys.Unproved) as error:
        enter(tenant, answer)
    assert str(error.value) == WRONG
    assert session().scalars(select(MemberSession.id)).all() == before


def actions() -> list[str]:
    """What the audit trail says of passkeys."""
    found = session().scalars(select(AuditEvent.action).order_by(AuditEvent.sequence))
    return [action for action in found if "passkey" in action]


def test_a_passkey_lets_in_alone_again_and_again(on: Tenant, member: Find) -> None:
    """COM-13: nobody is named before; counters that count and counters that stay at 0."""
    for key, name in ((Authenticator(), "hanako"), (Authenticator(count=0), "kenichi")):
        added(on, member(name), key)
        for _turn in range(2):
            options = to_sign(on)
            assert (options["rpId"], options["allowCredentials"]) == ("facility.localhost", [])
            entry = enter(on, key.sign(options))
            found = sessions.look_up(entry.token, idle_minutes=30)
            assert (found and found.login_id, entry.is_pending) == (name, False)
    assert actions() == ["member.passkey_added", "member.use_passkey", "member.use_passkey"] * 2
    assert {passkey.used_at for passkey in session().scalars(select(Passkey))} == {NOW}
    assert not session().scalars(select(PasskeyChallenge)).all()


CHEATS = {
    "origin": {"origin": "https://facility.localhost"},
    "subdomain": {"origin": "http://evil.facility.localhost"},
    "host": {"host": "localhost"},
    "unverified": {"flags": PRESENT},
    "signature": {"signature": b"0" * 70},
    "made-up challenge": {"challenge": "A" * 43},
    "challenge that is none": {"challenge": 7},
}


@pytest.mark.parametrize("cheat", CHEATS.values(), ids=CHEATS.keys())
def test_whoever_signs_something_else_gets_the_answer_of_a_wrong_password(
    on: Tenant, member: Find, cheat: dict[str, Any]
) -> None:
    """security.md §4.2, §4.16: exact origin, exact host, a person, a challenge of ours; nothing is audited of it."""
    key = added(on, member())
    options = to_sign(on)
    refused(on, key.sign(options, **cheat))
    assert actions() == ["member.passkey_added"]
    if "challenge" not in cheat:
        refused(on, key.sign(options))  # used up by the try


@pytest.mark.parametrize(
    "answer", ["", "x", "[]", "{}", '{"response": 1}', '{"id": "\0"}', "[" * 9999]
)
def test_what_is_no_answer_is_refused_as_calmly(on: Tenant, member: Find, answer: str) -> None:
    """security.md §4.16"""
    refused(on, answer)
    hanako = member()
    with pytest.raises(passkeys.Unproved):
        passkeys.register(on, hanako.id, "x", answer, by=member_actor(hanako))


def test_a_challenge_counts_once_for_five_minutes_and_for_one_thing(
    on: Tenant, member: Find
) -> None:
    """security.md §4.16: replayed, late, or meant for something else."""
    hanako = member()
    key = added(on, hanako)
    answer = key.sign(to_sign(on))
    enter(on, answer)
    refused(on, answer)
    refused(on, key.sign(to_sign(on, member_id=hanako.id)))
    options = to_sign(on)
    registering = passkeys.creation_options(on, hanako.id)
    refused(on, key.sign({"rpId": "facility.localhost", **registering}))
    with clock.freeze(NOW + passkeys.LIFETIME):
        refused(on, key.sign(options))
        passkeys.forget_challenges()
        assert not session().scalars(select(PasskeyChallenge)).all()
    options = to_sign(on)
    with clock.freeze(NOW + passkeys.LIFETIME - timedelta(seconds=1)):
        assert enter(on, key.sign(options)).token


def test_a_counter_that_goes_back_is_refused_and_audited(on: Tenant, member: Find) -> None:
    """security.md §4.16: then there are two of what should be one; the true one still lets in."""
    key = added(on, member(), Authenticator(count=7))
    enter(on, key.sign(to_sign(on)))
    for count in (0, 7, 8):
        refused(on, key.sign(to_sign(on), count=count))
    assert actions()[2:] == ["member.refuse_passkey"] * 3
    key.count = 20
    assert enter(on, key.sign(to_sign(on))).token
    assert session().scalars(select(Passkey.sign_count)).one() == 21


def test_who_may_not_sign_in_does_not_with_a_passkey(on: Tenant, member: Find) -> None:
    """COM-13, COM-16: locked, removed, withdrawn, and a passkey that was removed."""
    key = added(on, member())
    for status in (MemberStatus.LOCKED, MemberStatus.REMOVED):
        member().status = status
        session().commit()
        refused(on, key.sign(to_sign(on)))
    hanako = member()
    hanako.status = MemberStatus.ACTIVE
    account = session().get_one(Account, hanako.account_id)
    account.status = AccountStatus.WITHDRAWN
    session().commit()
    refused(on, key.sign(to_sign(on)))
    account.status = AccountStatus.ACTIVE
    session().commit()
    assert enter(on, key.sign(to_sign(on))).token
    number = passkeys.list_passkeys(hanako.id)[0].number
    with pytest.raises(NotFound):
        passkeys.remove(on, member("kenichi").id, number, by=member_actor(member("kenichi")))
    passkeys.remove(on, hanako.id, number, by=member_actor(hanako))
    refused(on, key.sign(to_sign(on)))
    assert actions() == ["member.passkey_added", "member.use_passkey", "member.passkey_removed"]
    mails = [
        m
        for m in session().scalars(select(OutboxMail).order_by(OutboxMail.id))
        if m.event == "passkey_changed"
    ]
    assert [("登録" in m.body, "削除" in m.body, "電話" in m.body) for m in mails] == [
        (True, False, True),
        (False, True, True),
    ]


def test_another_brands_passkey_is_nobodys_here(app: Any, on: Tenant, inside: Any) -> None:
    """COM-02: the same authenticator, the same member's name, even signing for this host."""
    twin = having(app.extensions["tenants"].current().by_key["studio"], "sign_in")
    key = Authenticator()
    with inside("studio"):
        hanako = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        options = passkeys.creation_options(twin, hanako.id)
        answer = key.make(options, origin="http://studio.localhost")
        by = member_actor(hanako)
        passkeys.register(twin, hanako.id, "x", answer, by=by)
        theirs = to_sign(twin)
    with inside("facility"):
        refused(on, key.sign(to_sign(on)))
        refused(on, key.sign(theirs))


def test_registering_is_as_strict(on: Tenant, member: Find) -> None:
    """security.md §4.16: origin, host, person; once; by whom it was begun; nobody's second."""
    hanako, kenichi = member(), member("kenichi")
    by = member_actor(hanako)

    def tried(
        key: Authenticator, options: Mapping[str, Any], who: Member = hanako, **cheat: Any
    ) -> None:
        with pytest.raises(passkeys.Unproved):
            passkeys.register(on, who.id, "x", key.make(options, **cheat), by=by)

    for cheat in (
        {"origin": "https://facility.localhost"},
        {"host": "localhost"},
        {"flags": PRESENT},
    ):
        options = passkeys.creation_options(on, hanako.id)
        tried(Authenticator(), options, **cheat)
        tried(Authenticator(), options)
    tried(Authenticator(), passkeys.creation_options(on, hanako.id), kenichi)
    key = added(on, hanako)
    tried(key, passkeys.creation_options(on, kenichi.id), kenichi)
    assert [passkey.member_id for passkey in session().scalars(select(Passkey))] == [hanako.id]


def test_what_the_browser_is_asked_to_make(on: Tenant, member: Find) -> None:
    """security.md §4.16: the handle says nothing and is one for all; what is there is not made again; ten at most."""
    hanako = member()
    keys = [added(on, hanako, label=str(turn)) for turn in range(passkeys.MOST - 1)]
    first, second = (passkeys.creation_options(on, hanako.id) for _turn in range(2))
    other = passkeys.creation_options(on, member("kenichi").id)
    assert first["user"] == second["user"]
    assert len({first["user"]["id"], other["user"]["id"]}) == 2
    assert first["rp"]["id"] == "facility.localhost"
    assert first["authenticatorSelection"] == {
        "residentKey": "preferred",
        "userVerification": "required",
    }
    assert len(first["excludeCredentials"]) == len(keys)
    assert first["challenge"] != second["challenge"]
    added(on, hanako)
    with pytest.raises(RuleBroken, match="10個まで"):
        added(on, hanako)
    assert len(passkeys.list_passkeys(hanako.id)) == passkeys.MOST


def test_where_passkeys_are_off_there_are_none(brand: Tenant, on: Tenant, member: Find) -> None:
    """COM-13: nor do those of before let in; where they stand in for the code, they do not let in alone."""
    hanako = member()
    key = added(on, hanako)
    off, step = having(brand, "off"), having(brand, "second_step")
    answer = key.sign(to_sign(on))
    for tenant in (off, step):
        with pytest.raises(NotFound):
            to_sign(tenant)
        with pytest.raises(NotFound):
            enter(tenant, answer)
    with pytest.raises(NotFound):
        passkeys.creation_options(off, hanako.id)
    assert passkeys.creation_options(step, hanako.id)["challenge"]


def test_challenges_are_not_handed_out_without_end(here: None, on: Tenant) -> None:
    """security.md §4.5"""
    for _turn in range(on.sign_in.sign_in_tries * 10):
        to_sign(on)
    with pytest.raises(TooMany):
        to_sign(on)


def begun(tenant: Tenant, member: Find, name: str = "hanako") -> str:
    """The pending session of a member with mailed codes."""
    member(name).second_factor = Factor.MAIL
    session().commit()
    given = sign_in.Credentials(PASSWORD, login_id=name)
    return sign_in.sign_in(tenant, given, CLIENT).token


def test_a_passkey_answers_the_second_step_of_its_own_member(brand: Tenant, member: Find) -> None:
    """COM-13: not a colleague's passkey; the pending session ends; a right answer is not counted as a try."""
    tenant = having(brand, "second_step")
    own, colleagues = added(tenant, member()), added(tenant, member("kenichi"))
    token = begun(tenant, member)
    assert sign_in.get_waiting(tenant, token).has_passkey

    def answered(key: Authenticator) -> Any:
        options = sign_in.request_options(tenant, token, CLIENT)
        assert len(options["allowCredentials"]) == 1
        typed = sign_in.Typed("", passkey=key.sign(options))
        return sign_in.finish(tenant, token, typed, CLIENT)

    with pytest.raises(passkeys.Unproved):
        answered(colleagues)
    entry = answered(own)
    found = sessions.look_up(entry.token, idle_minutes=30)
    assert found is not None
    assert found.login_id == "hanako"
    with pytest.raises(sign_in.Gone):
        answered(own)


def test_the_second_step_can_be_guessed_at_with_passkeys_no_more_than_with_codes(
    brand: Tenant, member: Find
) -> None:
    """security.md §4.13: twenty tries an hour, then the right one waits as well."""
    tenant = having(brand, "second_step")
    key = added(tenant, member())
    wrong = sign_in.Typed("", passkey="x")
    for _turn in range(4):
        token = begun(tenant, member)
        for _again in range(5):
            with pytest.raises(passkeys.Unproved):
                sign_in.finish(tenant, token, wrong, CLIENT)
    token = begun(tenant, member)
    options = sign_in.request_options(tenant, token, CLIENT)
    typed = sign_in.Typed("", passkey=key.sign(options))
    with pytest.raises(TooMany):
        sign_in.finish(tenant, token, typed, CLIENT)


def test_not_me_removes_passkeys_and_what_may_become_one(on: Tenant, member: Find) -> None:
    """COM-14: whoever was thrown out cannot finish registering either; a colleague's stay."""
    hanako = member()
    key, colleagues = added(on, hanako), added(on, member("kenichi"))
    begun_before = passkeys.creation_options(on, hanako.id)
    token = links.issue(hanako.id, links.Purpose.NOT_ME)
    session().commit()
    devices.not_me(on, token, CLIENT)
    refused(on, key.sign(to_sign(on)))
    answer = Authenticator().make(begun_before)
    with pytest.raises(passkeys.Unproved):
        passkeys.register(on, hanako.id, "x", answer, by=member_actor(hanako))
    assert enter(on, colleagues.sign(to_sign(on))).token
