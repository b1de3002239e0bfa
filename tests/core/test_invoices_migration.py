"""COM-71, COM-72: an upgrade moves what was billed, paid and given back into rows; nothing is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from alembic import command

from portal.core import migrate
from tests.core.test_documents_due_migration import row
from tests.core.test_migrations import FOLDER, empty

__all__ = ["empty"]
BEFORE = "0019"
REVISION = "0020"
AT = datetime(2026, 11, 1, tzinfo=UTC)
LINE = {
    "description": "利用料",
    "quantity": 3,
    "unit": "時間",
    "unit_price": 3_500,
    "rate": 10,
    "reduced": False,
    "day": "2026-10-24",
}
# Number, status, total, whether it is paid, its documents (kind, total); then what ought to be: total, credited,
# received, what came in, what was paid back, the status.
CASES: list[tuple[Any, ...]] = [
    ("FR1", "billed", 11_550, False, [("invoice", 11_550)], (11_550, 0, 0, 0, 0, "billed")),
    (
        "FR2",
        "paid",
        11_550,
        True,
        [("invoice", 11_550), ("receipt", 11_550)],
        (11_550, 0, 11_550, 11_550, 0, "paid"),
    ),
    # Corrected upwards after the payment: the second receipt was for money that never came in.
    (
        "FR3",
        "paid",
        22_000,
        True,
        [("invoice", 11_550), ("receipt", 11_550), ("invoice", 22_000), ("receipt", 22_000)],
        (22_000, 0, 11_550, 11_550, 0, "billed"),
    ),
    # Corrected downwards: the rest is the customer's.
    (
        "FR4",
        "paid",
        5_500,
        True,
        [("invoice", 11_550), ("receipt", 11_550), ("invoice", 5_500), ("receipt", 5_500)],
        (5_500, 0, 5_500, 11_550, 0, "paid"),
    ),
    (
        "FR5",
        "paid",
        11_550,
        True,
        [("invoice", 11_550), ("receipt", 11_550), ("credit_note", -3_850)],
        (11_550, 3_850, 7_700, 11_550, 3_850, "paid"),
    ),
    # Corrected below what was given back, as was possible: it counts for no more than all.
    (
        "FR8",
        "paid",
        2_000,
        True,
        [("invoice", 11_550), ("receipt", 11_550), ("credit_note", -3_850), ("invoice", 2_000)],
        (2_000, 2_000, 0, 0, 0, "paid"),
    ),
    ("FR6", "cancelled", 4_500, False, [], (4_500, 0, 0, 0, 0, "cancelled")),
    ("FR7", "paid", 0, True, [("invoice", 0)], (0, 0, 0, 0, 0, "paid")),
]


def _fill(connection: sa.Connection) -> None:
    account_id = row(connection, "account", number="A1", name="一番", created_at=AT)
    facility_id = row(connection, "facility", code="F1", name="加工機")
    for number, status, total, is_paid, documents, _expected in CASES:
        row(
            connection,
            "reservation",
            number=number,
            account_id=account_id,
            facility_id=facility_id,
            facility_name="加工機",
            starts_at=datetime(2026, 10, 24, 1, tzinfo=UTC),
            ends_at=datetime(2026, 10, 24, 4, tzinfo=UTC),
            booked_at=AT,
            status=status,
            total=total,
            due_date=date(2026, 11, 30),
            paid_at=AT if is_paid else None,
            cancelled_at=AT if status == "cancelled" else None,
            billed_at=AT,
            lines=[LINE],
            headcount=1,
            billing={"name": "一番"},
            contact={"name": "花子", "email": "h@one.example"},
        )
        for position, (kind, amount) in enumerate(documents):
            row(
                connection,
                "document",
                account_id=account_id,
                kind=kind,
                number=f"{kind[:2]}{number}{position}",
                about=number,
                total=amount,
                issued_at=AT,
                transaction_date=date(2026, 10, 24),
                content={"remarks": "返還の理由：不調", "lines": [LINE | {"quantity": 1}]},
                sha256=f"{number}{position}",
            )


def _bill(connection: sa.Connection, number: str) -> tuple[Any, ...]:
    """Total, credited, received, what came in, what was paid back, the status."""
    invoice = connection.execute(
        sa.text(
            "SELECT i.* FROM invoice i JOIN invoice_item t ON t.invoice_id = i.id "
            "WHERE t.about = :number"
        ),
        {"number": number},
    ).one()
    paid = connection.execute(
        sa.text(
            "SELECT COALESCE(SUM(p.amount), 0), COALESCE(SUM(p.refunded), 0) FROM payment p "
            "WHERE p.id IN (SELECT payment_id FROM payment_allocation WHERE invoice_id = :id)"
        ),
        {"id": invoice.id},
    ).one()
    status = connection.scalar(
        sa.text("SELECT status FROM reservation WHERE number = :number"), {"number": number}
    )
    return (invoice.total, invoice.credited, invoice.received, int(paid[0]), int(paid[1]), status)


def test_what_was_billed_paid_and_given_back_becomes_rows(empty: str) -> None:
    """COM-72: receipts count for what came in; documents stay byte for byte; the way back has the lines."""
    migrate.run(FOLDER, empty, command.upgrade, BEFORE)
    engine = migrate.owner_engine(empty)
    with engine.begin() as connection:
        _open_walls(connection, "account", "facility", "reservation", "document")
        _fill(connection)
        documents = connection.execute(sa.text("SELECT * FROM document ORDER BY id")).all()
    migrate.run(FOLDER, empty, command.upgrade, REVISION)
    with engine.begin() as connection:
        _open_walls(connection, "invoice", "invoice_item", "invoice_line", "payment")
        _open_walls(connection, "payment_allocation", "credit_note", "reservation", "document")
        for number, *_before, expected in CASES:
            assert _bill(connection, number) == expected, number
        lines = connection.execute(
            sa.text("SELECT quantity, unit_price, day FROM invoice_line WHERE item_id IS NOT NULL")
        ).all()
        assert len(lines) == len(CASES)
        assert {(line.quantity, line.unit_price, str(line.day)) for line in lines} == {
            (3_000, 3_500, "2026-10-24")
        }
        notes = connection.execute(sa.text("SELECT * FROM credit_note")).all()
        assert [(note.total, note.reason) for note in notes] == [(3_850, "不調")] * 2
        alone = "SELECT amount, allocated, refunded FROM payment WHERE allocated = 0"
        assert [tuple(row) for row in connection.execute(sa.text(alone))] == [(11_550, 0, 3_850)]
        assert connection.execute(sa.text("SELECT * FROM document ORDER BY id")).all() == documents
    migrate.run(FOLDER, empty, command.downgrade, BEFORE)
    with engine.begin() as connection:
        kept = sa.Table("reservation", sa.MetaData(), autoload_with=connection)
        _open_walls(connection, "reservation")
        assert [found for (found,) in connection.execute(sa.select(kept.c.lines))] == [
            [LINE]
        ] * len(CASES)
    engine.dispose()


def _open_walls(connection: sa.Connection, *tables: str) -> None:
    """Let the owner see all rows: no tenant is in scope here."""
    for table in tables if connection.dialect.name == "postgresql" else ():
        connection.execute(sa.text(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"))
