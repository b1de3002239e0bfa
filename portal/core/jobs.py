"""Work for later, kept in the database beside what asked for it; mail in the outbox is such work
too.

A worker claims one row at a time by a lease, retries with growing pauses, and gives up at last.
When it is killed its lease runs out and another takes over: at least once, never not at all
(security.md §5). So handlers are written to be run twice. Each kind of job says how long its lease
is: as long as its work may take, so that nobody begins what is still being done.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import JSON, Index, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.db import Base, Criterion, EnumType, session, tenant_table_args
from portal.core.services import get_service
from portal.tenancy.orm_guard import TenantOwned

log = logging.getLogger(__name__)
# Some twenty hours in all: a mail server that is down overnight is reached the next day.
PAUSES = [timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200, 21600, 43200)]
Handler = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a claim of some work lasts, and how often it is tried before it is given up."""

    lasts: timedelta = timedelta(minutes=1)
    max_tries: int = len(PAUSES) + 1


USUAL_LEASE = Lease()


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job: its name, e.g. ``documents.draw``, who does it, and the lease of a claim.

    A handler that is still at work when its lease runs out is joined by another worker.
    """

    name: str
    handler: Handler
    lease: Lease = USUAL_LEASE


class JobKinds(dict[str, JobKind]):
    """The kinds of jobs that an application does, by their names."""

    def __init__(self, kinds: Iterable[JobKind]) -> None:
        """Collect `kinds`. Raises ValueError for one name twice."""
        super().__init__()
        for kind in kinds:
            if kind.name in self:
                raise ValueError(f"two kinds of job are called {kind.name}")
            self[kind.name] = kind


def job_kinds() -> JobKinds:
    """The kinds of jobs that the running application does, by name."""
    return get_service(JobKinds)


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


def claim(model: type[W], lease_of: Callable[[W], Lease], *criteria: Criterion) -> W | None:
    """Claim the due row of the tenant in scope that has waited longest, of those that meet
    `criteria`.

    None where nothing is due. The caller commits at once, then works, then settles.
    """
    is_due = (model.status == WorkStatus.WAITING, model.due_at <= clock.now(), *criteria)
    due = select(model).where(*is_due).order_by(model.due_at, model.id).limit(1)
    # Workers pass one another's rows by instead of waiting; SQLite, with its one writer, is given
    # no such clause.
    while row := session().scalars(due.with_for_update(skip_locked=True)).first():
        lease = lease_of(row)
        if row.tries < lease.max_tries:
            # Counted before the work: a try that kills its worker counts too.
            row.tries += 1
            row.due_at = clock.now() + lease.lasts
            return row
        # Tried too often and due again: each try killed its worker, so that nobody was left to say
        # so.
        give_up(row, "the lease of the last try ran out")
        session().flush()
    return None


def succeed(row: Leased) -> None:
    """Mark a claimed row as done."""
    row.status = WorkStatus.DONE
    row.done_at = clock.now()
    row.last_error = ""


def attempt(
    row: W,
    do: Callable[[], None],
    lease: Lease = USUAL_LEASE,
    *,
    on_success: Callable[[W], None] = succeed,
) -> Exception | None:
    """Do a claimed row's work outside of its transaction, mark it as done or put it off; returns
    what went wrong.

    `on_success` marks the row, loaded anew, in the transaction that settles it.
    """
    model = type(row)
    row_id = row.id
    # The end of the lease names the claim: a later one by another worker has another end.
    claimed_until = row.due_at
    # Work may take minutes; no transaction is open meanwhile, and handlers begin their own.
    trouble = None
    session().rollback()
    try:
        do()
    except Exception as error:  # kept with the row, retried, shown to operators
        session().rollback()
        row = session().get_one(model, row_id, with_for_update=True)
        # Whoever was slower than its lease has no say any more: another is at it, or has done it.
        if row.status == WorkStatus.WAITING and row.due_at == claimed_until:
            fail(row, error, lease)
        trouble = error
    else:
        on_success(session().get_one(model, row_id))
    session().commit()
    return trouble


def fail(row: Leased, error: BaseException, lease: Lease = USUAL_LEASE) -> None:
    """Put a claimed row off for a growing pause, or give up after its last try."""
    row.last_error = f"{type(error).__name__}: {error}"[:500]
    if row.tries >= lease.max_tries:
        row.status = WorkStatus.FAILED
        return
    failures_before = max(row.tries - 1, 0)
    row.due_at = clock.now() + PAUSES[min(failures_before, len(PAUSES) - 1)]


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


def enqueue(kind: str, payload: dict[str, Any], *, at: datetime | None = None) -> Job:
    """Store a job in the running transaction, to be done at `at` (now when None).

    Raises KeyError for a kind that nobody does.
    """
    if kind not in job_kinds():
        raise KeyError(f"no such kind of job: {kind}")
    now = clock.now()
    job = Job(kind=kind, payload=payload, created_at=now, due_at=at or now)
    session().add(job)
    session().flush()
    return job


def run_due(limit: int = 10, *, kinds: Collection[str] | None = None) -> int:
    """Do what is due in the tenant in scope, one after another; returns how many were claimed.

    `kinds` are the names of those that are done, None for all. What the application has no kind for
    (a newer version stored it, say) is left as it is.
    """
    # A kind without a handler waits for a worker of the version that stored it.
    names = job_kinds().keys() if kinds is None else job_kinds().keys() & set(kinds)
    for count in range(limit):
        if _run_next(Job.kind.in_(sorted(names))) is None:
            return count
    return limit


def run(job_id: int) -> bool:
    """Do one job at once, for the command that stored it, unless a worker was quicker; whether it
    is done.
    """
    _run_next(Job.id == job_id)
    return session().get_one(Job, job_id).status == WorkStatus.DONE


def _run_next(*criteria: Criterion) -> int | None:
    """Claim a due job and do it; returns its id, None where there is none.

    The handler commits what it changes.
    """
    job = claim(Job, _lease_of, *criteria)
    session().commit()
    if job is None:
        return None
    # After the commit the row is expired, and the work goes on in other transactions.
    job_id = job.id
    kind = job_kinds()[job.kind]
    payload = dict(job.payload)

    def do() -> None:
        kind.handler(payload)

    trouble = attempt(job, do, kind.lease)
    if trouble is not None:
        log.error("job %s (%s) failed", job_id, kind.name, exc_info=trouble)
    return job_id


def _lease_of(job: Job) -> Lease:
    return job_kinds()[job.kind].lease


def count_unknown() -> dict[str, int]:
    """How many jobs of the tenant in scope wait that the application has no kind for, by kind."""
    waiting = select(Job.kind, func.count(Job.id).label("jobs")).where(
        Job.status == WorkStatus.WAITING, Job.kind.not_in(sorted(job_kinds()))
    )
    counts = session().execute(waiting.group_by(Job.kind).order_by(Job.kind))
    return {row.kind: row.jobs for row in counts}
