"""Running the migrations, and the second wall that each of them must leave standing."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text

from portal.core.engine import keep_private

APP_ROLE = "portal_app"
_LOCK_KEY = 7_263_511
_APPEND_ONLY = ("audit_event", "payment_allocation", "payment_refund")
# No tenant is NULL, which equals nothing, so that no row shows. NULLIF, because a setting that was
# local to an earlier transaction is an empty text afterwards.
_TENANT = "NULLIF(current_setting('app.tenant', true), '')"


def config(folder: Path, connection: Connection) -> Config:
    """Alembic's configuration for the migrations in `folder`."""
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(folder))
    return made


def owner_engine(url: str) -> Engine:
    """A plain engine for migrations: no guard, foreign keys off on SQLite, where a migration is one
    transaction too.
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        keep_private(engine)

        @event.listens_for(engine, "connect")
        def _connect(raw: Any, _record: Any) -> None:
            raw.isolation_level = None
            # Foreign keys stay off, as SQLite has them: a batch migration drops the old table,
            # which the rows that point at it would forbid.
            raw.execute("PRAGMA busy_timeout=30000")
            raw.execute("PRAGMA secure_delete=ON")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def upgrade(folder: Path, url: str, revision: str = "head") -> None:
    """Bring the database at `url` (the owner's) to `revision`.

    Safe to run twice, also at the same moment.
    """
    run(folder, url, command.upgrade, revision)


def is_current(folder: Path, engine: Engine) -> bool:
    """Whether the database behind `engine` has all migrations in `folder`.

    Raises what the database raises.
    """
    head = ScriptDirectory(str(folder)).get_current_head()
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head


def run(folder: Path, url: str, do: Callable[..., object], *words: str, **options: bool) -> None:
    """Let Alembic `do` something to the database at `url` (the owner's), one at a time, all or
    nothing.
    """
    engine = owner_engine(url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                _execute(
                    connection,
                    # Of two deployments at once the second waits here, and then finds nothing to
                    # do.
                    f"SELECT pg_advisory_xact_lock({_LOCK_KEY})",
                    # Rather fail than wait behind a long query: everybody who comes after a waiting
                    # ALTER waits with it.
                    "SET LOCAL lock_timeout = '10s'",
                )
            do(config(folder, connection), *words, **options)
    finally:
        engine.dispose()


def _execute(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(text(statement))


def raise_walls(connection: Connection, tables: Iterable[str]) -> None:
    """Row-level security, forced, on `tables`, and the app role's rights to them (PostgreSQL;
    nothing on SQLite).
    """
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        _execute(
            connection,
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
            # Without FORCE whoever owns the table passes its policies.
            f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
            # USING alone would let a row be written, or moved, into another tenant.
            f'CREATE POLICY tenant_wall ON "{table}" '
            f"USING (tenant_id = {_TENANT}) WITH CHECK (tenant_id = {_TENANT})",
        )
        grant(connection, table)


def grant(
    connection: Connection, table: str, rights: str = "SELECT, INSERT, UPDATE, DELETE"
) -> None:
    """Give the app role `rights` to `table`; what is append-only stays so."""
    if table in _APPEND_ONLY:
        rights = "SELECT, INSERT"
    if connection.dialect.name == "postgresql":
        _execute(
            connection,
            f'GRANT {rights} ON "{table}" TO {APP_ROLE}',
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE}",
        )


def ensure_app_role(connection: Connection) -> None:
    """Make the role that the application connects as: it owns nothing and cannot pass row-level
    security.
    """
    if connection.dialect.name == "postgresql":
        if not connection.execute(
            text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": APP_ROLE}
        ).first():
            _execute(
                connection, f"CREATE ROLE {APP_ROLE} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE"
            )
        _execute(connection, f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}")


def forbid_changes(connection: Connection, table: str) -> None:
    """Make `table` append-only by triggers, for whoever connects (COM-90)."""
    if connection.dialect.name == "sqlite":
        raised = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("UPDATE", "DELETE"):
            _execute(
                connection,
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} {raised}",
            )
        return
    _execute(
        connection,
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    )
