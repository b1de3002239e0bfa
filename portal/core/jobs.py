"""Work for later, kept in the database beside what asked for it; mail in the outbox is such work
too.

A worker claims rows by lease, retries with growing pauses, and gives up at last. When it is killed
its lease runs out and another takes over: at least once, never not at all (security.md §5). So
handlers are written to be run twice.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import JSON, Index, String, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.db import Base, EnumType, session, tenant_table_args
from portal.tenancy.orm_guard import TenantOwned

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=60)
PAUSES = [timedelta(seconds=s) for s in (10, 60, 300, 1800, 7200, 21600, 43200)]
Handler = Callable[[dict[str, Any]], None]
_handlers: dict[str, Handler] = {}


class WorkStatus(StrEnum):
    """Where a piece of work stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class Leased(TenantOwned):
    """Mixin of a table whose rows are pieces of work."""

    status: Mapped[WorkStatus] = mapped_column(EnumType(WorkStatus, 10), default=WorkStatus.WAITING)
    due_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(String(500), default="")


W = TypeVar("W", bound=Leased)


def claim(model: type[W], limit: int = 10) -> Sequence[W]:
    """Claim up to `limit` due rows of the tenant in scope; the caller commits at once, then works,
    then settles.
    """
    is_due = (model.status == WorkStatus.WAITING, model.due_at <= clock.now())
    due = select(model).where(*is_due).order_by(model.due_at, model.id).limit(limit)
    rows = session().scalars(due.with_for_update(skip_locked=True)).all()
    for row in rows:
        # Tried too often and due again: each try killed its worker, so that nobody was left to say
        # so.
        if row.tries > len(PAUSES):
            give_up(row, "the lease of the last try ran out")
        else:
            row.tries += 1
            row.due_at = clock.now() + LEASE
    return [row for row in rows if row.status == WorkStatus.WAITING]


def succeed(row: Leased) -> None:
    """Mark a claimed row as done."""
    row.status = WorkStatus.DONE
    row.done_at = clock.now()
    row.last_error = ""


def attempt(
    row: W, do: Callable[[], None], *, on_success: Callable[[W], None] = succeed
) -> Exception | None:
    """Do a claimed row's work outside of its transaction, mark it as done or put it off; returns
    what went wrong.

    `on_success` marks the row, loaded anew, in the transaction that settles it.
    """
    model = type(row)
    row_id = row.id
    trouble = None
    session().rollback()
    try:
        do()
    except Exception as error:  # kept with the row, retried, shown to operators
        session().rollback()
        fail(session().get_one(model, row_id), error)
        trouble = error
    else:
        on_success(session().get_one(model, row_id))
    session().commit()
    return trouble


def fail(row: Leased, error: BaseException) -> None:
    """Put a claimed row off for a growing pause, or give up after the last one."""
    row.last_error = f"{type(error).__name__}: {error}"[:500]
    if row.tries > len(PAUSES):
        row.status = WorkStatus.FAILED
        return
    # A command that does its own job at once never claimed it: its tries are 0.
    pause = PAUSES[max(row.tries - 1, 0)]
    row.due_at = clock.now() + pause


def give_up(row: Leased, reason: str) -> None:
    """Mark a row as failed for good, for `reason`."""
    row.status = WorkStatus.FAILED
    row.last_error = reason[:500]


def retry(row: Leased) -> None:
    """Give a failed row another round, at once (OPS-14)."""
    row.status = WorkStatus.WAITING
    row.tries = 0
    row.due_at = clock.now()


class Job(Leased, Base):
    """One piece of work."""

    __tablename__ = "job"
    kind: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = tenant_table_args(Index("ix_job_due", "tenant_id", "status", "due_at", "id"))


def handler(kind: str) -> Callable[[Handler], Handler]:
    """Register the function that does jobs of `kind`, e.g. ``documents.draw``."""

    def register(function: Handler) -> Handler:
        _handlers[kind] = function
        return function

    return register


def enqueue(kind: str, payload: dict[str, Any], *, at: datetime | None = None) -> Job:
    """Store a job in the running transaction, to be done at `at` (now when None)."""
    if kind not in _handlers:
        raise KeyError(f"no handler for {kind}")
    now = clock.now()
    job = Job(kind=kind, payload=payload, created_at=now, due_at=at or now)
    session().add(job)
    session().flush()
    return job


def run(job_id: int) -> bool:
    """Do one claimed job; whether it went well. The handler commits what it changes."""
    job = session().get_one(Job, job_id)
    kind = job.kind
    payload = dict(job.payload)

    def do() -> None:
        _handlers[kind](payload)

    trouble = attempt(job, do)
    if trouble is not None:
        log.error("job %s (%s) failed", job_id, kind, exc_info=trouble)
    return trouble is None


def run_due(limit: int = 10) -> int:
    """Do what is due in the tenant in scope; returns how many were claimed."""
    claimed = [job.id for job in claim(Job, limit)]
    session().commit()
    for job_id in claimed:
        run(job_id)
    return len(claimed)
