"""The database: one extension object, the tenant's scope, and what a transaction may do."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, SessionTransaction, mapped_column
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator

from portal.core import clock
from portal.core.engine import Mode, drive_postgresql, drive_sqlite
from portal.core.errors import NotFound, Stale, require
from portal.tenancy import scope
from portal.tenancy.orm_guard import TenantOwned, TenantSession
from portal.tenancy.sql_guard import install_sql_guard

T = TypeVar("T")
Criterion = sa.ColumnExpressionArgument[bool]
"""What a row must meet: an SQL expression such as ``Reservation.number == number``."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC instant.

    SQLite keeps it as text without a zone; naive values are refused on the way in.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive instants; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive instant cannot be stored")
        value = value.astimezone(UTC)
        # SQLite keeps no zone; all instants there are UTC, so text compares as time does.
        if dialect.name == "sqlite":
            return value.replace(tzinfo=None)
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the instant back aware, in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:  # SQLite
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)  # PostgreSQL gives it in the session's zone


class EnumType(TypeDecorator[StrEnum]):
    """One of an enumeration's values, kept as its text, read back as the member."""

    impl = sa.String
    cache_ok = True

    def __init__(self, values: type[StrEnum], length: int) -> None:
        super().__init__(length)
        self.values = values

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse what is no value of the enumeration."""
        if value is None:
            return None
        return self.values(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """The member."""
        if value is None:
            return None
        return self.values(value)


class Quantity(TypeDecorator[Decimal]):
    """How many of something, to a thousandth (1.5 hours), kept as a whole number of thousandths.

    SQLite has no decimals: kept as a float, 0.1 would come back as something else.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> int | None:
        """Refuse what is finer than a thousandth."""
        if value is None:
            return None
        thousandths = Decimal(value) * 1000
        if thousandths != thousandths.to_integral_value():
            raise ValueError("a quantity is kept to a thousandth")
        return int(thousandths)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """The quantity."""
        if value is None:
            return None
        return Decimal(value) / 1000


class Base(DeclarativeBase):
    """Declarative base: constraints have stable names, instants are aware."""

    metadata = sa.MetaData(
        # A migration can drop a constraint on either database only by a name that is known.
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime()}  # noqa: RUF012 - SQLAlchemy's own protocol


class Numbered(TenantOwned):
    """A row that people know by its number; the audit trail names it ``table:number``."""

    __tablename__: str
    number: Mapped[str] = mapped_column(sa.String(20))

    @property
    def subject(self) -> str:
        """How the audit trail names it."""
        return f"{self.__tablename__}:{self.number}"


PERSONAL = {"personal": True}
"""``mapped_column(…, info=PERSONAL)`` marks what a withdrawn customer's erasure empties (COM-16).
"""


def emptied_personal(model: type[TenantOwned]) -> dict[str, str]:
    """Return the model's columns that are marked as personal, each with the empty text that takes
    its place.
    """
    columns = sa.inspect(model).columns
    return {column.key: "" for column in columns if column.info.get("personal")}


class Versioned(TenantOwned):
    """A record that several people may edit: each save makes its version one more (COM-26)."""

    version: Mapped[int] = mapped_column(default=1)


class SystemAccess(Base):
    """Global log: who went over all tenants, when and why.

    The only table besides Alembic's without a tenant.
    """

    __tablename__ = "system_access"
    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(sa.String(80))
    reason: Mapped[str] = mapped_column(sa.String(200))


db = SQLAlchemy(session_options={"class_": TenantSession})

_mode: ContextVar[Mode] = ContextVar("transaction_mode", default="write")


def tenant_table_args(*constraints: SchemaItem) -> tuple[SchemaItem, ...]:
    """`__table_args__` of a tenant-owned table: the key that composite foreign keys point at, and
    `constraints`.
    """
    return (sa.UniqueConstraint("tenant_id", "id"), *constraints)


def tenant_fk(column: str, table: str, *, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    """A foreign key that carries the tenant, so that the database itself refuses a cross-tenant
    reference.
    """
    return sa.ForeignKeyConstraint(
        ["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"], ondelete=ondelete
    )


def index_where(name: str, *columns: str, where: str, unique: bool = True) -> sa.Index:
    """An index of the tenant's rows that are `where`, on both databases."""
    only = sa.text(where)
    return sa.Index(
        name, "tenant_id", *columns, unique=unique, sqlite_where=only, postgresql_where=only
    )


def session() -> TenantSession:
    """The session of the tenant in scope."""
    return cast(TenantSession, db.session())


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT built once, with this call's values for its parameters: building costs more than
    running it.
    """

    statement: sa.Select[Any]
    values: dict[str, object] = field(default_factory=dict)


def execute_core(
    statement: sa.Executable,
    parameters: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None,
) -> sa.CursorResult[Any]:
    """Run a Core statement that names its tenant itself, at less cost than the ORM's way.

    The SQL guard checks that it does. Each of several `parameters` of an INSERT is a row.
    """
    return session().connection().execute(statement, parameters)


@contextmanager
def tenant_scope(key: str) -> Iterator[None]:
    """Work for one tenant: a fresh session inside, closed (uncommitted work rolled back) at the
    end.
    """
    db.session.remove()
    # A session that went on would still hold rows of the tenant before in its identity map.
    token = scope.enter(key)
    try:
        yield
    finally:
        db.session.remove()
        scope.leave(token)


def each_tenant(keys: list[str], *, by: str, reason: str) -> Iterator[str]:
    """Go over tenants one scope after another, for whoever works across brands.

    Who does so, and why, is kept in `system_access`.
    """
    # Committed before the first tenant is entered: whoever breaks off half-way leaves a trace too.
    with transaction_mode("write"), db.engine.begin() as connection:
        connection.execute(sa.insert(SystemAccess).values(at=clock.now(), by=by, reason=reason))
    for key in keys:
        with tenant_scope(key):
            yield key


@contextmanager
def transaction_mode(mode: Mode) -> Iterator[None]:
    """Begin transactions in `mode` inside the block; both ends roll back.

    "read" locks nothing and may not write.
    """
    _end_transaction()
    token = _mode.set(mode)
    try:
        yield
    finally:
        _end_transaction()
        _mode.reset(token)


def hold_snapshot() -> None:
    """Let everything that the transaction about to begin reads be of one and the same instant.

    Call it before the first statement. SQLite's transactions are so anyway.
    """
    if session().get_bind().dialect.name == "postgresql":
        session().connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _end_transaction() -> None:
    if db.session.registry.has() and db.session().in_transaction():
        db.session.rollback()


def init_db(app: Flask) -> None:
    """Bind the extension and install both walls and the recipe of the database in use."""
    db.init_app(app)
    with app.app_context():
        engine = db.engine
        if engine.dialect.name == "sqlite":
            drive_sqlite(engine, _mode.get)
        else:
            drive_postgresql(engine)
        install_sql_guard(engine, tenant_tables(), lambda: _mode.get() == "read")


def tenant_tables() -> list[str]:
    """The names of all mapped tables whose rows belong to a tenant."""
    owners = (mapper for mapper in Base.registry.mappers if issubclass(mapper.class_, TenantOwned))
    return sorted(cast(sa.Table, mapper.local_table).name for mapper in owners)


@sa.event.listens_for(TenantSession, "after_begin")
def _announce(
    current: TenantSession, _transaction: SessionTransaction, connection: sa.Connection
) -> None:
    """Second wall: tell PostgreSQL's row-level security the tenant."""
    if connection.dialect.name == "postgresql":
        # For this transaction only (true): a pooler gives the connection to another tenant's next.
        connection.exec_driver_sql(
            "SELECT set_config('app.tenant', %s, true), "
            "set_config('transaction_read_only', %s, true)",
            # Where a page only shows, PostgreSQL itself refuses a write; the guard in Python is one
            # more.
            (current.info.get("tenant") or "", "on" if _mode.get() == "read" else "off"),
        )


def get_or_404(model: type[T], *criteria: Criterion, absent: str, **params: str) -> T:
    """Return the one row that meets `criteria`.

    Raises NotFound, whose message is `absent` with `params`.
    """
    found = session().scalars(sa.select(model).where(*criteria)).one_or_none()
    return require(found, NotFound(absent, **params))


def insert_or_ignore(
    model: type[TenantOwned], values: Mapping[str, object], *, unique: tuple[str, ...]
) -> None:
    """Insert a row of the tenant in scope unless one with the same `unique` columns stands there
    already.
    """
    current = session()
    # The two dialects have the clause each by itself, with the same words.
    dialect = postgresql if current.get_bind().dialect.name == "postgresql" else sqlite
    insert = dialect.insert(model).values(values)
    current.execute(insert.on_conflict_do_nothing(index_elements=unique))


def update_where(model: type[TenantOwned], *criteria: Criterion, **values: object) -> int:
    """Change the rows that meet `criteria` in one UPDATE and return how many there were.

    Races end here: of several who change a row from the same state, one gets 1. Rows in memory stay
    as they were.
    """
    return _count_changed(sa.update(model).where(*criteria).values(values))


def delete_where(model: type[TenantOwned], *criteria: Criterion) -> int:
    """Remove the rows that meet `criteria` in one DELETE and return how many there were."""
    return _count_changed(sa.delete(model).where(*criteria))


def _count_changed(statement: sa.Update | sa.Delete) -> int:
    # The rows in memory are left alone: bringing them up to date would cost a SELECT.
    quiet = statement.execution_options(synchronize_session=False)
    result = cast(sa.CursorResult[Any], session().execute(quiet))
    return result.rowcount


def save_changes(
    row: Versioned, version: int, wanted: Mapping[str, str | int | None]
) -> dict[str, list[object]]:
    """Save under `version` what `wanted` changes of a row; returns before and after of each.

    Raises Stale (COM-26).
    """
    values: dict[str, object] = {}
    pairs: dict[str, list[object]] = {}
    for name, value in wanted.items():
        before = getattr(row, name)
        after = value or ""
        if before != after:
            values[name] = after
            pairs[name] = [before, after]
    if not values:
        return {}
    model = type(row)
    # The version stands in the WHERE: of two who save at once one finds no such row.
    is_this_version = (model.id == row.id, model.version == version)
    if not update_where(model, *is_this_version, version=version + 1, **values):
        raise Stale("別の画面またはほかの方が先に更新しました。両方の内容を確認してください。")
    # The UPDATE has passed the row in memory by.
    session().refresh(row)
    return pairs
