"""A look at the database past the application and both walls, as an intruder or an auditor would have it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from flask import Flask

from portal.tenancy.orm_guard import TenantSession
from tests.support import postgres


@contextmanager
def superuser(app: Flask) -> Iterator[Any]:
    """A connection (each statement its own transaction) that no wall holds back; `execute(sql)` gives a cursor."""
    url = urlsplit(app.extensions["settings"].database)
    if url.scheme == "sqlite":
        with closing(
            sqlite3.connect(url.path.removeprefix("/"), isolation_level=None, timeout=10)
        ) as raw:
            yield raw
        return
    with postgres.shared().admin(url.path.removeprefix("/")) as admin:
        yield admin


def rows_of(current: TenantSession, tenant: str, table: str) -> list[Any]:
    """All rows that `tenant` has in `table`, as the session's own open transaction would leave them."""
    raw = current.connection()
    cursor = raw.connection.cursor()
    if raw.dialect.name == "postgresql":
        cursor.execute("SELECT set_config('app.tenant', %s, true)", (tenant,))
        cursor.execute(f"SELECT * FROM {table} WHERE tenant_id = %s ORDER BY id", (tenant,))
    else:
        cursor.execute(f"SELECT * FROM {table} WHERE tenant_id = ? ORDER BY id", (tenant,))
    found = list(cursor.fetchall())
    cursor.close()
    return found
