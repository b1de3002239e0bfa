"""Invoices, payments and credit notes as rows; what was billed before is moved there.

Revision 0020, after 0019. A reservation had its lines as JSON and one instant of payment. Now they
are an item on an invoice, lines, and a payment that the invoice has.

What was received is what the first receipt said: a bill that was corrected afterwards was never
paid anew, so its rest is owed. Credit notes were issued when money was given back, so as much is
recorded as paid back. Documents are not touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT = sa.DateTime(timezone=True)
TOKYO = timezone(timedelta(hours=9))
TABLES = (
    "invoice",
    "invoice_item",
    "credit_note",
    "invoice_line",
    "payment",
    "payment_allocation",
    "payment_refund",
)
_WALLED = ("reservation", "document", "number_sequence", *TABLES)
_REASON = "返還の理由："
_BATCH = 1_000


def upgrade() -> None:
    _create_invoice()
    _create_invoice_item()
    _create_credit_note()
    _create_invoice_line()
    _create_payment()
    _create_payment_parts()
    connection = op.get_bind()
    raise_walls(connection, TABLES)
    on_postgresql = connection.dialect.name == "postgresql"
    # The owner too is held to row-level security, and no tenant is in scope here.
    for table in _WALLED if on_postgresql else ():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    _move_bills(connection)
    for table in _WALLED if on_postgresql else ():
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    # A batch, because SQLite drops a column by making its table anew.
    with op.batch_alter_table("reservation") as table:
        table.drop_column("lines")


def downgrade() -> None:
    op.add_column("reservation", sa.Column("lines", sa.JSON(), nullable=False, server_default="[]"))
    connection = op.get_bind()
    on_postgresql = connection.dialect.name == "postgresql"
    for table in _WALLED if on_postgresql else ():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    _move_lines_back(connection)
    # Payments are gone with their table; a later upgrade counts them from 1 again.
    op.execute("DELETE FROM number_sequence WHERE kind = 'payment'")
    for table in reversed(TABLES):
        op.drop_table(table)
    # The other tables, and their policies, are dropped by now.
    for table in ("reservation", "document", "number_sequence") if on_postgresql else ():
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _own_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
    )


def _keys(table: str, *references: str) -> tuple[sa.schema.SchemaItem, ...]:
    """Primary key, the key that composite foreign keys point at, and those foreign keys."""
    targets = {"account_id": "account", "item_id": "invoice_item"}
    foreign = [
        sa.ForeignKeyConstraint(
            ["tenant_id", column],
            [
                f"{targets.get(column, column.removesuffix('_id'))}.tenant_id",
                f"{targets.get(column, column.removesuffix('_id'))}.id",
            ],
            name=f"fk_{table}_tenant_id_{column}",
        )
        for column in references
    ]
    return (
        *foreign,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("tenant_id", "id", name=f"uq_{table}_tenant_id_id"),
    )


def _index(name: str, table: str, *columns: str, where: str = "", unique: bool = False) -> None:
    only = sa.text(where) if where else None
    op.create_index(
        name,
        table,
        ["tenant_id", *columns],
        unique=unique,
        sqlite_where=only,
        postgresql_where=only,
    )


def _create_invoice() -> None:
    op.create_table(
        "invoice",
        *_own_columns(),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("order_kind", sa.String(length=30), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("billing", sa.JSON(), nullable=False),
        sa.Column("contact", sa.JSON(), nullable=False),
        sa.Column("traded_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("total", ID, nullable=False),
        sa.Column("credited", ID, nullable=False),
        sa.Column("received", ID, nullable=False),
        sa.Column("billed_at", AT, nullable=False),
        sa.Column("reminded_at", AT, nullable=True),
        # op.f: the name is whole as it is; the naming convention would put its prefix before it
        # once more.
        sa.CheckConstraint("credited >= 0 AND received >= 0", name=op.f("ck_invoice_parts")),
        sa.CheckConstraint("credited + received <= total", name=op.f("ck_invoice_balance")),
        *_keys("invoice", "account_id"),
    )
    _index("uq_invoice_number", "invoice", "number", where="number <> ''", unique=True)
    _index("ix_invoice_mine", "invoice", "account_id", "billed_at", "id")
    _index("ix_invoice_open", "invoice", "due_on", "id", where="credited + received < total")


def _create_invoice_item() -> None:
    op.create_table(
        "invoice_item",
        *_own_columns(),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("invoice_id", ID, nullable=True),
        sa.Column("order_kind", sa.String(length=30), nullable=False),
        sa.Column("about", sa.String(length=20), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("day_label", sa.String(length=20), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("traded_on", sa.Date(), nullable=False),
        sa.Column("billing", sa.JSON(), nullable=False),
        sa.Column("contact", sa.JSON(), nullable=False),
        sa.Column("created_at", AT, nullable=False),
        *_keys("invoice_item", "account_id", "invoice_id"),
    )
    _index("ix_invoice_item_about", "invoice_item", "order_kind", "about", "id")
    _index("ix_invoice_item_invoice", "invoice_item", "invoice_id", "id")
    columns = ("traded_on", "account_id", "id")
    _index("ix_invoice_item_pending", "invoice_item", *columns, where="invoice_id IS NULL")


def _create_credit_note() -> None:
    op.create_table(
        "credit_note",
        *_own_columns(),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("invoice_id", ID, nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("total", ID, nullable=False),
        sa.Column("credited_at", AT, nullable=False),
        sa.CheckConstraint("total > 0", name=op.f("ck_credit_note_total")),
        *_keys("credit_note", "account_id", "invoice_id"),
        sa.UniqueConstraint("tenant_id", "number", name="uq_credit_note_tenant_id_number"),
    )
    _index("ix_credit_note_invoice", "credit_note", "invoice_id", "id")


def _create_invoice_line() -> None:
    op.create_table(
        "invoice_line",
        *_own_columns(),
        sa.Column("item_id", ID, nullable=True),
        sa.Column("credit_note_id", ID, nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column("unit_price", ID, nullable=False),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("is_reduced", sa.Boolean(), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "(item_id IS NULL) <> (credit_note_id IS NULL)", name=op.f("ck_invoice_line_one_owner")
        ),
        *_keys("invoice_line", "item_id", "credit_note_id"),
    )
    _index("ix_invoice_line_item", "invoice_line", "item_id", "position")
    _index("ix_invoice_line_credit_note", "invoice_line", "credit_note_id", "position")


def _create_payment() -> None:
    op.create_table(
        "payment",
        *_own_columns(),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("amount", ID, nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("allocated", ID, nullable=False),
        sa.Column("refunded", ID, nullable=False),
        sa.Column("receipt_number", sa.String(length=30), nullable=False),
        sa.Column("recorded_at", AT, nullable=False),
        sa.CheckConstraint(
            "amount > 0 AND allocated >= 0 AND refunded >= 0", name=op.f("ck_payment_parts")
        ),
        sa.CheckConstraint("allocated + refunded <= amount", name=op.f("ck_payment_rest")),
        *_keys("payment", "account_id"),
        sa.UniqueConstraint("tenant_id", "number", name="uq_payment_tenant_id_number"),
    )
    _index("ix_payment_mine", "payment", "account_id", "received_on", "id")
    _index("ix_payment_rest", "payment", "received_on", "id", where="allocated + refunded < amount")


def _create_payment_parts() -> None:
    op.create_table(
        "payment_allocation",
        *_own_columns(),
        sa.Column("payment_id", ID, nullable=False),
        sa.Column("invoice_id", ID, nullable=False),
        sa.Column("amount", ID, nullable=False),
        sa.Column("allocated_at", AT, nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_payment_allocation_amount")),
        *_keys("payment_allocation", "payment_id", "invoice_id"),
    )
    table = "payment_allocation"
    _index("ix_payment_allocation_invoice", table, "invoice_id", "payment_id")
    _index("ix_payment_allocation_payment", table, "payment_id", "invoice_id")
    op.create_table(
        "payment_refund",
        *_own_columns(),
        sa.Column("payment_id", ID, nullable=False),
        sa.Column("amount", ID, nullable=False),
        sa.Column("refunded_on", sa.Date(), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("recorded_at", AT, nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_refund_amount")),
        *_keys("payment_refund", "payment_id"),
    )
    _index("ix_payment_refund_payment", "payment_refund", "payment_id", "id")


class _Issued(NamedTuple):
    """A document about a reservation, as far as it says what was billed, received or given back."""

    kind: str
    number: str
    total: int
    issued_at: datetime
    content: dict[str, Any]


class _Writer:
    """Rows of the new tables, numbered from 1 and inserted by the thousand."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._tables = {
            name: sa.Table(name, sa.MetaData(), autoload_with=connection) for name in TABLES
        }
        # Numbered here, so that rows can point at one another before any of them is inserted.
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self._last: dict[str, int] = dict.fromkeys(TABLES, 0)

    def add(self, table: str, **values: Any) -> int:
        self._last[table] += 1
        self._rows[table].append({"id": self._last[table], **values})
        return self._last[table]

    def is_full(self) -> bool:
        return any(len(rows) >= _BATCH for rows in self._rows.values())

    def flush(self) -> None:
        """Insert what is waiting, what others point at first."""
        for name in TABLES:
            if rows := self._rows[name]:
                self._connection.execute(self._tables[name].insert(), rows)
                rows.clear()

    def finish(self) -> None:
        """Let the database go on counting behind the rows that were numbered here."""
        self.flush()
        if self._connection.dialect.name != "postgresql":
            return
        for name, last in self._last.items():
            if last:
                counter = sa.text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
                self._connection.execute(counter, {"name": name, "last": last})


def _move_bills(connection: sa.Connection) -> None:
    """Make rows of what each reservation was billed, paid and given back."""
    reservation = sa.Table("reservation", sa.MetaData(), autoload_with=connection)
    writer = _Writer(connection)
    payments: dict[str, int] = defaultdict(int)
    documents: dict[str, list[_Issued]] = {}
    tenant = ""
    for row in _billed(connection, reservation):
        # One query a tenant; one a reservation would take hours on a large database.
        if row.tenant_id != tenant:
            tenant = row.tenant_id
            documents = _documents(connection, tenant)
        is_open = _move_bill(writer, row, documents.get(row.number, []), payments)
        if is_open and row.paid_at is not None:
            _reopen(connection, reservation, row)
        if writer.is_full():
            writer.flush()
    writer.finish()
    sequence = sa.Table("number_sequence", sa.MetaData(), autoload_with=connection)
    for tenant_id, value in payments.items():
        counted = sequence.insert().values(tenant_id=tenant_id, kind="payment", value=value)
        connection.execute(counted)


def _billed(connection: sa.Connection, reservation: sa.Table) -> Iterator[Any]:
    """The reservations that were billed something, tenant by tenant, a thousand in memory."""
    columns = reservation.c
    after = ("", 0)
    while True:
        statement = (
            sa.select(reservation)
            .where(
                columns.total.is_not(None),
                # By key and not by OFFSET, which would read all that went before again for each
                # batch.
                sa.tuple_(columns.tenant_id, columns.id) > sa.tuple_(*after),
            )
            .order_by(columns.tenant_id, columns.id)
            .limit(_BATCH)
        )
        rows = connection.execute(statement).all()
        yield from rows
        if len(rows) < _BATCH:
            return
        after = (rows[-1].tenant_id, rows[-1].id)


def _documents(connection: sa.Connection, tenant: str) -> dict[str, list[_Issued]]:
    """The documents of a tenant by what they are about, oldest first."""
    document = sa.Table("document", sa.MetaData(), autoload_with=connection)
    columns = document.c
    kinds = ("invoice", "receipt", "credit_note")
    statement = sa.select(
        columns.about,
        columns.kind,
        columns.number,
        columns.total,
        columns.issued_at,
        # Only a credit note's lines and reason stand nowhere else.
        sa.case((columns.kind == "credit_note", columns.content), else_=None).label("content"),
    ).where(columns.tenant_id == tenant, columns.kind.in_(kinds))
    found: dict[str, list[_Issued]] = defaultdict(list)
    for row in connection.execute(statement.order_by(columns.id)):
        issued = _Issued(row.kind, row.number, row.total, row.issued_at, row.content or {})
        found[row.about].append(issued)
    return found


def _move_bill(writer: _Writer, row: Any, issued: list[_Issued], payments: dict[str, int]) -> bool:
    """Make the rows of one reservation's bill; returns whether something of it is owed."""
    received = _received(row, issued)
    notes = [note for note in issued if note.kind == "credit_note" and note.total < 0]
    given_back = sum(-note.total for note in notes)
    # A bill could be corrected below what was given back of it; it counts for no more than all.
    credited = min(given_back, row.total)
    allocated = min(received, row.total - credited)
    traded_on = _day(row.cancelled_at or row.used_until or row.ends_at)
    own = {"tenant_id": row.tenant_id}
    numbers = [document.number for document in issued if document.kind == "invoice"]
    invoice_id = writer.add(
        "invoice",
        **own,
        account_id=row.account_id,
        order_kind="reservation",
        number=numbers[-1] if numbers else "",
        billing=row.billing,
        contact=row.contact,
        traded_on=traded_on,
        closed_on=None,
        due_on=row.due_date,
        total=row.total,
        credited=credited,
        received=allocated,
        billed_at=row.billed_at or row.cancelled_at or row.ends_at,
        reminded_at=None,
    )
    item_id = _add_item(writer, row, invoice_id, traded_on)
    _add_lines(writer, row.tenant_id, row.lines, item_id=item_id)
    for note in notes:
        _add_note(writer, row, invoice_id, note)
    if received > 0:
        payments[row.tenant_id] += 1
        # Never more than was left: what a note gave back of an unpaid rest was no money.
        refunded = min(given_back, received - allocated)
        number = f"PM{payments[row.tenant_id]:08d}"
        _add_payment(writer, row, issued, invoice_id, number, (received, allocated, refunded))
    return bool(allocated + credited < row.total)


def _received(row: Any, issued: list[_Issued]) -> int:
    """What came in: what the first receipt said, else what the invoice of then asked for."""
    if row.paid_at is None:
        return 0
    # Later receipts follow corrections of the bill: the first one says what came in.
    for document in issued:
        if document.kind == "receipt":
            return document.total
    invoices = [document for document in issued if document.kind == "invoice"]
    of_then = [document for document in invoices if document.issued_at <= row.paid_at]
    return of_then[-1].total if of_then else int(row.total)


def _day(at: datetime) -> date:
    """The day in Tokyo. SQLite gives instants without their zone, which is UTC's."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(TOKYO).date()


def _add_item(writer: _Writer, row: Any, invoice_id: int, traded_on: date) -> int:
    # Only a cancellation that costs something has a total.
    is_charge = row.cancelled_at is not None
    began_on = _day(row.used_from or row.starts_at)
    facts = [["予約番号", row.number]]
    if began_on != traded_on and not is_charge:
        facts.append(["ご利用開始日", f"{began_on.year}年{began_on.month}月{began_on.day}日"])
    return writer.add(
        "invoice_item",
        tenant_id=row.tenant_id,
        account_id=row.account_id,
        invoice_id=invoice_id,
        order_kind="reservation",
        about=row.number,
        title=f"{row.facility_name} {'キャンセル料' if is_charge else 'ご利用料金'}",
        day_label="キャンセル日" if is_charge else "ご利用日",
        facts=facts,
        traded_on=traded_on,
        billing=row.billing,
        contact=row.contact,
        created_at=row.billed_at or row.cancelled_at or row.ends_at,
    )


def _add_lines(
    writer: _Writer,
    tenant: str,
    lines: list[dict[str, Any]] | None,
    *,
    item_id: int | None = None,
    credit_note_id: int | None = None,
) -> None:
    for position, line in enumerate(lines or [], start=1):
        day = line.get("day")
        writer.add(
            "invoice_line",
            tenant_id=tenant,
            item_id=item_id,
            credit_note_id=credit_note_id,
            position=position,
            description=line["description"],
            # Thousandths, as the column type Quantity keeps them.
            quantity=line["quantity"] * 1000,
            unit=line["unit"],
            unit_price=line["unit_price"],
            rate=line["rate"],
            is_reduced=line.get("reduced", False),
            day=date.fromisoformat(day) if day else None,
        )


def _add_note(writer: _Writer, row: Any, invoice_id: int, note: _Issued) -> None:
    note_id = writer.add(
        "credit_note",
        tenant_id=row.tenant_id,
        account_id=row.account_id,
        invoice_id=invoice_id,
        number=note.number,
        reason=note.content.get("remarks", "").removeprefix(_REASON),
        total=-note.total,
        credited_at=note.issued_at,
    )
    _add_lines(writer, row.tenant_id, note.content.get("lines"), credit_note_id=note_id)


def _add_payment(
    writer: _Writer,
    row: Any,
    issued: list[_Issued],
    invoice_id: int,
    number: str,
    parts: tuple[int, int, int],
) -> None:
    received, allocated, refunded = parts
    receipts = [document.number for document in issued if document.kind == "receipt"]
    notes = [document for document in issued if document.kind == "credit_note"]
    payment_id = writer.add(
        "payment",
        tenant_id=row.tenant_id,
        account_id=row.account_id,
        number=number,
        amount=received,
        received_on=_day(row.paid_at),
        method=row.payment_method,
        note="",
        allocated=allocated,
        refunded=refunded,
        receipt_number=receipts[-1] if receipts else "",
        recorded_at=row.paid_at,
    )
    if allocated:
        writer.add(
            "payment_allocation",
            tenant_id=row.tenant_id,
            payment_id=payment_id,
            invoice_id=invoice_id,
            amount=allocated,
            allocated_at=row.paid_at,
        )
    if refunded:
        writer.add(
            "payment_refund",
            tenant_id=row.tenant_id,
            payment_id=payment_id,
            amount=refunded,
            refunded_on=_day(notes[-1].issued_at),
            method=row.payment_method,
            recorded_at=notes[-1].issued_at,
        )


def _reopen(connection: sa.Connection, reservation: sa.Table, row: Any) -> None:
    """A bill that was corrected upwards after its payment is not paid."""
    values: dict[str, Any] = {"paid_at": None}
    if row.status == "paid":
        values["status"] = "billed"
    columns = reservation.c
    own = (columns.tenant_id == row.tenant_id, columns.id == row.id)
    connection.execute(reservation.update().where(*own).values(values))


def _move_lines_back(connection: sa.Connection) -> None:
    item = sa.Table("invoice_item", sa.MetaData(), autoload_with=connection)
    line = sa.Table("invoice_line", sa.MetaData(), autoload_with=connection)
    reservation = sa.Table("reservation", sa.MetaData(), autoload_with=connection)
    statement = (
        sa.select(item.c.tenant_id, item.c.about, line)
        .join(line, line.c.item_id == item.c.id)
        .order_by(item.c.tenant_id, item.c.id, line.c.position)
    )
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(statement):
        plain = {
            "description": row.description,
            # The program of before knows whole quantities alone.
            "quantity": row.quantity // 1000,
            "unit": row.unit,
            "unit_price": row.unit_price,
            "rate": row.rate,
            "reduced": row.is_reduced,
            "day": row.day.isoformat() if row.day else None,
        }
        found[row.tenant_id, row.about].append(plain)
    for (tenant, number), lines in found.items():
        own = (reservation.c.tenant_id == tenant, reservation.c.number == number)
        connection.execute(reservation.update().where(*own).values(lines=lines))
