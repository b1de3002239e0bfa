"""A PostgreSQL database that is put back as it was after each test: far quicker than a new copy of the template.

The rows are kept in a schema beside the tables. A test that changed more than rows (a trigger, a policy, a right)
is noticed by a fingerprint of the catalogue; then the database is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from tests.support.postgres import Cluster

_FINGERPRINT = """
SELECT md5(string_agg(item, ';' ORDER BY item)) FROM (
    SELECT concat_ws(',', 'class', c.oid, c.relname, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.relacl)
        FROM pg_class c WHERE c.relnamespace IN ('public'::regnamespace, 'kept'::regnamespace)
    UNION ALL SELECT concat_ws(',', 'column', a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attnotnull)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(',', 'constraint', oid, conname, convalidated) FROM pg_constraint
    UNION ALL SELECT concat_ws(',', 'trigger', oid, tgname, tgenabled) FROM pg_trigger
    UNION ALL SELECT concat_ws(',', 'policy', oid, polname, polqual, polwithcheck) FROM pg_policy
    UNION ALL SELECT concat_ws(',', 'function', oid, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(',', 'role', rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole) FROM pg_roles
    UNION ALL SELECT concat_ws(',', 'setting', setdatabase, setrole, setconfig) FROM pg_db_role_setting
    UNION ALL SELECT concat_ws(',', 'schema', nspname, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_'
) AS catalogue (item)
"""


@dataclass
class Rewinding:
    """The database `name` of one test process, made from `template` and put back after each test."""

    cluster: Cluster
    name: str
    template: str
    _script: str = ""
    _fingerprint: str = ""
    _tables: list[str] = field(default_factory=list)

    def url(self) -> str:
        """Its address, as the program's own role sees it, ready for a test."""
        if not self._script:
            self._make()
        return self.cluster.url(self.name)

    def rewind(self) -> None:
        """Put every row back, or make the database anew when more than rows was changed."""
        try:
            with self.cluster.admin(self.name) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                if self._look(connection) == self._fingerprint:
                    self.put_back(connection)
                    return
        except psycopg.OperationalError:
            pass
        self.drop()

    def put_back(self, connection: psycopg.Connection[Any]) -> None:
        """Put every row back; `connection` is a superuser's, and nobody is in the middle of a transaction."""
        connection.execute(self._script.encode())

    def keep(self, connection: psycopg.Connection[Any]) -> None:
        """Make the rows that stand there now those that are put back."""
        for table in self._tables:
            names = sql.Identifier("kept", table), sql.Identifier("public", table)
            connection.execute(sql.SQL("DELETE FROM {}").format(names[0]))
            connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(*names))
        self._keep_sequences(connection)

    def drop(self) -> None:
        """Remove it; the next test makes a new one."""
        self.cluster.drop_database(self.name)
        self._script = ""

    def _make(self) -> None:
        self.cluster.create_database(self.name, template=self.template)
        with self.cluster.admin(self.name) as connection:
            tables = _column(
                connection, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            connection.execute("CREATE SCHEMA kept")
            for table in tables:
                names = sql.Identifier("kept", table), sql.Identifier("public", table)
                connection.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(*names))
            self._tables = tables
            self._keep_sequences(connection)
            self._fingerprint = self._look(connection)

    def _keep_sequences(self, connection: psycopg.Connection[Any]) -> None:
        """Write the script that puts rows and sequences back as they are now."""
        self._script = "\n".join(
            ["SET session_replication_role = replica;", *map(_restore, self._tables)]
        )
        for sequence in _column(connection, "SELECT sequencename FROM pg_sequences"):
            value, called = connection.execute(
                sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(sequence))
            ).fetchone() or (1, False)
            self._script += f"\nSELECT setval('\"{sequence}\"', {value}, {called});"

    @staticmethod
    def _look(connection: psycopg.Connection[Any]) -> str:
        return _column(connection, _FINGERPRINT)[0]


def _restore(table: str) -> str:
    return (
        f'DELETE FROM public."{table}"; INSERT INTO public."{table}" SELECT * FROM kept."{table}";'
    )


def _column(connection: psycopg.Connection[Any], query: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(query.encode()).fetchall()]
