"""COM-30, RENT-10: rights are looked at again when something is saved, whatever a page said before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from portal.core.actor import SYSTEM, operator
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.shared.accounts import rights
from portal.shared.accounts.models import USUAL_RIGHTS, MemberStatus, Right
from portal.shared.accounts.operations import Person
from portal.shared.members import operations as members

KATO = Person("加藤", "光", "kato@one.example", login_id="kato", rights="support")
ALL = "quotes,orders,billing,support,manage"


@pytest.fixture
def by(member):
    """A member as who acts, read anew."""

    def make(login_id: str) -> Any:
        return member(login_id).actor("192.0.2.1")

    return make


@pytest.fixture
def let(member):
    """Give a member these rights and no others, as if always."""

    def give(login_id: str, held: str) -> Any:
        who = member(login_id)
        who.rights = held
        session().commit()
        return who

    return give


def save(brand, who, wanted: str, *, by) -> None:
    """Save a member with other rights, as the last press does."""
    data = {name: getattr(who, name) for name in members.PROFILE}
    data |= {"version": who.version, "rights": wanted}
    members.save_profile(brand, who.id, data, by=by)
    session().commit()


def test_nobody_hands_over_but_the_representative_and_operators(brand, member, by, let):
    """COM-30: 担当者の管理 is not enough, to oneself or to anybody else."""
    let("kenichi", ALL)
    hanako, kenichi = member("hanako"), member("kenichi")
    for target in (kenichi, hanako):
        with pytest.raises(RuleBroken, match="代表の方だけ"):
            members.hand_over(brand, target, by=by("kenichi"))
        session().rollback()
    assert member("hanako").is_representative
    members.hand_over(brand, member("kenichi"), by=by("hanako"))
    session().commit()
    assert member("kenichi").is_representative
    members.hand_over(brand, member("hanako"), by=operator("監督"))
    assert member("hanako").is_representative


@pytest.mark.parametrize("managed_by", ["representative", "everyone"])
def test_nobody_removes_the_representative_to_be_one(brand, having, member, by, let, managed_by):
    """RENT-10: where everyone removes everyone, the representative is handed over or leaves by themself."""
    let("kenichi", ALL)
    tenant = having(managed_by=managed_by)
    with pytest.raises(RuleBroken, match="先に代表を変更"):
        members.remove(tenant, member("hanako"), by=by("kenichi"))
    session().rollback()
    assert member("hanako").is_representative
    if managed_by == "everyone":
        members.remove(tenant, member("hanako"), by=by("hanako"))
        assert member("kenichi").is_representative


@pytest.mark.parametrize(
    ("held", "before", "wanted", "message"),
    [
        ("support,manage", "", "billing", "ご自身にない権限"),
        ("support,manage", "billing", "", "ご自身にない権限"),
        ("support,manage", "", "support,billing", "ご自身にない権限"),
        ("support", "", "support", "追加・削除は"),
        ("", "support", "", "追加・削除は"),
    ],
)
def test_nobody_gives_or_takes_what_they_do_not_hold(
    brand, member, by, let, held, before, wanted, message
):
    """COM-30: nor without 担当者の管理 as it is now."""
    members.add(brand, member().account_id, KATO, by=SYSTEM)
    let("kato", before)
    let("kenichi", held)
    with pytest.raises(RuleBroken, match=message):
        save(brand, member("kato"), wanted, by=by("kenichi"))
    session().rollback()
    assert member("kato").rights == before


def test_who_manages_gives_what_they_hold_and_leaves_the_rest(brand, member, by, let, letters):
    """COM-30: what the member has besides stays."""
    members.add(brand, member().account_id, KATO, by=SYSTEM)
    let("kato", "billing")
    let("kenichi", "support,manage")
    save(brand, member("kato"), "billing,support,manage", by=by("kenichi"))
    assert member("kato").rights == "billing,support,manage"


@pytest.mark.parametrize("target", ["kenichi", "hanako"], ids=["oneself", "the representative"])
def test_nobody_changes_their_own_rights_or_the_representatives(brand, member, by, let, target):
    """COM-30: also not from a draft that was made while it seemed allowed."""
    let("kenichi", "support,manage")
    before = member(target).rights
    with pytest.raises(RuleBroken, match="変更でき"):
        save(brand, member(target), "manage", by=by("kenichi"))
    session().rollback()
    assert member(target).rights == before
    with pytest.raises(RuleBroken, match="変更できません"):
        save(brand, member("hanako"), "manage", by=by("hanako"))


def test_a_new_member_gets_no_more_than_who_adds_them_holds(brand, member, by, let):
    """COM-30: and who manages nobody adds nobody."""
    let("kenichi", "support,manage")
    account = member().account_id
    for wanted in (ALL, "billing"):
        with pytest.raises(RuleBroken, match="ご自身にない権限"):
            members.add(brand, account, replace(KATO, rights=wanted), by=by("kenichi"))
        session().rollback()
    made = members.add(brand, account, KATO, by=by("kenichi"))
    assert made.rights == "support"
    session().commit()
    let("kenichi", "support")
    another = replace(KATO, login_id="kato2", email="kato2@one.example")
    with pytest.raises(RuleBroken, match="追加・削除は"):
        members.add(brand, account, another, by=by("kenichi"))


def test_who_was_removed_since_does_nothing_any_more(brand, member, by):
    """COM-30: a request that was on its way finds that its sender is gone."""
    late = by("kenichi")
    members.remove(brand, member("kenichi"), by=by("hanako"))
    session().commit()
    with pytest.raises(NotFound):
        members.add(brand, member().account_id, KATO, by=late)


def test_a_change_of_rights_is_mailed_to_the_person_and_the_representative(
    brand, having, member, by, let, letters
):
    """COM-34: what was given, what was taken, by whom; also where other changes are not mailed."""
    quiet = having(notify_changes=False)
    members.add(brand, member().account_id, KATO, by=SYSTEM)
    let("kato", "support")
    let("kenichi", "billing,support,manage")
    save(quiet, member("kato"), "billing", by=by("kenichi"))
    mails = letters("rights_changed")
    told = [mail for mail in mails if "新しくできること\n請求・帳票" in mail.body]
    assert sorted(mail.recipient for mail in told) == ["hanako@one.example", "kato@one.example"]
    for mail in told:
        assert "できなくなったこと\nお問い合わせ" in mail.body
        assert "カナリア甲 健一" in mail.body
        assert "加藤 光 様（kato@one.example）" in mail.body
    save(quiet, member("kato"), "billing", by=by("hanako"))
    assert len(letters("rights_changed")) == len(mails), "nothing changed, nobody is told"


def test_the_representative_is_told_whom_somebody_else_adds(brand, member, by, let, letters):
    """COM-34: a new member with rights is a change of rights too; not told of what they did themself."""
    let("kenichi", "support,manage")
    members.add(brand, member().account_id, KATO, by=by("kenichi"))
    assert [mail.recipient for mail in letters("rights_changed")] == ["hanako@one.example"]
    another = replace(KATO, login_id="kato2", email="kato2@one.example")
    members.add(brand, member().account_id, another, by=by("hanako"))
    assert len(letters("rights_changed")) == 1


def test_who_represents_no_more_changes_no_company_data(brand, member, by):
    """FAC-07, COM-30: confirmed before the hand-over, pressed behind it; said, and nothing saved."""
    hanako = member()
    data = members.read_profile(hanako.id) | {"account_name": "別の名前", "department": "新部署"}
    members.hand_over(brand, member("kenichi"), by=by("hanako"))
    session().commit()
    with pytest.raises(RuleBroken, match="代表の方だけ"):
        members.save_profile(brand, hanako.id, data, by=by("hanako"))
    session().rollback()
    assert members.read_profile(hanako.id)["account_name"] != "別の名前"


def test_a_profile_that_was_removed_meanwhile_is_not_saved(brand, member, by):
    """COM-23: NotFound goes back to the form with everything typed."""
    kenichi = member("kenichi")
    data = members.read_profile(kenichi.id) | {"department": "新部署"}
    members.remove(brand, kenichi, by=by("hanako"))
    session().commit()
    assert member("kenichi").status == MemberStatus.REMOVED
    with pytest.raises(NotFound):
        members.save_profile(brand, kenichi.id, data, by=by("hanako"))


def test_rights_are_written_in_one_order_and_read_in_any():
    """COM-90: the same rights are no change."""
    assert rights.to_text(rights.from_text("manage,quotes,nothing")) == "quotes,manage"
    assert rights.from_text("") == frozenset()


def test_the_usual_rights_are_capped_by_who_gives_them(member, by, let):
    """SUP-05: a 主担当 without 請求・帳票 registers a colleague without it."""
    let("kenichi", "support")
    assert rights.usual_for(by("kenichi")) == "support"
    assert rights.usual_for(by("hanako")) == rights.to_text(frozenset(USUAL_RIGHTS))
    assert rights.usual_for(SYSTEM) == rights.usual_for(operator("監督"))
    assert Right.MANAGE not in rights.from_text(rights.usual_for(SYSTEM))
