"""The audit trail: append-only, chained, a chain for each tenant, without secrets (COM-90)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from portal.blueprints.facility.models import Status
from portal.core import audit, audit_chain, clock
from portal.core.actor import SYSTEM, Actor, operator
from portal.core.audit import AuditEvent, AuditHead
from portal.core.audit_chain import find_faults
from portal.core.audit_keys import set_audit_keys
from portal.core.db import session
from portal.tenancy.scope import TenantError
from tests.cast import NOW
from tests.support.raw import superuser

Inside = Callable[[str], Any]
HANAKO = Actor("member", "hanako", member_id=7, account_id=3, address="203.0.113.9")


@pytest.fixture
def last(inside: Inside) -> int:
    """The sequence number of the last of the events at "facility"."""
    with inside("facility"):
        return session().scalars(select(func.max(AuditEvent.sequence))).one()


@pytest.fixture
def tamper(app: Flask) -> Callable[[str], int]:
    """Do what no wall and no trigger holds back, as somebody with the database's own keys could; rows changed."""

    def run(sql: str) -> int:
        with superuser(app) as raw:
            if isinstance(raw, psycopg.Connection):
                raw.execute("ALTER TABLE audit_event DISABLE TRIGGER ALL")
                raw.execute("ALTER TABLE audit_head DISABLE TRIGGER ALL")
            else:
                for verb in ("update", "delete"):
                    raw.execute(f"DROP TRIGGER IF EXISTS audit_event_no_{verb}")
                for trigger in ("begins", "moves_on", "stays"):
                    raw.execute(f"DROP TRIGGER IF EXISTS audit_head_{trigger}")
            return int(raw.execute(sql).rowcount)

    return run


def broken() -> list[int]:
    return [fault.sequence for fault in find_faults()]


def test_an_event_says_who_did_what_to_which_record_when_and_from_where(inside: Inside) -> None:
    """COM-90: with before and after."""
    with inside("facility"):
        audit.record(
            "member.email", "member:hanako", by=HANAKO, email=["old@one.example", "new@one.example"]
        )
        session().commit()
        found = (
            session()
            .scalars(select(AuditEvent).order_by(AuditEvent.sequence.desc()).limit(1))
            .one()
        )
        assert (found.actor_kind, found.actor_name, found.address) == (
            "member",
            "hanako",
            "203.0.113.9",
        )
        assert (found.action, found.subject, found.account_id) == (
            "member.email",
            "member:hanako",
            3,
        )
        assert found.at == NOW
        assert found.changes == {"email": ["old@one.example", "new@one.example"]}
        assert found.tenant_id == "facility"


@pytest.mark.parametrize(
    ("by", "given", "kept"),
    [(HANAKO, None, 3), (HANAKO, 9, 9), (operator("監督"), 9, 9), (SYSTEM, None, None)],
)
def test_an_event_belongs_to_the_account_given_or_else_to_the_actors(
    inside: Inside, by: Actor, given: int | None, kept: int | None
) -> None:
    """COM-90: an account reads its own history."""
    with inside("facility"):
        what = SimpleNamespace(subject="test:1", account_id=given)
        assert audit.record("test.act", what, by=by).account_id == kept


@pytest.mark.parametrize(
    "verb", ["UPDATE audit_event SET actor_name = 'x'", "DELETE FROM audit_event"]
)
@pytest.mark.parametrize("where", ["", " WHERE tenant_id = 'facility' AND sequence = 1"])
def test_no_row_is_changed_or_removed_even_by_the_databases_owner(
    app: Flask, verb: str, where: str
) -> None:
    """COM-90, security.md §4.26: the triggers refuse, whoever connects; all rows stay."""
    with superuser(app) as raw:
        before = raw.execute("SELECT * FROM audit_event ORDER BY id").fetchall()
        with pytest.raises(Exception, match="audit_event is append-only"):
            raw.execute(verb + where)
        assert raw.execute("SELECT * FROM audit_event ORDER BY id").fetchall() == before


@pytest.mark.parametrize("statement", [update(AuditEvent).values(subject="x"), delete(AuditEvent)])
def test_the_program_itself_cannot_change_or_remove_a_row(
    inside: Inside, last: int, statement: Any
) -> None:
    """COM-90: trigger or missing right, the database refuses."""
    with inside("facility"):
        with pytest.raises(sqlalchemy.exc.DBAPIError, match=r"append-only|permission denied"):
            session().execute(statement)
        session().rollback()
        assert session().scalar(select(func.count(AuditEvent.id))) == last


def test_an_untouched_trail_holds_in_every_tenant(inside: Inside, last: int) -> None:
    """COM-90: also right after a new event, and where nothing has happened yet."""
    assert last > 5
    with inside("facility"):
        audit.record(
            "test.act", "test:1", by=SYSTEM, name="𠮷野家\u0000", amount=10**15, empty=None, on=True
        )
        session().commit()
        assert broken() == []
    with inside("studio"):
        assert broken() == []
    with inside("shop"):
        assert broken() == []
        assert audit.record("test.act", "test:1", by=SYSTEM).sequence == 1
        assert broken() == []


ROW = "WHERE tenant_id = 'facility' AND sequence = 3"


@pytest.mark.parametrize(
    "change",
    [
        "actor_name = 'somebody'",
        "actor_kind = 'member'",
        "address = '192.0.2.1'",
        "account_id = 99",
        "action = 'nothing.done'",
        "subject = 'reservation:OTHER'",
        "changes = '{\"forged\": 1}'",
        "at = '2020-01-01 00:00:00'",
    ],
)
def test_an_altered_row_is_named_whichever_column_it_was(
    inside: Inside, tamper: Callable[[str], int], change: str
) -> None:
    """COM-90: the first number told is the altered row's."""
    assert tamper(f"UPDATE audit_event SET {change} {ROW}") == 1
    with inside("facility"):
        assert broken() == [3]
    with inside("studio"):
        assert broken() == []


def test_an_altered_row_with_a_digest_of_its_own_breaks_the_link_behind_it(
    inside: Inside, tamper: Callable[[str], int]
) -> None:
    """COM-90: reckoning the digest anew does not help: its mark is missing, the next row stands on the old one."""
    with inside("facility"):
        rows = session().scalars(select(AuditEvent).order_by(AuditEvent.sequence).limit(3)).all()
        rows[2].subject = "reservation:OTHER"
        forged = rows[2].expected_digest(rows[1].digest)
        session().rollback()
    tamper(f"UPDATE audit_event SET subject = 'reservation:OTHER', digest = '{forged}' {ROW}")
    with inside("facility"):
        assert broken() == [3, 4]


def test_the_last_row_cannot_be_forged_with_its_digest_either(
    inside: Inside, tamper: Callable[[str], int], last: int
) -> None:
    """COM-90: no row stands behind the last one, but the end of the chain is kept beside it."""
    with inside("facility"):
        two = (
            session()
            .scalars(select(AuditEvent).order_by(AuditEvent.sequence.desc()).limit(2))
            .all()
        )
        two[0].subject = "reservation:OTHER"
        forged = two[0].expected_digest(two[1].digest)
        session().rollback()
    where = f"WHERE tenant_id = 'facility' AND sequence = {last}"
    tamper(f"UPDATE audit_event SET subject = 'reservation:OTHER', digest = '{forged}' {where}")
    with inside("facility"):
        assert broken() == [last]


@pytest.mark.parametrize(
    ("which", "told"),
    [("= 1", lambda last: [2]), ("= 3", lambda last: [4]), ("IN (2, 3)", lambda last: [4])],
    ids=["first", "middle", "two"],
)
def test_a_removed_row_is_told_by_the_one_behind_it(
    inside: Inside,
    tamper: Callable[[str], int],
    last: int,
    which: str,
    told: Callable[[int], list[int]],
) -> None:
    """COM-90."""
    assert tamper(f"DELETE FROM audit_event WHERE tenant_id = 'facility' AND sequence {which}") >= 1
    with inside("facility"):
        assert broken() == told(last)


@pytest.mark.parametrize("removed", [1, 3, 1000])
def test_rows_removed_from_the_end_are_told_by_the_end_that_is_kept(
    inside: Inside, tamper: Callable[[str], int], last: int, removed: int
) -> None:
    """COM-90: up to the whole trail."""
    tamper(f"DELETE FROM audit_event WHERE tenant_id = 'facility' AND sequence > {last - removed}")
    with inside("facility"):
        assert broken() == [last]


def test_a_trail_whose_end_was_removed_does_not_hold(
    inside: Inside, tamper: Callable[[str], int], last: int
) -> None:
    """COM-90: rows without the end they lead to."""
    assert tamper("DELETE FROM audit_head WHERE tenant_id = 'facility'") == 1
    with inside("facility"):
        assert broken() == [last]


def test_two_rows_that_changed_places_are_told(
    inside: Inside, tamper: Callable[[str], int]
) -> None:
    """COM-90: the order is part of what is chained."""
    for old, new in ((2, 9002), (3, 2), (9002, 3)):
        tamper(
            f"UPDATE audit_event SET sequence = {new} WHERE tenant_id = 'facility' AND sequence = {old}"
        )
    with inside("facility"):
        assert broken() == [2, 3, 4]


def test_a_row_moved_in_from_another_tenant_is_told(
    inside: Inside, tamper: Callable[[str], int]
) -> None:
    """COM-02, COM-90: the tenant is part of what is chained."""
    tamper(f"DELETE FROM audit_event {ROW}")
    tamper(
        "UPDATE audit_event SET tenant_id = 'facility' WHERE tenant_id = 'studio' AND sequence = 3"
    )
    with inside("facility"):
        assert 3 in broken()
    with inside("studio"):
        assert broken() == [4]


def test_each_tenant_counts_its_own_events_and_sees_no_others(inside: Inside) -> None:
    """COM-02."""
    with inside("facility"):
        before = session().scalars(select(AuditHead)).one().sequence
    with inside("studio"):
        for _ in range(3):
            audit.record("test.act", "test:studio", by=SYSTEM)
        session().commit()
    with inside("facility"):
        assert audit.record("test.act", "test:facility", by=SYSTEM).sequence == before + 1
        assert (
            session().scalars(select(AuditEvent).where(AuditEvent.subject == "test:studio")).all()
            == []
        )


def test_an_event_of_work_that_was_rolled_back_never_was(inside: Inside, last: int) -> None:
    """COM-90: event and change stand in one transaction; the number is used again."""
    with inside("facility"):
        assert audit.record("test.act", "test:lost", by=SYSTEM).sequence == last + 1
        session().rollback()
        assert audit.record("test.act", "test:kept", by=SYSTEM).sequence == last + 1
        session().commit()
        assert broken() == []


def test_nothing_is_recorded_outside_a_tenants_scope(app: Flask) -> None:
    """COM-02."""
    with app.app_context(), pytest.raises(TenantError):
        audit.record("test.act", "test:1", by=SYSTEM)


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "new_password",
        "Password",
        "token",
        "csrf_token",
        "code",
        "recovery_codes",
        "hash",
        "TOTP_SECRET",
    ],
)
def test_secrets_are_masked_before_and_after_and_inside(key: str) -> None:
    """COM-90: secrets masked, wherever they stand."""
    kept = audit.masked(
        {key: ["old", "new"], "form": {"name": "花子", key: "x"}, "all": [{key: "y"}]}
    )
    assert kept == {key: "***", "form": {"name": "花子", key: "***"}, "all": [{key: "***"}]}


@pytest.mark.parametrize("key", ["postal_code", "account_postal_code", "email", "name", "number"])
def test_what_is_no_secret_is_kept_with_before_and_after(key: str) -> None:
    """COM-90: a postal code is part of an address and no secret."""
    assert audit.masked({key: ["1000001", "1000002"]}) == {key: ["1000001", "1000002"]}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        (Decimal("1.50"), "1.50"),
        (1.5, "1.5"),
        ((1, None, True), [1, None, True]),
        ({1: {2: clock.TOKYO}}, {"1": {"2": "Asia/Tokyo"}}),
        (Status.PAID, "paid"),
        (b"\xff", "b'\\xff'"),
    ],
)
def test_values_are_kept_as_plain_data(value: Any, kept: Any) -> None:
    assert audit.masked({"value": value}) == {"value": kept}


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=10)
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.text(max_size=8), PLAIN, max_size=4), other=PLAIN)
@settings(max_examples=50)
def test_the_digest_changes_with_any_change_and_with_nothing_else(
    changes: dict[str, Any], other: Any
) -> None:
    """COM-90: the order in which keys stand does not matter, each value does."""

    def digest(kept: dict[str, Any], previous: str = "0" * 64) -> str:
        return AuditEvent(
            tenant_id="facility",
            sequence=1,
            at=NOW,
            actor_kind="system",
            changes=audit.masked(kept),
        ).expected_digest(previous)

    turned = dict(reversed(changes.items()))
    assert digest(changes) == digest(turned) != digest(changes, "1" * 64)
    assert digest(changes | {"added to it": other}) != digest(changes)


def forge(app: Flask, tamper: Callable[[str], int], inside: Inside, last: int) -> None:
    """Rewrite an event and everything behind it as one could who has the database and not the server's secret."""
    with inside("facility"):
        events = session().scalars(select(AuditEvent).order_by(AuditEvent.sequence)).all()
        previous = events[1].digest
        made = []
        for event in events[2:]:
            if event.sequence == 3:
                event.subject = "reservation:OTHER"
            previous = event.expected_digest(previous)
            made.append((event.sequence, previous))
        session().rollback()
    tamper(f"UPDATE audit_event SET subject = 'reservation:OTHER' {ROW}")
    where = "WHERE tenant_id = 'facility' AND sequence"
    for sequence, digest in made:
        tamper(f"UPDATE audit_event SET digest = '{digest}' {where} = {sequence}")
    tamper(f"UPDATE audit_head SET digest = '{previous}' {where} = {last}")


def test_a_chain_made_anew_without_the_servers_secret_is_told(
    app: Flask, inside: Inside, tamper: Callable[[str], int], last: int
) -> None:
    """COM-90: every digest fits, no mark does."""
    forge(app, tamper, inside, last)
    with inside("facility"):
        assert broken() == list(range(3, last + 1))
        assert {fault.reason for fault in find_faults()} == {"not marked by this server"}


def test_what_happens_afterwards_does_not_make_a_forged_chain_right(
    app: Flask, inside: Inside, tamper: Callable[[str], int], last: int
) -> None:
    """COM-90: the server goes on from the forged end; the forged events stay told."""
    forge(app, tamper, inside, last)
    with inside("facility"):
        audit.record("test.act", "test:1", by=SYSTEM)
        session().commit()
        assert broken() == list(range(3, last + 1))


@pytest.mark.parametrize("column", ["mac = ''", "mac = '', key_id = ''", "key_id = '00000000'"])
def test_an_event_without_its_mark_is_told(
    inside: Inside, tamper: Callable[[str], int], column: str
) -> None:
    """COM-90: taking marks away does not make events look old."""
    tamper(f"UPDATE audit_event SET {column} {ROW}")
    with inside("facility"):
        assert broken() == [3]


@pytest.fixture
def with_secrets(app: Flask) -> Iterator[Callable[..., None]]:
    """Go on with other secret keys of the server."""
    yield lambda *secrets: set_audit_keys(secrets)
    settings = app.extensions["settings"]
    set_audit_keys((settings.secret_key, *settings.secret_key_fallbacks))


def test_a_changed_secret_keeps_the_trail_and_a_dropped_one_needs_an_anchor(
    app: Flask, inside: Inside, last: int, with_secrets: Callable[..., None]
) -> None:
    """COM-90: by fallbacks; once the old key is gone an anchor vouches for what it marked."""
    old = app.extensions["settings"].secret_key
    with inside("facility"):
        with_secrets("n" * 40, old)
        audit.record("test.act", "test:1", by=SYSTEM)
        session().commit()
        assert broken() == []
        anchor = audit_chain.make_anchor()
        with_secrets("n" * 40)
        assert broken() == list(range(1, last + 1))
        assert list(find_faults([anchor])) == []


def test_an_anchor_tells_a_trail_that_was_cut_back_or_made_anew(
    app: Flask, inside: Inside, tamper: Callable[[str], int], last: int
) -> None:
    """COM-90: to an earlier end of its own, which nothing inside of the database shows."""
    with inside("facility"):
        anchor = audit_chain.make_anchor()
        before = session().scalars(select(AuditEvent).where(AuditEvent.sequence == last - 1)).one()
        digest = before.digest
        assert audit_chain.Anchor.parse(str(anchor)) == anchor
        assert list(find_faults([anchor])) == []
    where = "WHERE tenant_id = 'facility'"
    tamper(f"DELETE FROM audit_event {where} AND sequence = {last}")
    tamper(f"UPDATE audit_head SET sequence = {last - 1}, digest = '{digest}' {where}")
    with inside("facility"):
        assert broken() == []
        assert [fault.sequence for fault in find_faults([anchor])] == [last]
        other = audit_chain.Anchor("facility", 2, "f" * 64, 1, "x")
        assert [fault.sequence for fault in find_faults([other])] == [2]


def test_events_of_before_they_were_marked_hold_and_are_counted(
    app: Flask, inside: Inside, tamper: Callable[[str], int], last: int
) -> None:
    """COM-90: what the migration found; an anchor of before shows when more are said to be old."""
    with inside("facility"):
        anchor = audit_chain.make_anchor()
    where = "WHERE tenant_id = 'facility'"
    tamper(f"UPDATE audit_event SET mac = '', key_id = '' {where}")
    tamper(f"UPDATE audit_head SET keyed_from = {last + 1} {where}")
    with inside("facility"):
        assert broken() == []
        assert audit_chain.count_unmarked() == last
        audit.record("test.act", "test:1", by=SYSTEM)
        session().commit()
        assert broken() == []
        assert [fault.sequence for fault in find_faults([anchor])] == [last + 1]


@pytest.mark.parametrize("line", ["", "facility 1 abc", "facility x abc 1 2026", "a b c d e f"])
def test_what_is_no_anchor_is_refused(line: str) -> None:
    """COM-90"""
    with pytest.raises(ValueError, match="no anchor"):
        audit_chain.Anchor.parse(line)


HEAD = "WHERE tenant_id = 'facility'"


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE audit_head SET digest = '{'f' * 64}' {HEAD}",
        f"UPDATE audit_head SET sequence = sequence - 1 {HEAD}",
        f"UPDATE audit_head SET sequence = sequence + 1 {HEAD}",
        f"UPDATE audit_head SET sequence = 0, digest = '{'0' * 64}' {HEAD}",
        f"UPDATE audit_head SET keyed_from = 99 {HEAD}",
        f"UPDATE audit_head SET tenant_id = 'shop' {HEAD}",
        f"DELETE FROM audit_head {HEAD}",
        "INSERT INTO audit_head (tenant_id, sequence, digest, keyed_from) "
        f"VALUES ('shop', 5, '{'f' * 64}', 1)",
        "UPDATE system_access SET reason = 'x'",
        "DELETE FROM system_access",
    ],
)
def test_neither_the_trails_end_nor_the_log_over_all_brands_is_rewritten_by_anybody(
    app: Flask, statement: str
) -> None:
    """COM-90: the triggers refuse, whoever connects."""
    with superuser(app) as raw:
        raw.execute(
            "INSERT INTO system_access (at, by, reason) VALUES ('2026-01-01', 'somebody', 'test')"
        )
        with pytest.raises(Exception, match=r"only moves on with its trail|append-only"):
            raw.execute(statement)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("table", ["audit_event", "audit_head", "system_access"])
def test_nobody_truncates_the_trail(app: Flask, table: str) -> None:
    """COM-90: PostgreSQL's TRUNCATE fires no trigger of rows."""
    with superuser(app) as raw, pytest.raises(Exception, match="append-only"):
        raw.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM system_access",
        "UPDATE system_access SET reason = 'x'",
        "TRUNCATE system_access",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET keyed_from = 99",
        "TRUNCATE audit_event",
    ],
)
def test_the_applications_role_has_no_right_to_rewrite_the_trail(
    app: Flask, statement: str
) -> None:
    """COM-90: refused before any trigger is asked."""
    url = app.extensions["settings"].database.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url) as raw:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            raw.execute(statement.encode())
        raw.rollback()
