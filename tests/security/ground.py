"""A portal for thousands of requests: after each that wrote anything, its database is put back as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import Table

from portal.core.db import Base
from tests.security.town import Town
from tests.support.rewind import Rewinding

Row = dict[str, Any]
Key = tuple[str, str, int]
"""Table, tenant and id of a row."""
Rows = dict[Key, Row]


class SqliteRows:
    """A SQLite file beside a copy of itself in memory."""

    def __init__(self, path: Path) -> None:
        self._live = sqlite3.connect(path, isolation_level=None, timeout=10)
        self._live.execute("PRAGMA synchronous = OFF")
        self._kept = sqlite3.connect(":memory:")
        self.keep()

    def keep(self) -> None:
        """Make the present state the one that is gone back to."""
        self._live.backup(self._kept)
        self._seen = self._version()

    def _version(self) -> int:
        return int(self._live.execute("PRAGMA data_version").fetchone()[0])

    def is_touched(self) -> bool:
        """Whether anybody has written since."""
        return self._version() != self._seen

    def put_back(self) -> None:
        """Undo what was written."""
        self._kept.backup(self._live)
        self._seen = self._version()

    def read(self, table: Table) -> Iterator[Row]:
        """All rows of a table, past every wall."""
        cursor = self._live.execute(f'SELECT * FROM "{table.name}"')
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def close(self) -> None:
        """Let the files go."""
        self._live.close()
        self._kept.close()


class PostgresRows:
    """A PostgreSQL database beside a copy of its rows in another schema."""

    def __init__(self, made: Rewinding) -> None:
        self._made = made
        self._admin = psycopg.connect(made.cluster.url(made.name, "postgres"), autocommit=True)
        self._seen = self._version()

    def keep(self) -> None:
        """Make the present state the one that is gone back to."""
        self._made.keep(self._admin)
        self._seen = self._version()

    def _version(self) -> str:
        found = self._admin.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        return str((found.fetchone() or ("",))[0])

    def is_touched(self) -> bool:
        """Whether anybody on this server has written since."""
        return self._version() != self._seen

    def put_back(self) -> None:
        """Undo what was written."""
        self._made.put_back(self._admin)
        self._seen = self._version()

    def read(self, table: Table) -> Iterator[Row]:
        """All rows of a table, past every wall."""
        cursor = self._admin.execute(f'SELECT * FROM public."{table.name}"'.encode())
        names = [column.name for column in cursor.description or ()]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def close(self) -> None:
        """Let the database go."""
        self._admin.close()


class Ground:
    """The portal, who lives there, and its rows."""

    def __init__(self, app: Flask, town: Town, rows: SqliteRows | PostgresRows) -> None:
        self.app = app
        self.town = town
        self.kept = rows
        self._before: Rows | None = None
        self.browsers: dict[tuple[str, str | None], Any] = {}
        self.found: dict[tuple[str, str], Any] = {}
        """What other modules keep for the whole run, by brand and login ID."""

    @property
    def before(self) -> Rows:
        """What stands there when a request begins."""
        if self._before is None:
            self._before = self.rows()
        return self._before

    def keep(self) -> None:
        """What stands there now is what every request begins with."""
        self.kept.keep()
        self._before = None

    @contextmanager
    def undone(self) -> Iterator[Callable[[], Rows | None]]:
        """What is written inside is undone. Gives what says the rows then, None while nothing changed."""
        try:
            yield lambda: self.rows() if self.kept.is_touched() else None
        finally:
            if self.kept.is_touched():
                self.kept.put_back()

    def rows(self) -> Rows:
        """Every row of every tenant's table."""
        found: Rows = {}
        for table in Base.metadata.sorted_tables:
            if "tenant_id" in table.c:
                for row in self.kept.read(table):
                    found[table.name, row["tenant_id"], row["id"]] = row
        return found


def closure(rows: Rows, *owners: Key) -> set[Key]:
    """These rows, and every row that leads to one of them over foreign keys, however far."""
    found = set(owners)
    for table in Base.metadata.sorted_tables:
        if "tenant_id" not in table.c:
            continue
        parents = [
            (constraint.column_keys[-1], constraint.referred_table.name)
            for constraint in table.foreign_key_constraints
        ]
        for key, row in rows.items():
            if key[0] == table.name and any(
                (parent, key[1], row[column]) in found for column, parent in parents
            ):
                found.add(key)
    return found
