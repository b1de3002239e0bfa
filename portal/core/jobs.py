"""Work for later, kept in the database beside what asked for it. Handlers are written to be run twice."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock, leases
from portal.core.db import Base, owned, session
from portal.core.tenancy.guard import TenantOwned

log = logging.getLogger(__name__)
Handler = Callable[[dict[str, Any]], None]
_handlers: dict[str, Handler] = {}


class Job(leases.Leased, TenantOwned, Base):
    """One piece of work."""

    __tablename__ = "job"
    kind: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = owned(Index("ix_job_due", "tenant_id", "status", "due_at", "id"))


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
    kind, payload = job.kind, dict(job.payload)
    trouble = leases.attempt(job, lambda: _handlers[kind](payload))
    if trouble is not None:
        log.error("job %s (%s) failed", job_id, kind, exc_info=trouble)
    return trouble is None


def run_due(limit: int = 10) -> int:
    """Do what is due in the tenant in scope; returns how many were claimed."""
    claimed = [job.id for job in leases.claim(Job, limit)]
    session().commit()
    for job_id in claimed:
        run(job_id)
    return len(claimed)
