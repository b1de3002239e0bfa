"""The profile as an operation: what is read, what is written, by whom, and when it is stale (FAC-07, COM-26)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.core.actor import Actor, operator
from portal.core.audit import AuditEvent
from portal.core.audit_chain import find_faults
from portal.core.db import session
from portal.core.errors import RuleBroken, Stale
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Account, Member
from portal.shared.members import operations as members

ACCOUNT = {
    "account_name": "新社名",
    "account_kana": "シン",
    "postal_code": "1440035",
    "prefecture": "東京都",
}
ACCOUNT |= {"city": "大田区", "street": "1-1", "building": "", "account_telephone": "0312345678"}
OWN = {"family_name": "新姓", "given_name": "新名", "family_kana": "", "given_kana": ""}
OWN |= {"department": "総務", "telephone": ""}


@pytest.fixture
def tenant(app):
    """The facility brand."""
    return app.extensions["tenants"].current().by_key["facility"]


@pytest.fixture
def member(inside):
    """Find a member in the facility brand, whose scope is open for the test."""
    with inside("facility"):
        yield (
            lambda login_id: (
                session().scalars(select(Member).where(Member.login_id == login_id)).one()
            )
        )


def by(who: Member) -> Actor:
    return Actor("member", who.name, who.id, who.account_id, "192.0.2.7")


def events() -> list[AuditEvent]:
    return list(session().scalars(select(AuditEvent).where(AuditEvent.action == "member.profile")))


def test_reading_gives_the_persons_and_the_accounts_data_with_their_versions(member, cast):
    """FAC-07: what the form shows, and nothing that it must not."""
    read = members.read_profile(member(cast.representative).id)
    assert set(read) == {*ACCOUNT, *OWN, "version", "account_version"}
    assert (read["account_name"], read["given_name"]) == ("カナリア甲株式会社一番", "花子")
    assert (read["version"], read["account_version"]) == (1, 1)


def test_a_representative_saves_both_parts_and_each_version_grows_by_one(member, tenant, cast):
    """FAC-07, COM-26"""
    who = member(cast.representative)
    members.save_profile(
        tenant, who.id, {**members.read_profile(who.id), **ACCOUNT, **OWN}, by=by(who)
    )
    session().commit()
    session().expire_all()
    assert members.read_profile(who.id) == ACCOUNT | OWN | {"version": 2, "account_version": 2}


def test_what_did_not_change_keeps_its_version(member, tenant, cast):
    """COM-26: one part alone never makes the other stale."""
    who = member(cast.representative)
    members.save_profile(tenant, who.id, {**members.read_profile(who.id), **OWN}, by=by(who))
    assert members.read_profile(who.id)["account_version"] == 1
    members.save_profile(tenant, who.id, {**members.read_profile(who.id), **ACCOUNT}, by=by(who))
    session().expire_all()
    assert (
        members.read_profile(who.id)["version"],
        members.read_profile(who.id)["account_version"],
    ) == (2, 2)


def test_a_member_saves_their_own_part_only(member, tenant, cast):
    """FAC-07: what is sent for the account all the same is refused, and said; it is not in the trail."""
    who = member(cast.member)
    with pytest.raises(RuleBroken, match="代表の方だけ"):
        members.save_profile(
            tenant, who.id, {**members.read_profile(who.id), **ACCOUNT, **OWN}, by=by(who)
        )
    session().rollback()
    members.save_profile(tenant, who.id, {**members.read_profile(who.id), **OWN}, by=by(who))
    session().expire_all()
    assert session().get_one(Account, who.account_id).name == "カナリア甲株式会社一番"
    [event] = events()
    assert set(event.changes) == {"family_name", "given_name", "department"}


def test_emptied_fields_are_empty_text_and_an_absent_value_means_the_same(member, tenant, cast):
    """FAC-07: nothing is ever unknown in the database."""
    who = member(cast.representative)
    members.save_profile(
        tenant, who.id, {**members.read_profile(who.id), "telephone": "0312345678"}, by=by(who)
    )
    session().expire_all()
    members.save_profile(
        tenant,
        who.id,
        {**members.read_profile(who.id), "telephone": None, "department": None},
        by=by(who),
    )
    session().expire_all()
    assert members.read_profile(who.id)["telephone"] == ""
    assert events()[-1].changes == {"telephone": ["0312345678", ""]}


@pytest.mark.parametrize("part", ["version", "account_version"])
@pytest.mark.parametrize("based_on", [0, 2])
def test_a_save_that_is_not_based_on_the_present_version_is_stale(
    member, tenant, cast, part, based_on
):
    """COM-26: older or newer, it is refused, and nobody is mailed."""
    who = member(cast.representative)
    with pytest.raises(Stale):
        members.save_profile(
            tenant,
            who.id,
            {**members.read_profile(who.id), **ACCOUNT, **OWN} | {part: based_on},
            by=by(who),
        )
    session().rollback()
    assert members.read_profile(who.id)["account_name"] == "カナリア甲株式会社一番"
    assert not events()
    assert (
        not session().scalars(select(OutboxMail).where(OutboxMail.event == "profile_changed")).all()
    )


def test_a_stale_version_does_not_matter_where_nothing_changes(member, tenant, cast):
    """COM-26: who confirms what is there already is in nobody's way."""
    who = member(cast.representative)
    members.save_profile(
        tenant,
        who.id,
        {**members.read_profile(who.id), "version": 0, "account_version": 0},
        by=by(who),
    )
    assert not events()


def test_the_mail_goes_with_the_change_or_not_at_all(member, tenant, cast):
    """COM-80: one transaction; the name in the mail is the new one."""
    who = member(cast.representative)
    members.save_profile(tenant, who.id, {**members.read_profile(who.id), **OWN}, by=by(who))
    mails = select(OutboxMail).where(OutboxMail.event == "profile_changed")
    assert "新姓 新名 様" in session().scalars(mails).one().body
    session().rollback()
    assert not session().scalars(mails).all()
    assert not events()


def test_the_trail_names_who_did_it_and_its_chain_holds(member, tenant, cast):
    """COM-90: also when an operator did it for the member."""
    who = member(cast.representative)
    members.save_profile(tenant, who.id, {**members.read_profile(who.id), **OWN}, by=by(who))
    members.save_profile(
        tenant, who.id, {**members.read_profile(who.id), "department": "開発"}, by=operator("監督")
    )
    first, second = events()
    assert (first.actor_kind, first.address, first.subject) == (
        "member",
        "192.0.2.7",
        "member:hanako",
    )
    assert (second.actor_kind, second.actor_name, second.account_id) == (
        "operator",
        "監督",
        who.account_id,
    )
    assert second.changes == {"department": ["総務", "開発"]}
    assert list(find_faults()) == []
