"""The database: instants and choices as they are kept, keys that carry the tenant, scopes, modes of a transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError

from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.core import clock
from portal.core.db import (
    EnumType,
    SystemAccess,
    UTCDateTime,
    db,
    each_tenant,
    execute_core,
    hold_snapshot,
    insert_or_ignore,
    session,
    tenant_scope,
    transaction_mode,
)
from portal.core.numbering import NumberSequence
from portal.shared.accounts.models import Account
from portal.tenancy import scope
from portal.tenancy.scope import TenantError
from tests.cast import NOW, Cast
from tests.support.raw import superuser

Inside = Callable[[str], Any]
DIALECTS = [sqlite.dialect(), postgresql.dialect()]
_F: Any = Facility.__table__
_LOG: Any = SystemAccess.__table__
FACILITIES = func.count(Facility.id)


def facility(code: str = "NEW") -> Facility:
    return Facility(code=code, name="新しい機械", hourly_price=1, daily_price=1)


@given(
    at=st.integers(0, 4_000_000_000_000_000),
    hours=st.integers(-12, 14),
    dialect=st.sampled_from(DIALECTS),
)
@settings(max_examples=50)
def test_an_instant_comes_back_as_the_same_instant_in_utc(
    at: int, hours: int, dialect: Any
) -> None:
    instant = datetime.fromtimestamp(0, timezone(timedelta(hours=hours))) + timedelta(
        microseconds=at
    )
    kept = UTCDateTime().process_bind_param(instant, dialect)
    assert kept is not None
    assert (kept.tzinfo is None) is (dialect.name == "sqlite")
    back = UTCDateTime().process_result_value(kept, dialect)
    assert back == instant
    assert back.tzinfo is UTC


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_an_instant_without_a_zone_is_refused_and_none_stays_none(dialect: Any) -> None:
    kind = UTCDateTime()
    with pytest.raises(ValueError, match="naive"):
        kind.process_bind_param(NOW.replace(tzinfo=None), dialect)
    assert (
        kind.process_bind_param(None, dialect) is kind.process_result_value(None, dialect) is None
    )


def test_instants_are_kept_to_the_microsecond_and_compared_in_time(inside: Inside) -> None:
    """The same on both databases, whatever zone the value was given in."""
    at = datetime(2026, 5, 1, 8, 30, 1, 234_567, tzinfo=clock.TOKYO)
    number = Reservation.number == Cast.requested
    with inside("facility"):
        session().execute(update(Reservation).where(number).values(confirmed_at=at))
        session().commit()
        found = (
            session()
            .scalars(select(Reservation).where(Reservation.confirmed_at == at.astimezone(UTC)))
            .one()
        )
        assert found.confirmed_at == at
        assert found.confirmed_at.utcoffset() == timedelta(0)
        later = select(Reservation).where(number, Reservation.confirmed_at > at)
        assert session().scalars(later).all() == []
        with pytest.raises(StatementError, match="naive"):
            session().execute(
                update(Reservation).where(number).values(paid_at=at.replace(tzinfo=None))
            )


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_choice_is_one_of_its_values_on_the_way_in_and_out(dialect: Any) -> None:
    kind = EnumType(Colour, 5)
    assert (
        kind.process_bind_param("red", dialect)
        == kind.process_bind_param(Colour.RED, dialect)
        == "red"
    )
    assert type(kind.process_bind_param(Colour.RED, dialect)) is str
    assert kind.process_result_value("red", dialect) is Colour.RED
    assert (
        kind.process_bind_param(None, dialect) is kind.process_result_value(None, dialect) is None
    )
    for process in (kind.process_bind_param, kind.process_result_value):
        with pytest.raises(ValueError, match="blue"):
            process("blue", dialect)


def test_a_status_that_is_none_is_neither_written_nor_read(app: Flask, inside: Inside) -> None:
    """FAC-10: also where somebody put it there past the program."""
    with inside("facility"):
        with pytest.raises(StatementError, match="lost"):
            session().execute(update(Reservation).values(status="lost"))
        session().rollback()
        assert session().scalars(select(Reservation.status).distinct().limit(1)).one() in set(
            Status
        )
    with superuser(app) as raw:
        raw.execute("UPDATE reservation SET status = 'lost' WHERE number = 'FR000001'")
    with inside("facility"), pytest.raises(ValueError, match="lost"):
        session().scalars(select(Reservation)).all()


@pytest.mark.parametrize(
    ("child", "column", "parent"),
    [
        ("reservation", "account_id", "account"),
        ("reservation", "facility_id", "facility"),
        ("member", "account_id", "account"),
    ],
)
def test_a_row_cannot_point_at_another_tenants_row(
    app: Flask, child: str, column: str, parent: str
) -> None:
    """COM-02: the database itself refuses, whoever writes, and whichever end is moved."""
    with superuser(app) as raw:
        if app.extensions["settings"].database.startswith("sqlite"):
            raw.execute("PRAGMA foreign_keys = ON")
        raw.execute(
            "UPDATE reservation SET held_until = NULL"
        )  # so that nothing but the key refuses
        (own,) = raw.execute(
            f"SELECT max({column}) FROM {child} WHERE tenant_id = 'facility'"
        ).fetchone()
        (twin,) = raw.execute(f"SELECT max(id) FROM {parent} WHERE tenant_id = 'studio'").fetchone()
        for change, where, wall in (
            (f"{column} = {twin}", "tenant_id = 'facility'", "foreign key"),
            ("tenant_id = 'studio'", f"{column} = {own}", "foreign key|unique"),
        ):
            with pytest.raises(Exception, match=f"(?i){wall}"):
                raw.execute(f"UPDATE {child} SET {change} WHERE {where}")
        assert (
            raw.execute(
                f"UPDATE {child} SET {column} = {own} WHERE tenant_id = 'facility'"
            ).rowcount
            > 0
        )


def test_a_missing_row_is_inserted_once(inside: Inside) -> None:
    """Stamped with the tenant in scope; one that stands there already stays as it is, for each tenant on its own."""
    for tenant in ("facility", "studio"):
        with inside(tenant):
            for value in (5, 9):
                insert_or_ignore(
                    NumberSequence, {"kind": "test", "value": value}, unique=("tenant_id", "kind")
                )
            session().commit()
            found = (
                session().scalars(select(NumberSequence).where(NumberSequence.kind == "test")).all()
            )
            assert [(row.tenant_id, row.value) for row in found] == [(tenant, 5)]


def test_a_missing_row_of_another_tenant_is_not_inserted(inside: Inside) -> None:
    """COM-02."""
    values = {"tenant_id": "studio", "kind": "test", "value": 1}
    with inside("facility"), pytest.raises(TenantError):
        insert_or_ignore(NumberSequence, values, unique=("tenant_id", "kind"))


def test_a_core_statement_that_names_its_tenant_runs_in_the_sessions_transaction(
    inside: Inside,
) -> None:
    """What was added and not committed is seen once it is flushed, and gone with the rollback."""
    own = select(_F.c.code).where(_F.c.tenant_id == "facility").order_by(_F.c.code)
    with inside("facility"):
        session().add(facility())
        session().flush()
        assert execute_core(own).scalars().all() == ["LC-01", "NEW"]
        session().rollback()
        assert execute_core(own).scalars().all() == ["LC-01"]


@pytest.mark.parametrize(
    "statement",
    [
        select(_F.c.code),
        select(_F.c.code).where(_F.c.tenant_id == "studio"),
        select(_F.c.code).where((_F.c.tenant_id == "facility") | (_F.c.id > 0)),
        update(_F).values(name="x"),
        insert(_F).values(tenant_id="studio", code="X", name="x", hourly_price=1, daily_price=1),
    ],
    ids=[
        "no tenant",
        "another tenant",
        "tenant or anything",
        "update of all",
        "insert into another",
    ],
)
def test_a_core_statement_that_is_not_held_to_the_tenant_does_not_run(
    inside: Inside, statement: Any
) -> None:
    """COM-02."""
    with inside("facility"), pytest.raises(TenantError):
        execute_core(statement)


def _write_one() -> None:
    session().add(facility())
    session().flush()


@pytest.mark.parametrize(
    "work",
    [
        lambda: session().scalars(select(Account)).all(),
        lambda: session().get(Account, 1),
        lambda: session().tenant,
        _write_one,
        lambda: execute_core(select(_F).where(_F.c.tenant_id == "facility")),
        lambda: session().execute(update(Account).values(name="x")),
    ],
    ids=["select", "get", "tenant", "flush", "core", "update"],
)
def test_without_a_scope_nothing_is_read_or_written(app: Flask, work: Callable[[], Any]) -> None:
    """COM-02: fails closed; there is no default brand."""
    with app.app_context(), pytest.raises(TenantError):
        work()


def test_what_is_not_committed_in_a_scope_is_gone_with_it(inside: Inside) -> None:
    with inside("facility"):
        session().add(facility())
        session().flush()
    with inside("facility"):
        assert session().scalar(select(FACILITIES)) == 1
        session().add(facility())
        session().commit()
    with inside("facility"):
        assert session().scalar(select(FACILITIES)) == 2


def test_scopes_nest_each_with_a_session_of_its_own(app: Flask) -> None:
    """COM-02: the outer scope stands again after the inner one, even after an error in it."""
    with app.app_context(), tenant_scope("facility"):
        outer = session()
        with suppress(RuntimeError), tenant_scope("studio"):
            assert session() is not outer
            assert session().scalars(select(Account.tenant_id).distinct()).all() == ["studio"]
            raise RuntimeError
        assert scope.current_key() == "facility"
        assert session().scalars(select(Account.tenant_id).distinct()).all() == ["facility"]
        with tenant_scope("studio"), pytest.raises(TenantError):
            outer.scalars(select(Account)).all()
    assert scope.current_key() is None


def test_going_over_all_tenants_is_one_scope_after_another_and_leaves_a_record(app: Flask) -> None:
    """COM-02: who, when and why stands in the global log before the first brand is seen."""
    with app.app_context():
        seen = [
            (key, session().scalars(select(Account.tenant_id).distinct()).all())
            for key in each_tenant(["facility", "studio"], by="監督", reason="月次の点検")
        ]
        assert seen == [("facility", ["facility"]), ("studio", ["studio"])]
        assert scope.current_key() is None
        with db.engine.connect() as connection:
            rows = connection.execute(
                select(SystemAccess.by, SystemAccess.reason, SystemAccess.at)
            ).all()
    assert [tuple(row) for row in rows] == [("監督", "月次の点検", NOW)]


def test_going_over_all_tenants_is_recorded_even_when_it_only_reads_or_stops_early(
    app: Flask,
) -> None:
    """COM-02: the record is committed by itself."""
    with app.app_context():
        with transaction_mode("read"):
            for _key in each_tenant(["facility"], by="監督", reason="一覧"):
                with pytest.raises(TenantError, match="only reads"):
                    session().execute(update(Account).values(name="x"))
        assert next(each_tenant(["facility", "studio"], by="監督", reason="中断")) == "facility"
        assert list(each_tenant([], by="監督", reason="なし")) == []
        with db.engine.connect() as connection:
            reasons = (
                connection.execute(select(SystemAccess.reason).order_by(SystemAccess.id))
                .scalars()
                .all()
            )
    assert reasons == ["一覧", "中断", "なし"]


@pytest.mark.parametrize(
    "write",
    [
        _write_one,
        lambda: session().execute(update(Account).values(name="x")),
        lambda: session().execute(
            insert(Facility), [{"code": "X", "name": "x", "hourly_price": 1, "daily_price": 1}]
        ),
        lambda: execute_core(update(_F).where(_F.c.tenant_id == "facility").values(name="x")),
        lambda: execute_core(insert(_LOG).values(at=NOW, by="x", reason="y")),
    ],
    ids=["object", "update", "insert", "core", "global table"],
)
def test_who_promised_to_read_only_cannot_write(inside: Inside, write: Callable[[], Any]) -> None:
    """STYLE §3: GET never writes; afterwards writing is allowed again."""
    with inside("facility"):
        with transaction_mode("read"):
            assert session().scalar(select(FACILITIES)) == 1
            with pytest.raises(TenantError, match="only reads"):
                write()
        write()


def test_a_change_of_mode_ends_what_is_under_way(inside: Inside) -> None:
    with inside("facility"):
        session().add(facility())
        session().flush()
        with transaction_mode("read"):
            assert session().scalar(select(FACILITIES)) == 1
        session().add(facility())
        session().commit()
        assert session().scalar(select(FACILITIES)) == 2


def test_a_mode_holds_until_its_block_ends(inside: Inside) -> None:
    with inside("facility"):
        with transaction_mode("read"), pytest.raises(TenantError, match="only reads"):
            session().execute(update(Account).values(name="x"))
        session().execute(update(Account).values(name="x"))


def test_a_held_snapshot_is_of_one_instant_and_ends_with_its_transaction(
    app: Flask, inside: Inside
) -> None:
    """COM-74: what another commits meanwhile is not seen; PostgreSQL would show it otherwise."""
    name = select(Account.name).order_by(Account.id).limit(1)
    with inside("facility"):
        with transaction_mode("read"):
            hold_snapshot()
            before = session().scalar(name)
            with superuser(app) as connection:
                connection.execute("UPDATE account SET name = 'あとから'")
            assert session().scalar(name) == before
        assert session().scalar(name) == "あとから"
