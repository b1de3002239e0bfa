"""Each search of the list is served by an index, on both databases (performance.md, COM-21)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from portal.blueprints.facility import queries
from portal.blueprints.facility.models import Status
from portal.core.db import db

SEARCHES = [
    {},
    {"number": "FR0001"},
    {"status": Status.PAID},
    {"facility": "レーザー"},
    {"since": date(2026, 1, 1), "until": date(2026, 12, 31)},
]


def plan(statement) -> str:
    """How the database would answer, with the tenant's own values put in."""
    engine = db.engine
    dialect = sqlite.dialect() if engine.dialect.name == "sqlite" else postgresql.dialect()
    sql = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        if engine.dialect.name == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            return "\n".join(row[3] for row in cursor.fetchall())
        for habit in (
            "seqscan",
            "bitmapscan",
            "sort",
        ):  # whatever statistics say of four rows: what can the index do?
            cursor.execute(f"SET enable_{habit} = off")
        cursor.execute("EXPLAIN " + sql.replace("%%", "%"))
        return "\n".join(row[0] for row in cursor.fetchall())
    finally:
        raw.close()


@pytest.mark.parametrize("search", SEARCHES, ids=["all", "number", "status", "facility", "dates"])
def test_a_members_list_is_read_from_an_index_in_order_COM_21(inside, search):
    with inside("facility"):
        table = queries._R
        query = queries.mine(1, **search)
        statement = (
            query.statement.params(query.values)
            .order_by(table.c.booked_at.desc(), table.c.id.desc())
            .limit(21)
        )
        found = plan(statement)
    assert "ix_reservation_mine" in found
    assert "SCAN reservation" not in found
    assert "Seq Scan" not in found
    assert "TEMP B-TREE" not in found
    assert "Sort" not in found


def test_an_operators_worklist_is_read_from_an_index_FAC_12(inside):
    with inside("facility"):
        table = queries._R
        statement = (
            table.select()
            .where(table.c.tenant_id == "facility", table.c.status == "requested")
            .order_by(table.c.starts_at, table.c.id)
            .limit(50)
        )
        assert "ix_reservation_worklist" in plan(statement)
