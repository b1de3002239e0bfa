"""FAC-12, COM-72: an upgrade finds when old reservations were used, and which old documents were replaced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from portal.core import migrate
from tests.core.test_documents_due_migration import _enter_tenant, row
from tests.core.test_migrations import FOLDER, empty

__all__ = ["empty"]
REVISION = "0019"


def at(day: int, hour: int) -> datetime:
    """An instant of November."""
    return datetime(2026, 11, day, hour, tzinfo=UTC)


# Number, when the operator recorded start and end, and when the use was. All are booked for 10 November, 1 to 5.
CASES: list[tuple[str, tuple[int, int] | None, tuple[int, int] | None, Any, Any]] = [
    ("FR1", (10, 1), (10, 5), (10, 1), (10, 5)),
    ("FR2", (12, 0), (14, 0), (10, 1), (10, 5)),
    ("FR3", (10, 0), (10, 3), (10, 0), (10, 3)),
    ("FR4", (7, 1), (7, 2), (7, 1), (7, 2)),
    ("FR5", (12, 0), None, (10, 1), None),
    ("FR6", None, None, None, None),
    ("FR7", None, (10, 0), None, (10, 1)),
]
DOCUMENTS = [("FI1", None, "FI2"), ("FI2", "FI1", "FI3"), ("FI3", "FI2", ""), ("FI4", None, "")]


def fill(connection: sa.Connection) -> None:
    """A reservation of each case, and an invoice that was corrected twice."""
    account = row(connection, "account", number="C000001", name="一番", status="active")
    facility = row(connection, "facility", code="LC-01", name="加工機")
    for number, started, finished, _from, _until in CASES:
        row(
            connection,
            "reservation",
            number=number,
            account_id=account,
            facility_id=facility,
            status="used",
            starts_at=at(10, 1),
            ends_at=at(10, 5),
            started_at=started and at(*started),
            finished_at=finished and at(*finished),
            booked_at=at(1, 0),
            lines=[],
            options=[],
        )
    for number, corrects, _by in DOCUMENTS:
        content = {"number": number, "corrects": corrects and {"number": corrects}}
        about = "FR2" if number == "FI4" else "FR1"
        row(
            connection,
            "document",
            account_id=account,
            about=about,
            kind="invoice",
            number=number,
            content=content,
        )


def test_old_uses_get_their_times_and_old_documents_what_replaced_them(empty: str) -> None:
    """FAC-12: what was recorded late ended as booked; a chain of corrections is told link by link."""
    before = str(ScriptDirectory(str(FOLDER)).get_revision(REVISION).down_revision)
    migrate.upgrade(FOLDER, empty, before)
    engine = migrate.owner_engine(empty)
    try:
        with engine.begin() as connection:
            _enter_tenant(connection)
            fill(connection)
        migrate.upgrade(FOLDER, empty, REVISION)
        with engine.begin() as connection:
            _enter_tenant(connection)
            reservation = sa.Table("reservation", sa.MetaData(), autoload_with=connection)
            columns = reservation.c.number, reservation.c.used_from, reservation.c.used_until
            found = {
                number: (_hour(since), _hour(until))
                for number, since, until in connection.execute(sa.select(*columns))
            }
            assert found == {number: (since, until) for number, *_typed, since, until in CASES}
            replaced = connection.execute(sa.text("SELECT number, replaced_by FROM document"))
            assert {(number, by) for number, by in replaced} == {
                (number, by) for number, _corrects, by in DOCUMENTS
            }
        migrate.run(FOLDER, empty, command.downgrade, before)
    finally:
        engine.dispose()


def _hour(instant: datetime | None) -> tuple[int, int] | None:
    """Day and hour in UTC; SQLite gives an instant without its zone."""
    if instant is None:
        return None
    utc = instant.astimezone(UTC) if instant.tzinfo else instant
    return utc.day, utc.hour
