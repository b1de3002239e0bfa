"""First wall, lower half: the last look at the SQL text before the driver gets it (COM-02).

Every use of a tenant-owned table needs ``<alias>.tenant_id = <bind>`` with the scope's tenant bound. It catches what
the ORM guard cannot see: Core on a bare Table, ``session.connection()``, a join to ``Model.__table__``. Judging
costs a few regular expressions for a new SQL text and one dictionary look-up for a known one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

from portal.core.tenancy.scope import TenantError, current_key

_MEMO_SIZE = 5000
_WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_LOOSENED = re.compile(
    r"\btenant_id\s*=\s*(?:\?|%\(\w+\)s|%s|:\w+)(?:::\w+)?\s+OR\b|\bOR\s+(?:\w+\.)?tenant_id\s*=",
    re.IGNORECASE,
)
"""A tenant that is only one of two ways in holds nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tripwire knows of one SQL text."""

    touches: bool
    writes: bool
    fault: str | None = None


class Judge:
    """Judges SQL texts against the names of the tenant-owned tables."""

    def __init__(self, tables: Iterable[str]) -> None:
        names = "|".join(sorted(map(re.escape, tables), key=len, reverse=True)) or "(?!)"
        self._use = re.compile(
            rf'(?:\bFROM\b|\bJOIN\b|,)\s*\(*\s*"?({names})"?(?![\w."])(?:\s+AS\s+"?(\w+)"?)?', re.IGNORECASE
        )
        self._dml = re.compile(
            rf'^\s*(UPDATE|DELETE\s+FROM|INSERT\s+INTO)\s+"?({names})"?(?![\w"])', re.IGNORECASE
        )
        self._memo: dict[str, Verdict] = {}

    def __call__(self, sql: str) -> Verdict:
        """The verdict on `sql`, remembered by its text."""
        verdict = self._memo.get(sql)
        if verdict is None:
            if len(self._memo) > _MEMO_SIZE:
                self._memo.clear()
            verdict = self._memo[sql] = self._judge(sql)
        return verdict

    def _judge(self, sql: str) -> Verdict:
        writes = bool(_WRITES.match(sql))
        needed = Counter((m.group(2) or m.group(1)).lower() for m in self._use.finditer(sql))
        dml = self._dml.match(sql)
        if dml and dml.group(1).upper().startswith("INSERT"):
            if "tenant_id" not in sql[: sql.find(")")]:
                return Verdict(True, writes, "INSERT without tenant_id")
        elif dml and dml.group(1).upper() == "UPDATE":
            needed[dml.group(2).lower()] += 1
        if needed and _LOOSENED.search(sql):
            return Verdict(True, writes, "the tenant stands beside an OR")
        for alias, uses in needed.items():
            found = len(
                re.findall(
                    rf'(?:\b{re.escape(alias)}"?\.|\bWHERE\s+)tenant_id\s*=\s*(?:\?|%\(|%s|:)',
                    sql,
                    re.IGNORECASE,
                )
            )
            if found < uses:
                return Verdict(
                    True, writes, f"{alias} is used {uses} times and held to its tenant {found} times"
                )
        return Verdict(bool(needed or dml), writes)


def install_tripwire(engine: Engine, tables: Iterable[str], read_only: Callable[[], bool]) -> None:
    """Watch every statement of `engine`; `read_only` says whether this context has promised not to write."""
    judge = Judge(tables)

    @event.listens_for(engine, "before_cursor_execute")
    def _watch(_conn: Any, _cursor: Any, sql: str, params: Any, _context: Any, many: bool) -> None:
        verdict = judge(sql)
        if verdict.writes and read_only():
            raise TenantError("a request that only reads tried to write")
        if not verdict.touches:
            return
        if verdict.fault:
            raise TenantError(verdict.fault)
        tenant = current_key()
        if tenant is None:
            raise TenantError("no tenant in scope")
        # A batched INSERT comes as "many" with the one flat row that is really sent.
        rows = (
            params
            if many and params and not isinstance(params, dict) and isinstance(params[0], (tuple, list, dict))
            else (params,)
        )
        for row in rows:
            if tenant not in (row.values() if isinstance(row, dict) else row):
                raise TenantError("the statement is bound to another tenant")
