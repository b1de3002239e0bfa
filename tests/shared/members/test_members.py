"""RENT-10, COM-30: members looked after by their own account."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.shared.accounts import rights as rights_of
from portal.shared.accounts.models import MemberStatus
from portal.shared.accounts.operations import Person
from portal.shared.auth import links, sessions, throttling
from portal.shared.auth.links import Purpose
from portal.shared.auth.sessions import Client, SignedIn
from portal.shared.limits import operations as limits
from portal.shared.members import operations as members
from tests.cast import NOW
from tests.support.links import is_alive

SOMEBODY = SignedIn(
    session_id=1,
    member_id=1,
    account_id=1,
    name="花子",
    login_id="hanako",
    login_key="hanako",
    email="hanako@one.example",
    account_name="一番",
    is_representative=False,
    rights="",
    tags=",",
    must_change_password=False,
    locale="ja",
    seen_at=NOW,
    proved_at=None,
)
KATO = Person("加藤", "光", "kato@one.example", login_id="kato")


def test_one_who_is_added_gets_a_link_and_counts(brand, member, letters, mailed):
    """RENT-10, COM-41: not yet set, at the foot of the list, 3 of 50."""
    account = member().account_id
    made = members.add(brand, account, KATO, by=SYSTEM)
    assert [m.login_id for m in members.roster(account)] == ["hanako", "kenichi", "kato"]
    use = limits.usage_of(brand, "members", account)
    assert (use.used, use.limit, made.password_hash) == (3, 50, "")
    assert letters("set_password")[0].recipient == "kato@one.example"
    assert is_alive(mailed("set_password", "set-password"), Purpose.SET_PASSWORD)


def test_nobody_is_added_past_the_limit(brand, member):
    """COM-41, COM-42: the server refuses, whom to ask is said, nothing is stored."""
    full = brand.model_copy(update={"limits": brand.limits | {"members": 2}})
    account = member().account_id
    assert not limits.usage_of(full, "members", account).room
    with pytest.raises(limits.LimitReached, match="お問い合わせ"):
        members.add(full, account, KATO, by=SYSTEM)
    session().rollback()
    assert len(members.roster(account)) == 2


def test_no_name_to_sign_in_with_is_had_twice(brand, member, having):
    """RENT-10: refused at its field; at a brand of e-mail addresses there."""
    account = member().account_id
    twice = Person("別", "人", "other@one.example", login_id="ＫＥＮＩＣＨＩ")
    with pytest.raises(RuleBroken) as refused:
        members.add(brand, account, twice, by=SYSTEM)
    assert refused.value.field == "login_id"


def test_the_login_id_is_the_accounts_where_the_address_is_asked_for_too(having, member):
    """RENT-01: whatever was typed; the address tells its users apart."""
    rental = having(items="login_id_email_password")
    typed = Person("加藤", "光", "kato@one.example", login_id="another")
    assert members.add(rental, member().account_id, typed, by=SYSTEM).login_id == "hanako"


def test_an_invitation_is_sent_again_after_a_minute_and_kills_the_first(brand, member, mailed):
    """RENT-10: not to somebody who has set a password."""
    made = members.add(brand, member().account_id, KATO, by=SYSTEM)
    first = mailed("set_password", "set-password")
    members.invite_again(brand, made, by=SYSTEM)
    assert not is_alive(first, Purpose.SET_PASSWORD)
    assert is_alive(mailed("set_password", "set-password"), Purpose.SET_PASSWORD)
    with pytest.raises(throttling.TooMany):
        members.invite_again(brand, made, by=SYSTEM)
    with clock.freeze(NOW + timedelta(minutes=2)):
        members.invite_again(brand, made, by=SYSTEM)
    with pytest.raises(RuleBroken, match="すでにパスワード"):
        members.invite_again(brand, member("kenichi"), by=SYSTEM)


def test_a_removed_member_has_no_way_in_left(brand, member, letters):
    """RENT-10, COM-15: sessions, links, browsers end; the address is told and free again; the trail says so."""
    gone = member("kenichi")
    token = sessions.open_session(gone.id, Client(), lifetime=timedelta(hours=1))
    _device, device_token = sessions.remember_device(gone.id, Client())
    link = links.issue(gone.id, Purpose.RESET_PASSWORD)
    members.remove(brand, gone, by=SYSTEM)
    session().commit()
    assert member("kenichi").status == MemberStatus.REMOVED
    assert sessions.look_up(token, idle_minutes=60) is None
    assert sessions.find_device(gone.id, device_token) is None
    assert not is_alive(link, Purpose.RESET_PASSWORD)
    assert "削除されました" in letters("member_changed")[0].body
    again = Person("田中", "健一", "kenichi@one.example", login_id="kenichi")
    assert members.add(brand, gone.account_id, again, by=SYSTEM).id != gone.id
    told = session().query(AuditEvent).filter_by(action="member.remove").one()
    assert told.subject == "member:kenichi"


def test_the_representative_is_not_removed_but_handed_over(brand, member, letters):
    """COM-30: first to somebody who has a password, then the former one can go."""
    hanako, kenichi = member(), member("kenichi")
    with pytest.raises(RuleBroken, match="先に代表を変更"):
        members.remove(brand, hanako, by=SYSTEM)
    members.hand_over(brand, kenichi, by=SYSTEM)
    session().commit()
    assert [m.login_id for m in members.roster(hanako.account_id) if m.is_representative] == [
        "kenichi"
    ]
    assert {m.recipient for m in letters("member_changed")} == {
        "hanako@one.example",
        "kenichi@one.example",
    }
    members.remove(brand, member(), by=SYSTEM)


def test_one_without_a_password_does_not_represent(brand, member):
    """COM-30: the account would have nobody to act for it."""
    made = members.add(brand, member().account_id, KATO, by=SYSTEM)
    with pytest.raises(RuleBroken, match="パスワードの設定が済んでいない"):
        members.hand_over(brand, made, by=SYSTEM)


def test_where_everyone_manages_the_last_one_stays_and_the_role_moves_on(having, member):
    """RENT-10: the last one cannot be removed."""
    rental = having(managed_by="everyone")
    members.remove(rental, member(), by=SYSTEM)
    session().commit()
    kenichi = member("kenichi")
    assert kenichi.is_representative
    with pytest.raises(RuleBroken, match="最後のお一人"):
        members.remove(rental, kenichi, by=SYSTEM)


@pytest.mark.parametrize(
    ("managed_by", "representative", "rights", "may"),
    [
        ("representative", True, "", True),
        ("representative", False, "quotes,orders,billing,support", False),
        ("representative", False, "manage", True),
        ("everyone", False, "", True),
    ],
)
def test_who_manages_is_the_tenants_choice_and_the_accounts(
    having, managed_by, representative, rights, may
):
    """RENT-10, COM-30"""
    who = replace(SOMEBODY, is_representative=representative, rights=rights)
    assert bool(rights_of.can_manage(having(managed_by=managed_by), who)) is may


def test_a_number_finds_ones_own_people_only(brand, member):
    """COM-02: not the neighbour's, not one made up, not somebody removed."""
    account, stranger = member().account_id, member("yumi")
    assert members.find(account, members.number_of(member("kenichi"))).login_id == "kenichi"
    members.remove(brand, gone := member("kenichi"), by=SYSTEM)
    for number in (members.number_of(stranger), members.number_of(gone), "0" * 16, ""):
        with pytest.raises(NotFound):
            members.find(account, number)
