"""The last look at the SQL: a tenant's table is held to its tenant, or the driver never gets it (COM-02)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    bindparam,
    create_engine,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    not_,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.pool import StaticPool

from portal.tenancy import scope
from portal.tenancy.scope import TenantError
from portal.tenancy.sql_guard import StatementChecker, install_sql_guard

META = MetaData()


def _table(name: str) -> Table:
    return Table(
        name,
        META,
        Column("tenant_id", String),
        Column("id", Integer, primary_key=True),
        Column("name", String),
    )


A, B, LOG = _table("account"), _table("booking"), Table("log", META, Column("name", String))
NOTES = _table("account_note")  # no tenant's table, though it is called nearly like one
A2 = A.alias()
COUNT = func.count()
OWN, TWIN = A.c.tenant_id == "facility", A.c.tenant_id == "studio"
OWN_B = B.c.tenant_id == "facility"
ROW = {"tenant_id": "facility", "id": 9, "name": "x"}
Ask = Callable[[Connection], Any]


class Promise:
    reads_only = False


@pytest.fixture
def promise() -> Promise:
    return Promise()


@pytest.fixture
def engine(promise: Promise) -> Iterator[Engine]:
    """A database with one account of each of two brands, and the wire."""
    made = create_engine("sqlite://", poolclass=StaticPool)
    META.create_all(made)
    with made.begin() as connection:
        for table in (A, B, NOTES):
            rows = [("facility", 1, "own"), ("studio", 2, "facility")]
            connection.execute(insert(table), [dict(zip(ROW, row, strict=True)) for row in rows])
    install_sql_guard(made, ["account", "booking"], lambda: promise.reads_only)
    yield made
    made.dispose()


@contextmanager
def entered(key: str) -> Iterator[None]:
    token = scope.enter(key)
    try:
        yield
    finally:
        scope.leave(token)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (select(A.c.name).where(OWN), "own"),
        (select(A.c.name).where(OWN, or_(A.c.id == 1, A.c.id == 2)), "own"),
        (select(A.c.name).where(and_(A.c.id > 0, and_(A.c.id < 9, OWN))), "own"),
        (select(A2.c.name).where(A2.c.tenant_id == "facility"), "own"),
        (select(A.c.name).join(B, and_(A.c.id == B.c.id, OWN_B)).where(OWN), "own"),
        (select(A.c.name).outerjoin(B, and_(B.c.id == 7, OWN_B)).where(OWN), "own"),
        (select(A.c.name).where(OWN, exists().where(B.c.id == A.c.id, OWN_B)), "own"),
        (select(select(A.c.name).where(OWN).subquery().c.name), "own"),
        (select(select(A.c.name).where(OWN).cte().c.name), "own"),
        (
            select(COUNT).select_from(
                union_all(select(A.c.id).where(OWN), select(B.c.id).where(OWN_B)).subquery()
            ),
            2,
        ),
        (select(A.c.name).where(OWN).order_by(A.c.tenant_id, A.c.id).limit(1), "own"),
        (select(COUNT).select_from(NOTES), 2),
        (select(literal("account")), "account"),
    ],
)
def test_what_is_held_to_its_tenant_passes(
    engine: Engine, statement: Any, expected: object
) -> None:
    """COM-02: as SQLAlchemy writes it; a table that is nobody's passes as it is."""
    with entered("facility"), engine.begin() as connection:
        assert connection.execute(statement).scalar() == expected


@pytest.mark.parametrize(
    "statement",
    [
        select(A.c.name),
        select(A.c.name).where(A.c.id == 1),
        select(A.c.name).where(or_(OWN, A.c.id > 0)),
        select(A.c.name).where(or_(A.c.id > 0, OWN)),
        select(A.c.name).where(or_(and_(OWN, A.c.id == 1), A.c.id == 2)),
        select(A.c.name).where(not_(OWN)),
        select(A.c.name).where(A.c.tenant_id != "facility"),
        select(A.c.name).where(A.c.tenant_id >= "facility"),
        select(A.c.name).where(A.c.tenant_id.in_(["facility", "studio"])),
        select(A.c.name).where(A.c.tenant_id.like("facility%")),
        select(A.c.name).where(A.c.tenant_id == A.c.tenant_id),
        select(A.c.name).where(A.c.tenant_id == literal_column("'studio'")),
        select(A.c.name).where(literal(False) == OWN),
        select(A.c.name, A2.c.name).where(OWN, A.c.id == A2.c.id),
        select(A.c.name).join(B, A.c.id == B.c.id).where(OWN),
        select(A.c.name).join(B, or_(OWN_B, A.c.id == B.c.id)).where(OWN),
        select(A.c.name).outerjoin(B, and_(OWN, OWN_B)),
        select(A.c.name).where(OWN, exists().where(B.c.id == A.c.id)),
        select(A.c.name, select(func.max(B.c.name)).scalar_subquery()).where(OWN),
        select(select(A.c.name).subquery().c.name),
        select(select(A.c.name).cte().c.name),
        union_all(select(A.c.id).where(OWN), select(B.c.id)),
        select(func.count(A.c.id)).having(func.max(A.c.tenant_id) == "facility"),
        select(select(A.c.tenant_id, A.c.id).subquery().c.id).where(
            literal_column("tenant_id") == "facility"
        ),
        update(A).values(name="x"),
        update(A).values(name="x").where(A.c.id == 1),
        update(A).values(name=select(func.max(B.c.name)).scalar_subquery()).where(OWN),
        update(A).values(tenant_id="facility").where(TWIN),
        delete(A),
        delete(A).where(A.c.id.in_(select(A2.c.id).where(A2.c.tenant_id == "facility"))),
        insert(A).values(id=9, name="x"),
        insert(A).values(tenant_id=literal_column("'studio'"), id=9),
        insert(A).from_select(["tenant_id", "id"], select(B.c.tenant_id, B.c.id + 9)),
        sqlite_insert(A).values(**ROW | {"tenant_id": "studio"}).prefix_with("OR REPLACE"),
        text("SELECT count(*) FROM account"),
        text("SELECT count(*) FROM main.account"),
        text('SELECT count(*) FROM\n\t"account" AS a'),
        text("SELECT count(*) FROM/**/account"),
        text("WITH a AS (SELECT 1) UPDATE account SET name = 'x'"),
        text("REPLACE INTO account (tenant_id, id) VALUES ('studio', 2)"),
        text("DROP TABLE account"),
    ],
)
def test_what_is_not_held_to_its_tenant_never_reaches_the_driver(
    engine: Engine, statement: Any
) -> None:
    """COM-02: refused whatever is bound; nothing is changed."""
    with entered("facility"), pytest.raises(TenantError), engine.begin() as connection:
        connection.execute(statement)
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        rows = cursor.execute("SELECT tenant_id, id, name FROM account ORDER BY id").fetchall()
    assert rows == [("facility", 1, "own"), ("studio", 2, "facility")]


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (select(A.c.name).where(TWIN), None),
        (select(A.c.name).where(TWIN, A.c.name == "facility"), None),
        (select(A.c.name).join(B, A.c.id == B.c.id).where(OWN, B.c.tenant_id == "studio"), None),
        (select(A.c.name).where(OWN, exists().where(B.c.tenant_id == "studio")), None),
        (
            union_all(select(A.c.id).where(OWN), select(B.c.id).where(B.c.tenant_id == "studio")),
            None,
        ),
        (update(A).where(TWIN).values(name="facility"), None),
        (delete(A).where(TWIN, A.c.name == "facility"), None),
        (insert(A).values(tenant_id="studio", id=9, name="facility"), None),
        (insert(A).values([ROW, ROW | {"tenant_id": "studio", "id": 10}]), None),
        (insert(A), [ROW, ROW | {"tenant_id": "studio", "id": 10}]),
        (
            update(A)
            .where(A.c.tenant_id == bindparam("t"), A.c.id == bindparam("i"))
            .values(name="x"),
            [{"t": "facility", "i": 1}, {"t": "studio", "i": 2}],
        ),
        (select(A.c.name).where(A.c.tenant_id == bindparam("t")), {"t": None}),
        (select(A.c.name).where(A.c.tenant_id == bindparam("t")), {"t": "FACILITY"}),
    ],
)
def test_what_is_bound_to_another_tenant_is_refused(
    engine: Engine, statement: Any, values: Any
) -> None:
    """COM-02: also where the scope's tenant is bound at another place of the statement, or another row of it."""
    with (
        entered("facility"),
        pytest.raises(TenantError, match="another tenant"),
        engine.begin() as connection,
    ):
        connection.execute(statement, values)


def test_own_rows_are_written_one_by_one_and_in_batches(engine: Engine) -> None:
    with entered("facility"), engine.begin() as connection:
        connection.execute(insert(A), [ROW | {"id": number} for number in range(10, 20)])
        connection.execute(insert(A).values(**ROW).returning(A.c.id))
        assert connection.execute(update(A).where(OWN).values(name="y")).rowcount == 12
        many = (
            update(A)
            .where(A.c.tenant_id == bindparam("t"), A.c.id == bindparam("i"))
            .values(name="z")
        )
        connection.execute(many, [{"t": "facility", "i": 10}, {"t": "facility", "i": 11}])
        assert connection.scalar(select(COUNT).where(OWN, A.c.name == "z")) == 2
        conflict = sqlite_insert(A).values(**ROW | {"name": "late"})
        connection.execute(conflict.on_conflict_do_nothing(index_elements=["id"]))
        assert connection.execute(delete(A).where(OWN, A.c.name == "late")).rowcount == 0
    with entered("studio"), engine.begin() as connection:
        assert connection.execute(select(A.c.name).where(TWIN)).scalars().all() == ["facility"]


def test_outside_a_scope_no_tenants_table_is_touched(engine: Engine) -> None:
    """COM-02: fails closed; what belongs to no tenant is free."""
    with engine.begin() as connection:
        with pytest.raises(TenantError, match="no tenant in scope"):
            connection.execute(select(A.c.name).where(OWN))
        connection.execute(insert(LOG).values(name="x"))
        assert connection.scalar(select(COUNT).select_from(LOG)) == 1


def test_one_text_asked_for_two_tenants_is_judged_by_what_is_bound_each_time(
    engine: Engine,
) -> None:
    """COM-02: the memo keeps the text's verdict, not the answer."""
    ask = select(A.c.id).where(A.c.tenant_id == bindparam("t"))
    for key, row in (("facility", 1), ("studio", 2), ("facility", 1)):
        with entered(key), engine.begin() as connection:
            assert connection.scalar(ask, {"t": key}) == row
            with pytest.raises(TenantError):
                connection.scalar(ask, {"t": "facility" if key == "studio" else "studio"})


@pytest.mark.parametrize(
    "statement",
    [
        insert(LOG).values(name="x"),
        update(LOG).values(name="x"),
        delete(LOG),
        update(A).where(OWN).values(name="x"),
        text("REPLACE INTO log VALUES ('x')"),
        text("\n  insert into log values ('x')"),
    ],
)
def test_who_promised_to_read_only_writes_into_no_table(
    engine: Engine, promise: Promise, statement: Any
) -> None:
    """STYLE §3: GET never writes, tenant's table or not."""
    promise.reads_only = True
    with entered("facility"), engine.begin() as connection:
        with pytest.raises(TenantError, match="only reads"):
            connection.execute(statement)
        assert connection.scalar(select(A.c.name).where(OWN)) == "own"


@pytest.mark.parametrize(
    ("sql", "touches", "writes"),
    [
        ("SELECT 1", False, False),
        ("PRAGMA foreign_keys=ON", False, False),
        ("BEGIN IMMEDIATE", False, False),
        ("SELECT accounting.id FROM accounting", False, False),
        ("DELETE FROM system_access", False, True),
        (
            "SELECT account.id FROM account WHERE account.tenant_id = %(tenant_id_1)s::VARCHAR",
            True,
            False,
        ),
        ("DELETE FROM account WHERE account.tenant_id = ?", True, True),
    ],
)
def test_a_text_is_known_by_what_it_touches_and_whether_it_writes(
    sql: str, touches: bool, writes: bool
) -> None:
    checker = StatementChecker(["account"])
    verdict = checker(sql)
    assert (verdict.touches, verdict.writes, verdict.fault) == (touches, writes, None)
    assert checker(sql) is verdict, "judged once"


def test_a_judge_of_no_tables_touches_nothing() -> None:
    assert not StatementChecker([])("SELECT * FROM account").touches


def test_the_memo_of_texts_does_not_grow_for_ever() -> None:
    checker = StatementChecker(["account"])
    for number in range(5100):
        checker(f"SELECT {number}")
    assert checker._known.cache_info().currsize < 5100
    assert checker("SELECT id FROM account").fault
