"""Sessions as rows: begun, looked up, touched, ended one by one or all at once (COM-15, security.md §4.6)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.core import clock
from portal.core.db import session
from portal.core.signer import digest
from portal.shared.accounts.models import Account, AccountStatus, MemberStatus
from portal.shared.auth import sessions
from portal.shared.auth.models import MemberSession
from portal.tenancy.scope import TenantError
from tests.cast import NOW

IDLE = 30


@pytest.fixture
def begin(member):
    """Begin a session of a member; returns the token."""

    def start(login_id="hanako", *, hours=2, **more):
        client = sessions.Client(
            more.pop("address", "192.0.2.7"), more.pop("user_agent", "Browser/1.0")
        )
        token = sessions.open_session(
            member(login_id).id, client, lifetime=timedelta(hours=hours), **more
        )
        session().flush()
        return token

    return start


def alive(token):
    return sessions.look_up(token, idle_minutes=IDLE) is not None


def row_of(token):
    where = MemberSession.token_digest == digest(token)
    return session().scalars(select(MemberSession).where(where)).one()


def test_a_look_up_brings_all_that_a_page_needs_of_the_member(begin, member):
    """COM-20: read once a request."""
    member().locale = "en"
    session().flush()
    found = sessions.look_up(begin(), idle_minutes=IDLE)
    assert found
    who = member()
    assert (found.member_id, found.account_id, found.name) == (
        who.id,
        who.account_id,
        "カナリア甲 花子",
    )
    assert (found.login_id, found.email, found.locale) == ("hanako", "hanako@one.example", "en")
    assert (found.account_name, found.is_representative) == ("カナリア甲株式会社一番", True)
    assert (found.must_change_password, found.seen_at) == (False, NOW)
    assert (found.is_authenticated, found.is_active, found.is_anonymous) == (True, True, False)
    assert found.get_id() == str(found.session_id)
    by = found.actor("192.0.2.7")
    assert (by.kind, by.name, by.member_id, by.address) == (
        "member",
        found.name,
        who.id,
        "192.0.2.7",
    )
    assert by.account_id == who.account_id


def test_tokens_are_long_and_never_the_same_and_kept_as_digests(begin):
    """security.md §4.6: 256 random bits."""
    tokens = {begin() for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 43
    kept = set(session().scalars(select(MemberSession.token_digest)))
    assert kept == {digest(token) for token in tokens}
    assert not kept & tokens


def test_what_the_browser_says_is_cut_to_what_the_columns_hold(begin):
    """security.md §4.21: on PostgreSQL a longer text would be an error."""
    row = row_of(begin(address="2001:db8::" + "f" * 60, user_agent="長" * 500))
    assert (len(row.address), len(row.user_agent)) == (45, 200)


def test_a_session_is_alive_until_its_hours_are_over_or_nobody_used_it(begin):
    """security.md §4.6: to the second."""
    token, second = begin(hours=1), timedelta(seconds=1)
    with clock.freeze(NOW + timedelta(minutes=IDLE) - second):
        assert alive(token)
        sessions.touch(row_of(token).id)
    with clock.freeze(NOW + timedelta(minutes=IDLE)):
        assert alive(token)
    with clock.freeze(NOW + timedelta(minutes=2 * IDLE) - second):
        assert not alive(token)
        sessions.touch(row_of(token).id)
        assert alive(token)
    with clock.freeze(NOW + timedelta(hours=1)):
        assert not alive(token)


def test_touching_notes_one_session_only(begin):
    """security.md §4.6"""
    used, other = begin(), begin()
    with clock.freeze(NOW + timedelta(minutes=10)):
        sessions.touch(row_of(used).id)
    session().expire_all()
    assert row_of(used).seen_at == NOW + timedelta(minutes=10)
    assert row_of(other).seen_at == NOW


def test_nothing_but_the_token_itself_opens_a_session(begin):
    """security.md §4.6"""
    token = begin()
    wrong = ("", "%", token[:-1], token + "x", token.swapcase(), digest(token), f" {token}")
    assert alive(token)
    assert [other for other in wrong if alive(other)] == []


def test_one_session_ends_and_the_others_stay(begin):
    """COM-15: and an ended one keeps the time it ended first."""
    first, second, colleagues = begin(), begin(), begin("kenichi")
    ended = row_of(first).id
    sessions.end(ended)
    with clock.freeze(NOW + timedelta(minutes=5)):
        sessions.end(ended)
        sessions.end_all(row_of(second).member_id)
    session().expire_all()
    assert [alive(token) for token in (first, second, colleagues)] == [False, False, True]
    assert row_of(first).ended_at == NOW
    assert row_of(second).ended_at == NOW + timedelta(minutes=5)


def test_all_sessions_of_a_member_end_but_the_one_in_use(begin, member):
    """COM-15: those of colleagues and strangers are not theirs to end."""
    tokens = [begin(), begin(), begin()]
    others = [begin("kenichi"), begin("yumi")]
    sessions.end_all(member().id, but=row_of(tokens[1]).id)
    assert [alive(token) for token in tokens] == [False, True, False]
    assert all(map(alive, others))
    sessions.end_all(member().id)
    assert not any(map(alive, tokens))


def test_the_right_is_asked_of_member_and_account_each_time(begin, member):
    """COM-15, COM-16: nothing is remembered in the session."""
    token = begin()
    for status in (MemberStatus.LOCKED, MemberStatus.REMOVED):
        member().status = status
        session().flush()
        assert not alive(token)
    member().status = MemberStatus.ACTIVE
    session().flush()
    assert alive(token)
    session().get_one(Account, member().account_id).status = AccountStatus.WITHDRAWN
    session().flush()
    assert not alive(token)


def test_a_token_opens_nothing_at_the_twin_brand(begin, inside):
    """COM-02, security.md §4.7: the row carries the tenant."""
    token = begin()
    assert alive(token)
    session().commit()
    with inside("studio"):
        assert not alive(token)


def test_outside_every_brand_a_look_up_is_a_mistake(app):
    """COM-02: fail closed."""
    with app.app_context(), pytest.raises(TenantError):
        sessions.look_up("any", idle_minutes=IDLE)
