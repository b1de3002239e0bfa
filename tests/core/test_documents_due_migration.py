"""FAC-04: an upgrade finds what was billed before documents were issued by themselves, and keeps all else."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from portal.core import migrate
from tests.core.test_migrations import FOLDER, empty

__all__ = ["empty"]
REVISION = "0015"
AT = datetime(2026, 11, 1, tzinfo=UTC)
LINES: list[dict[str, Any]] = [{"description": "利用料"}]
# Number, status, total, whether it is paid, its lines, the documents that it has; whether some are due.
CASES = [
    ("FR1", "billed", 100, False, LINES, ["invoice", "work_report"], False),
    ("FR2", "billed", 100, False, LINES, ["invoice"], True),
    ("FR3", "paid", 100, True, LINES, ["invoice", "work_report"], True),
    ("FR4", "paid", 100, True, LINES, ["invoice", "work_report", "receipt"], False),
    ("FR5", "cancelled", 100, False, LINES, [], True),
    ("FR6", "cancelled", None, False, [], [], False),
    ("FR7", "paid", 100, True, [], [], False),
    ("FR8", "used", None, False, [], [], False),
]


def row(connection: sa.Connection, table_name: str, **values: Any) -> int:
    """Insert a row as it could stand before the upgrade: what is not given is empty."""
    table = sa.Table(table_name, sa.MetaData(), autoload_with=connection)
    filled = {
        column.name: _blank(column)
        for column in table.columns
        if not column.nullable and not column.primary_key and column.name not in values
    }
    result = connection.execute(
        table.insert().values(**{"tenant_id": "facility"} | filled | values)
    )
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def _blank(column: sa.Column[Any]) -> Any:
    if column.name == "tenant_id":
        return "facility"
    kind = column.type.python_type
    blanks = {str: "", int: 1, bool: False, datetime: AT, date: AT.date(), dict: {}}
    return blanks.get(kind, {})  # JSON names no type of its own


def fill(connection: sa.Connection) -> None:
    """An account with a facility, and a reservation of each case."""
    account = row(connection, "account", number="C000001", name="一番", status="active")
    facility = row(connection, "facility", code="LC-01", name="加工機")
    for number, status, total, is_paid, lines, documents, _due in CASES:
        row(
            connection,
            "reservation",
            number=number,
            account_id=account,
            facility_id=facility,
            status=status,
            total=total,
            starts_at=AT,
            ends_at=datetime(2026, 11, 2, tzinfo=UTC),
            booked_at=AT,
            billed_at=AT if total else None,
            paid_at=AT if is_paid else None,
            lines=lines,
            options=[],
        )
        for kind in documents:
            row(
                connection,
                "document",
                account_id=account,
                about=number,
                kind=kind,
                number=f"{number}-{kind}",
            )


def test_what_is_due_is_found_and_nothing_is_lost(empty: str) -> None:
    """FAC-04: bills without invoice or report, payments without receipt; never what came from an older system."""
    before = ScriptDirectory(str(FOLDER)).get_revision(REVISION).down_revision
    migrate.upgrade(FOLDER, empty, str(before))
    engine = migrate.owner_engine(empty)
    try:
        with engine.begin() as connection:
            _enter_tenant(connection)
            fill(connection)
        migrate.upgrade(FOLDER, empty, REVISION)
        with engine.begin() as connection:
            _enter_tenant(connection)
            found = connection.execute(
                sa.text("SELECT number, documents_due_at IS NOT NULL FROM reservation")
            ).all()
            assert {number: bool(due) for number, due in found} == {
                case[0]: case[-1] for case in CASES
            }
        migrate.run(FOLDER, empty, command.downgrade, str(before))
        with engine.begin() as connection:
            _enter_tenant(connection)
            count = connection.execute(sa.text("SELECT count(*) FROM reservation")).scalar_one()
            assert count == len(CASES)
    finally:
        engine.dispose()


def _enter_tenant(connection: sa.Connection) -> None:
    """On PostgreSQL the owner too sees and writes only the tenant in scope."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT set_config('app.tenant', 'facility', true)"))
