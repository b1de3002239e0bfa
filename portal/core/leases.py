"""Work that survives a kill: rows that a worker claims by lease, retries with growing pauses, and gives up at last.

When a worker is killed its lease runs out and another takes over: at least once, never not at all (security.md §5).
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.db import Choice, session

LEASE = timedelta(seconds=60)
PAUSES = [timedelta(seconds=s) for s in (10, 60, 300, 1800, 7200, 21600, 43200)]


class WorkStatus(StrEnum):
    """Where a piece of work stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class Leased:
    """Mixin of a table whose rows are pieces of work."""

    status: Mapped[WorkStatus] = mapped_column(Choice(WorkStatus, 10), default=WorkStatus.WAITING)
    due_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(String(500), default="")


W = TypeVar("W", bound=Any)


def claim(model: type[W], limit: int = 10) -> Sequence[W]:
    """Claim up to `limit` due rows of the tenant in scope; the caller commits at once, then works, then settles."""
    is_due = (model.status == WorkStatus.WAITING, model.due_at <= clock.now())
    due = select(model).where(*is_due).order_by(model.due_at, model.id).limit(limit)
    rows = session().scalars(due.with_for_update(skip_locked=True)).all()
    for row in rows:
        if row.tries > len(PAUSES):  # each try killed its worker, so that nobody was left to say so
            row.status, row.last_error = WorkStatus.FAILED, "the lease of the last try ran out"
        else:
            row.tries, row.due_at = row.tries + 1, clock.now() + LEASE
    return [row for row in rows if row.status == WorkStatus.WAITING]


def still_ours(row: Any, until: datetime) -> bool:
    """Whether the lease that ends at `until` still holds; a slow batch may have lost it to another worker."""
    return row.status == WorkStatus.WAITING and bool(row.due_at == until > clock.now())


def attempt(row: Any, do: Callable[[], None]) -> Exception | None:
    """Do a claimed row's work outside of its transaction, mark it as done or put it off; returns what went wrong."""
    model, row_id, trouble = type(row), row.id, None
    session().rollback()
    try:
        do()
    except Exception as error:  # kept with the row, retried, shown to operators
        session().rollback()
        fail(session().get_one(model, row_id), error)
        trouble = error
    else:
        succeed(session().get_one(model, row_id))
    session().commit()
    return trouble


def succeed(row: Any) -> None:
    """Mark a claimed row as done."""
    row.status, row.done_at, row.last_error = WorkStatus.DONE, clock.now(), ""


def fail(row: Any, error: BaseException) -> None:
    """Put a claimed row off for a growing pause, or give up after the last one."""
    row.last_error = f"{type(error).__name__}: {error}"[:500]
    if row.tries > len(PAUSES):
        row.status = WorkStatus.FAILED
    else:
        row.due_at = clock.now() + PAUSES[max(row.tries - 1, 0)]  # a command's own job was never claimed


def retry(row: Any) -> None:
    """Give a failed row another round, at once (OPS-14)."""
    row.status, row.tries, row.due_at = WorkStatus.WAITING, 0, clock.now()
