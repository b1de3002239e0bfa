"""First wall, lower half: the last look at the SQL text before the driver gets it (COM-02).

Every use of a tenant-owned table needs ``<alias>.tenant_id = <bind>`` with the scope's tenant bound
there. It catches what the ORM guard cannot see: Core on a bare Table, ``session.connection()``, a
join to ``Model.__table__``. SQL written by hand may not name such a table at all. What goes past
SQLAlchemy only PostgreSQL's second wall can see.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.selectable import TextualSelect

from portal.tenancy.scope import TenantError, require_key
from portal.tenancy.statements import NotTenantScoped, StatementReader

_MEMO_SIZE = 5000
_WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_PRAGMA = re.compile(r"^\s*PRAGMA\s[^;]*;?\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CheckedStatement:
    """What the SQL guard knows of one SQL text."""

    touches: bool
    writes: bool
    held: tuple[tuple[int | str, ...], ...] = ()
    """For each use of a tenant's table, the parameters of which one at least must be the tenant."""
    fault: str | None = None


class StatementChecker:
    """Judges SQL texts against the names of the tenant-owned tables."""

    def __init__(self, tables: Iterable[str]) -> None:
        self._owned = frozenset(table.lower() for table in tables)
        names = "|".join(map(re.escape, self._owned)) or "(?!)"
        self._named = re.compile(rf"\b(?:{names})\b", re.IGNORECASE)
        self._known = lru_cache(_MEMO_SIZE)(self._judge)

    def __call__(self, sql: str) -> CheckedStatement:
        """The verdict on `sql`, remembered by its text."""
        return self._known(sql)

    def _judge(self, sql: str) -> CheckedStatement:
        writes = bool(_WRITES.match(sql))
        if not self._named.search(sql) or _PRAGMA.match(sql):
            return CheckedStatement(False, writes)
        try:
            reading = StatementReader(self._owned).read(sql)
        except NotTenantScoped as unheld:
            return CheckedStatement(True, writes, fault=str(unheld))
        return CheckedStatement(True, writes or reading.writes, tuple(reading.held))


def _is_by_hand(context: Any) -> bool:
    compiled = getattr(context, "compiled", None)
    return compiled is None or isinstance(compiled.statement, (TextClause, TextualSelect))


def _is_bound(row: Any, alternatives: tuple[int | str, ...], tenant: str) -> bool:
    return any(
        (row.get(key) if isinstance(row, dict) else row[key]) == tenant for key in alternatives
    )


def install_sql_guard(engine: Engine, tables: Iterable[str], read_only: Callable[[], bool]) -> None:
    """Watch every statement of `engine`; `read_only` says whether this context has promised not to
    write.
    """
    checker = StatementChecker(tables)

    @event.listens_for(engine, "before_cursor_execute")
    def _watch(_conn: Any, _cursor: Any, sql: str, params: Any, context: Any, many: bool) -> None:
        verdict = checker(sql)
        if verdict.writes and read_only():
            raise TenantError("a request that only reads tried to write")
        if not verdict.touches:
            return
        if _is_by_hand(context):
            raise TenantError("hand-written SQL names a tenant's table")
        if verdict.fault:
            raise TenantError(verdict.fault)
        tenant = require_key()
        # A batched INSERT comes as "many" with the one flat row that is really sent.
        is_batch = (
            many
            and params
            and not isinstance(params, dict)
            and isinstance(params[0], (tuple, list, dict))
        )
        for row in params if is_batch else (params,):
            if not all(_is_bound(row, alternatives, tenant) for alternatives in verdict.held):
                raise TenantError("the statement is bound to another tenant")
