"""First wall, lower half: the last look at the SQL text before the driver gets it (COM-02).

Every use of a tenant-owned table needs ``<alias>.tenant_id = <bind>`` with the scope's tenant bound
there. It catches what the ORM guard cannot see: Core on a bare Table, ``session.connection()``, a
join to ``Model.__table__``. SQL written by hand may not name such a table at all. What goes past
SQLAlchemy only PostgreSQL's second wall can see.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.selectable import TextualSelect

from portal.tenancy.scope import TenantError, require_key
from portal.tenancy.statements import NotTenantScoped, StatementReader

# The program's statements are fewer, but lists of parameters make a text for each length.
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


Parameters = Mapping[str, object] | Sequence[object]
"""What the driver gets for one row: by name, or by place."""


def _is_by_hand(context: ExecutionContext | None) -> bool:
    """Whether somebody wrote the SQL, rather than SQLAlchemy."""
    if context is None or context.compiled is None:
        return True
    return isinstance(context.compiled.statement, (TextClause, TextualSelect))


def _rows(params: Parameters, many: bool) -> Sequence[Parameters]:
    """The parameters row by row."""
    # A batched INSERT comes as "many" with the one flat row that is really sent.
    if many and not isinstance(params, Mapping) and len(params) > 0:
        is_batch = isinstance(params[0], (tuple, list, dict))
        if is_batch:
            return cast("Sequence[Parameters]", params)
    return [params]


def _is_bound(row: Parameters, alternatives: tuple[int | str, ...], tenant: str) -> bool:
    return any(_value(row, key) == tenant for key in alternatives)


def _value(row: Parameters, key: int | str) -> object:
    if isinstance(row, Mapping):
        return row.get(str(key))
    return row[int(key)]


def install_sql_guard(engine: Engine, tables: Iterable[str], read_only: Callable[[], bool]) -> None:
    """Watch every statement of `engine`.

    `read_only` says whether this context has promised not to write.
    """
    checker = StatementChecker(tables)

    @event.listens_for(engine, "before_cursor_execute")
    def _watch(
        _connection: Connection,
        _cursor: DBAPICursor,
        sql: str,
        params: Parameters,
        context: ExecutionContext | None,
        many: bool,
    ) -> None:
        verdict = checker(sql)
        if verdict.writes and read_only():
            raise TenantError("a request that only reads tried to write")
        if not verdict.touches:
            return
        if _is_by_hand(context):
            raise TenantError("hand-written SQL names a tenant's table")
        if verdict.fault:
            raise TenantError(verdict.fault)
        # The text alone was judged so far, once for all: what is bound differs with each call.
        tenant = require_key()
        for row in _rows(params, many):
            if not all(_is_bound(row, alternatives, tenant) for alternatives in verdict.held):
                raise TenantError("the statement is bound to another tenant")
