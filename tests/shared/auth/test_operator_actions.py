"""What operators do for members and accounts, as rules (OPS-13): locked out, helped back in, merged."""

from __future__ import annotations

from datetime import timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import UniqueConstraint, func, select, update

from portal.blueprints.facility.models import Reservation
from portal.core import clock
from portal.core.actor import operator
from portal.core.audit import AuditEvent
from portal.core.audit_chain import find_faults
from portal.core.db import Base, session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, AccountStatus, Factor, MemberStatus
from portal.shared.auth import links, operator_actions, passwords, second_factor, sessions
from portal.shared.auth import sign_in as entrance
from portal.shared.auth.links import DeadLink, Purpose
from portal.shared.auth.models import Device, MemberSession, Passkey
from portal.shared.auth.sessions import Client
from portal.shared.auth.sign_in import Credentials
from tests.cast import NOW, PASSWORD

BY = operator("監督")


@pytest.fixture
def come_in(here, brand):
    """Sign somebody in; returns the token."""

    def enter(login_id: str = "hanako") -> str:
        given = Credentials(login_id=login_id, password=PASSWORD)
        return entrance.sign_in(brand, given, Client("192.0.2.7", "Browser/1.0")).token

    return enter


@pytest.fixture
def two_accounts(here):
    """The two accounts of the brand: the one to go, and the one that stays."""
    return accounts.find_account("C000002"), accounts.find_account("C000001")


def is_in(token: str) -> bool:
    return sessions.look_up(token, idle_minutes=60) is not None


def test_who_is_locked_is_out_with_every_link_and_comes_back_when_unlocked(come_in, member):
    """OPS-13, COM-10: the sign-in answers as to a wrong password; an unlocked session stays ended."""
    token = come_in()
    link = links.issue(member().id, Purpose.SET_PASSWORD)
    operator_actions.lock(member(), "退職", by=BY)
    session().commit()
    with pytest.raises(RuleBroken, match=r"^入力内容に誤りがあります。もう一度ご確認ください。$"):
        come_in()
    with pytest.raises(RuleBroken, match="現在の状態"):
        operator_actions.lock(member(), by=BY)
    session().rollback()
    assert not operator_actions.can_be_mailed_a_link(member())
    operator_actions.unlock(member(), by=BY)
    session().commit()
    assert not is_in(token)
    with pytest.raises(DeadLink):
        links.peek(link, Purpose.SET_PASSWORD)
    assert is_in(come_in())
    with pytest.raises(RuleBroken, match="現在の状態"):
        operator_actions.unlock(member(), by=BY)


def test_who_is_locked_while_the_password_is_being_hashed_does_not_come_in(
    app, inside, come_in, member, monkeypatch
):
    """OPS-13: else a session would wait for the day of the unlocking."""
    hashing, locked, said = Event(), Event(), []
    real = passwords.verify

    def slow(password_hash: str, password: str) -> bool:
        hashing.set()
        assert locked.wait(20)
        return real(password_hash, password)

    def visitor() -> None:
        with inside("facility"):
            brand = app.extensions["tenants"].current().by_key["facility"]
            given = Credentials(login_id="hanako", password=PASSWORD)
            try:
                entrance.sign_in(brand, given, Client("192.0.2.7"))
            except RuleBroken as refused:
                said.append(str(refused))

    monkeypatch.setattr(passwords, "verify", slow)
    with clock.freeze(NOW):
        thread = Thread(target=visitor)
        thread.start()
        assert hashing.wait(20)
        operator_actions.lock(member(), by=BY)
        session().commit()
        locked.set()
        thread.join(20)
    assert said == ["入力内容に誤りがあります。もう一度ご確認ください。"]
    assert session().scalar(select(func.count(MemberSession.id))) == 0


def test_a_lost_second_factor_goes_with_all_that_stood_in_for_it(come_in, member, brand):
    """OPS-13, COM-13: nobody else's goes; the member is told by mail, without a secret."""
    token, other = come_in(), member("kenichi").id
    for who in (member(), member("kenichi")):
        who.second_factor, who.totp_nonce = Factor.TOTP, "nonce-of-the-app"
        second_factor.make_recovery_codes(who.id)
        session().add(
            Passkey(
                member_id=who.id, credential_id=f"key-{who.id}", public_key=b"k", created_at=NOW
            )
        )
        device, _token = sessions.remember_device(who.id, Client())
        device.trusted_until = NOW + timedelta(days=30)
    session().commit()
    operator_actions.reset_factor(brand, member(), by=BY)
    session().commit()
    assert (
        member().second_factor,
        member().totp_nonce,
        second_factor.count_recovery_codes(member().id),
    ) == (Factor.OFF, "", 0)
    assert not is_in(token)
    trusted = (
        session().scalars(select(Device.member_id).where(Device.trusted_until.is_not(None))).all()
    )
    assert (trusted, session().scalars(select(Passkey.member_id)).all()) == ([other], [other])
    assert (member("kenichi").second_factor, second_factor.count_recovery_codes(other)) == (
        Factor.TOTP,
        second_factor.HOW_MANY,
    )
    mail = (
        session()
        .scalars(select(OutboxMail).where(OutboxMail.event == "second_factor_changed"))
        .one()
    )
    assert (mail.recipient, "利用しない" in mail.body, "nonce" in mail.body) == (
        "hanako@one.example",
        True,
        False,
    )


def test_where_all_must_have_a_second_step_the_mail_says_what_is_asked_for_next(
    here, brand, member
):
    """COM-13: not "nothing"."""
    rules = brand.sign_in.model_copy(update={"second_factor": "required"})
    operator_actions.reset_factor(brand.model_copy(update={"sign_in": rules}), member(), by=BY)
    mail = select(OutboxMail.body).where(OutboxMail.event == "second_factor_changed")
    assert "メールで認証コードを受け取る" in session().scalars(mail).one()


def test_one_or_all_must_change_their_password_and_nobody_is_counted_twice(here, member):
    """RENT-03"""
    assert operator_actions.require_change(member(), by=BY) == 1
    assert [member(who).must_change_password for who in ("hanako", "kenichi", "yumi")] == [
        True,
        False,
        False,
    ]
    member("yumi").status = MemberStatus.REMOVED
    assert operator_actions.require_change(None, by=BY) == 1
    assert operator_actions.require_change(None, by=BY) == 0
    assert not member("yumi").must_change_password


def test_a_merge_moves_every_row_of_every_table_and_the_trail_stays(two_accounts, member, inside):
    """OPS-13, COM-90: of whatever is mapped with an account; the audit trail is append-only, and holds."""
    source, target = two_accounts
    reservations = session().scalar(select(func.count(Reservation.id)))
    kept = session().scalar(
        select(func.count(AuditEvent.id)).where(AuditEvent.account_id == source.id)
    )
    moved = operator_actions.merge(source, target, by=BY)
    session().commit()
    assert moved["member"] == moved["reservation"] == 1
    assert set(moved) == {
        m.local_table.description for m in operator_actions.tables_of_accounts()
    } - {"audit_event"}
    left = operator_actions.overview(source)
    assert {table for table, rows in left["rows"].items() if rows} == {"audit_event"}
    assert left["rows"]["audit_event"] == (kept or 0) + 1
    assert (source.status, source.withdrawn_at) == (AccountStatus.WITHDRAWN, NOW)
    assert operator_actions.overview(target)["rows"]["reservation"] == reservations
    assert [event["action"] for event in left["events"][:1]] == ["account.merge"]
    assert operator_actions.overview(target)["events"][0]["action"] == "account.take_in"
    assert not list(find_faults())
    session().rollback()
    with inside("studio"):
        twin = accounts.find_account("C000002")
        assert twin.status == AccountStatus.ACTIVE
        assert operator_actions.overview(twin)["rows"]["reservation"] == 1


def test_who_was_moved_goes_on_under_the_new_customer_who_keeps_the_representative(
    come_in, two_accounts
):
    """OPS-13: nobody is locked out by a merge, and nobody gets more rights by it."""
    token = come_in("yumi")
    operator_actions.merge(*two_accounts, by=BY)
    session().commit()
    now = sessions.look_up(token, idle_minutes=60)
    assert now
    assert (now.account_name, now.is_representative) == ("カナリア甲株式会社一番", False)
    assert accounts.representative(two_accounts[1]).login_id == "hanako"
    assert is_in(come_in("yumi"))


def test_a_customer_without_a_representative_gets_the_others(two_accounts, member):
    """OPS-13: one who was removed leads nobody."""
    member("hanako").status = MemberStatus.REMOVED
    session().commit()
    operator_actions.merge(*two_accounts, by=BY)
    session().commit()
    assert accounts.representative(two_accounts[1]).login_id == "yumi"
    assert member("yumi").is_representative


def test_a_merge_that_cannot_be_is_refused_and_moves_nothing(two_accounts):
    """OPS-13: into itself, into one who left, or of one whose data was erased."""
    source, target = two_accounts
    before = operator_actions.overview(source)["rows"]
    with pytest.raises(RuleBroken, match="同じ会員"):
        operator_actions.merge(source, source, by=BY)
    for reason, which, values in (
        ("退会した会員へは", target, {"status": AccountStatus.WITHDRAWN}),
        ("個人情報を消去した", source, {"erased_at": NOW}),
    ):
        session().execute(update(Account).where(Account.id == which.id).values(**values))
        with pytest.raises(RuleBroken, match=reason):
            operator_actions.merge(source, target, by=BY)
        assert operator_actions.overview(source)["rows"] == before
        session().rollback()


def test_no_table_has_a_key_that_a_merge_would_break(app):
    """OPS-13: whoever brings a table with one row for each account teaches `merge` to add the two up."""
    keys = [
        (table.name, constraint.columns.keys())
        for table in (
            Base.metadata.tables[m.local_table.description]
            for m in operator_actions.tables_of_accounts()
        )
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint) and "account_id" in constraint.columns
    ]
    assert keys == []


def test_the_overview_tells_all_about_an_account_and_no_secret(come_in, two_accounts):
    """OPS-13"""
    for _ in range(2):
        come_in()
    found = operator_actions.overview(two_accounts[1])
    assert found["account"]["number"] == "C000001"
    assert [(m["login id"], m["role"], m["sessions"]) for m in found["members"]] == [
        ("hanako", "代表", 2),
        ("kenichi", "", 0),
    ]
    assert (found["rows"]["member"], found["rows"]["reservation"]) == (2, 3)
    assert found["events"][0]["action"] == "member.sign_in"
    assert "argon2" not in str(found)
