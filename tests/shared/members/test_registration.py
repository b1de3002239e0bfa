"""MOLD-01, MOLD-02: registration waits until the address is proved, and tells nobody who is registered."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import current_app

from portal.core import clock
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.accounts.account_hooks import AccountHooks, DeclaredHooks
from portal.shared.accounts.models import Account, Member
from portal.shared.auth import sign_in as entrance
from portal.shared.auth import throttling
from portal.shared.auth.links import DeadLink
from portal.shared.auth.models import Registration
from portal.shared.auth.sessions import Client
from portal.shared.drafts import Draft
from portal.shared.members import registration
from portal.shared.members.registration import Application
from tests.cast import NOW

PASSWORD, MAIL = "murasaki-77-hana", "aoki@aoki.example"
DATA = {
    "account_name": "青木製作所",
    "account_kana": "",
    "postal_code": "1440035",
    "prefecture": "東京都",
    "city": "大田区",
    "street": "南蒲田1-2-3",
    "building": "",
    "account_telephone": "0300002001",
    "family_name": "青木",
    "given_name": "涼",
    "family_kana": "",
    "given_kana": "",
    "department": "",
    "telephone": "",
}


@pytest.fixture
def shop(having):
    """A brand whose members sign in with their address, and register by themselves."""
    return having(items="email_password", registration=True)


@pytest.fixture
def apply(shop, here):
    """Register; gives the handle of the page that asks for the code."""

    def do(email=MAIL, password=PASSWORD, address="192.0.2.7"):
        given = Application(email, DATA, password)
        return registration.apply(shop, given, Client(address))

    return do


@pytest.fixture
def code(letters):
    """The code of the newest mail."""
    return lambda: re.findall(r"\b[0-9A-F]{8}-[0-9A-F]{3}\b", letters("registration")[0].body)[0]


def test_a_link_makes_account_and_representative(shop, apply, mailed, letters):
    """MOLD-01: used once; the code beside it is dead then; the password of before signs in."""
    handle = apply()
    made = registration.activate_by_link(
        shop, mailed("registration", "register/activate"), PASSWORD, Client()
    )
    account = session().get_one(Account, made.account_id)
    assert (account.name, account.telephone, account.city) == ("青木製作所", "0300002001", "大田区")
    assert (made.name, made.is_representative, made.login_key) == ("青木 涼", True, MAIL)
    assert letters("registered")[0].recipient == MAIL
    with pytest.raises(DeadLink):
        registration.activate_by_link(
            shop, mailed("registration", "register/activate"), PASSWORD, Client()
        )
    with pytest.raises(DeadLink):
        registration.waiting(handle)
    given = entrance.Credentials(password=PASSWORD, email=MAIL)
    assert entrance.sign_in(shop, given, Client()).token


def test_the_link_alone_finishes_nothing_that_a_stranger_began(shop, apply, mailed):
    """MOLD-01, COM-12: whoever opens it must know the password; five tries are all there is."""
    apply()
    link = mailed("registration", "register/activate")
    for wrong in ("", "x", PASSWORD + "x", PASSWORD.upper(), "murasaki"):
        with pytest.raises(RuleBroken, match="パスワードが正しくありません") as refused:
            registration.activate_by_link(shop, link, wrong, Client())
        assert refused.value.field == "password"
    with pytest.raises(RuleBroken, match="パスワードが正しくありません"):
        registration.activate_by_link(shop, link, PASSWORD, Client())
    assert session().query(Member).filter_by(email=MAIL).count() == 0


@pytest.mark.parametrize(
    "write", [str, str.lower, lambda c: c.replace("-", ""), lambda c: f" {c[:4]} {c[4:]} "]
)
def test_a_code_is_forgiving_and_kills_its_link(shop, apply, code, mailed, write):
    """MOLD-01: grouped as one likes, in either case."""
    handle = apply()
    assert registration.activate_by_code(shop, handle, write(code()), Client()).email == MAIL
    with pytest.raises(DeadLink):
        registration.peek(mailed("registration", "register/activate"))


def test_five_wrong_codes_are_all_there_is(shop, apply, code):
    """MOLD-01: the right one is refused in the same words afterwards."""
    handle, right = apply(), code()
    for wrong in ("00000000-000", "", "x", right[:-1], right + "0"):
        with pytest.raises(RuleBroken, match="認証コードが正しくないか"):
            registration.activate_by_code(shop, handle, wrong, Client())
    with pytest.raises(RuleBroken, match="認証コードが正しくないか"):
        registration.activate_by_code(shop, handle, right, Client())
    assert session().query(Member).filter_by(email=MAIL).count() == 0


def test_another_mail_kills_the_one_before(shop, apply, code, mailed):
    """MOLD-01: throttled to one a minute; the tries begin anew."""
    handle, first, link = apply(), code(), mailed("registration", "register/activate")
    registration.send_again(shop, handle)
    with pytest.raises(DeadLink):
        registration.peek(link)
    with pytest.raises(RuleBroken):
        registration.activate_by_code(shop, handle, first, Client())
    with pytest.raises(throttling.TooMany):
        registration.send_again(shop, handle)
    session().rollback()
    assert registration.activate_by_code(shop, handle, code(), Client()).email == MAIL


def test_after_an_hour_both_are_dead(apply, mailed):
    """MOLD-01"""
    handle, link = apply(), mailed("registration", "register/activate")
    with clock.freeze(NOW + timedelta(hours=1, seconds=1)):
        for look in (lambda: registration.waiting(handle), lambda: registration.peek(link)):
            with pytest.raises(DeadLink):
                look()


def test_an_address_that_is_known_gets_another_mail_and_nobody_learns_it(
    shop, member, apply, letters
):
    """security.md §4.2: the same answer and page; what was typed can never be activated."""
    known = member()
    known.login_key = known.email
    session().commit()
    handle = apply(known.email)
    assert re.fullmatch(r"[\w-]{43}", handle)
    assert registration.waiting(handle).email == known.email
    assert letters("registration") == []
    assert letters("registered_already")[0].recipient == known.email
    assert "青木" not in letters("registered_already")[0].body, "nothing that a stranger typed"
    with pytest.raises(RuleBroken):
        registration.activate_by_code(shop, handle, "00000000-000", Client())


def test_of_two_for_one_address_the_first_that_proves_it_wins(shop, apply, mailed, code):
    """MOLD-01: the other's link is calmly dead, and makes no account."""
    apply()
    first = mailed("registration", "register/activate")
    apply()
    second = mailed("registration", "register/activate")
    registration.activate_by_link(shop, first, PASSWORD, Client())
    accounts = session().query(Account).count()
    with pytest.raises(DeadLink):
        registration.activate_by_link(shop, second, PASSWORD, Client())
    session().rollback()
    assert session().query(Account).count() == accounts


def test_what_waits_for_an_address_is_found_after_it_is_proved(shop, apply, code, monkeypatch):
    """MOLD-02: not before."""
    joined = []
    part = AccountHooks(joined=lambda _tenant, member: joined.append(member.email))
    services = current_app.extensions["services"]
    monkeypatch.setitem(services, DeclaredHooks, DeclaredHooks(by_module={"facility": part}))
    handle = apply()
    assert joined == []
    registration.activate_by_code(shop, handle, code(), Client())
    assert joined == [MAIL]


def test_a_password_against_the_rules_is_refused_before_anything_is_kept(apply, letters):
    """COM-11: too short, one's own address, the company's name, a common one."""
    for bad in ("kurz", f"{MAIL}", "青木製作所です12345", "password1234"):
        with pytest.raises(RuleBroken) as refused:
            apply(password=bad)
        assert refused.value.field == "password"
    assert session().query(Registration).count() == 0
    assert letters("registration") == []


def test_the_password_is_nowhere_but_hashed(apply):
    """COM-81, security.md §4.1: not in mails, drafts or the registration's data."""
    apply()
    made = session().query(Registration).one()
    assert made.password_hash.startswith("$argon2id$")
    kept = [str(made.data), *(f"{m.subject}{m.body}{m.html}" for m in session().query(OutboxMail))]
    assert not [text for text in kept if PASSWORD in text]
    assert session().query(Draft).count() == 0


def test_one_place_registers_ten_times_in_five_minutes_at_most(apply):
    """security.md §4.5"""
    for turn in range(10):
        apply(f"a{turn}@aoki.example")
    with pytest.raises(throttling.TooMany):
        apply("more@aoki.example")


def test_what_nobody_proved_is_forgotten_a_day_later(apply):
    """COM-16: nothing is kept of who never became a customer."""
    apply()
    registration.forget()
    assert session().query(Registration).count() == 1
    with clock.freeze(NOW + timedelta(hours=26)):
        registration.forget()
    assert session().query(Registration).count() == 0
