"""COM-80: workers of one kind or of all, in processes of their own, some of them killed."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.core import clock, jobs
from portal.core.db import session, tenant_scope
from portal.core.jobs import Job, JobKinds, WorkStatus
from portal.settings import Settings
from tests.races.job_worker import QUICK, SLOW, SLOW_LEASE, kinds, read_begun
from tests.races.processes import begin, environment, kill, killed_at_the_end

pytestmark = [pytest.mark.races, pytest.mark.slow]
BRANDS = ("facility", "studio")


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The file in which the workers write down what they begin."""
    return tmp_path / "begun"


@pytest.fixture
def store(app: Flask, begun: Path) -> Iterator[Callable[[str, int], list[int]]]:
    """Store that many jobs of a kind in each brand, due now by the real clock; the ids."""
    app.extensions["services"][JobKinds].update({kind.name: kind for kind in kinds(begun)})

    def add(kind: str, count: int) -> list[int]:
        ids = []
        for place, key in enumerate(BRANDS):
            with app.app_context(), tenant_scope(key), clock.freeze(datetime.now(UTC)):
                for number in range(count):
                    payload = {"number": place * count + number}
                    ids.append(jobs.enqueue(kind, payload).id)
                session().commit()
        return ids

    yield add
    for kind in (QUICK, SLOW):
        del app.extensions["services"][JobKinds][kind]


@pytest.fixture
def count(inside: Callable[[str], Any]) -> Callable[[str, WorkStatus], int]:
    """How many jobs of a kind stand so, in both brands."""

    def ask(kind: str, status: WorkStatus) -> int:
        found = 0
        for key in BRANDS:
            with inside(key):
                these = select(func.count(Job.id)).where(Job.kind == kind, Job.status == status)
                found += session().scalar(these) or 0
        return found

    return ask


@contextmanager
def workers(settings: Settings, begun: Path, *of: tuple[str, ...]) -> Iterator[None]:
    """A worker for each of these kinds, killed at the end."""
    with killed_at_the_end([command(begun, *kinds) for kinds in of], environment(settings)):
        yield


def command(begun: Path, *kinds: str) -> list[str]:
    words = [word for kind in kinds for word in ("--kind", kind)]
    return [sys.executable, "-m", "tests.races.job_worker", str(begun), *words]


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def test_two_workers_never_do_one_job_twice(
    settings: Settings,
    store: Callable[[str, int], list[int]],
    count: Callable[[str, WorkStatus], int],
    begun: Path,
) -> None:
    ids = store(QUICK, 60)
    with workers(settings, begun, (QUICK,), (QUICK, SLOW)):
        wait_until(lambda: count(QUICK, WorkStatus.DONE) == len(ids))
    numbers = Counter(number for _kind, number, _process, _at in read_begun(begun))
    assert numbers == Counter(range(len(ids)))
    assert len({process for _kind, _number, process, _at in read_begun(begun)}) == 2


def test_a_killed_workers_job_is_taken_after_its_kinds_lease_and_not_before(
    settings: Settings,
    store: Callable[[str, int], list[int]],
    count: Callable[[str, WorkStatus], int],
    inside: Callable[[str], Any],
    begun: Path,
) -> None:
    """What waits behind it is done meanwhile."""
    store(QUICK, 3)
    only = store(SLOW, 1)[0]
    first = begin(command(begun, SLOW), environment(settings))
    try:
        wait_until(lambda: len(read_begun(begun)) == 1)
    finally:
        kill(first)
    with inside("facility"):
        lease_ends = session().get_one(Job, only).due_at.timestamp()
    with workers(settings, begun, (SLOW, QUICK)):
        wait_until(lambda: count(SLOW, WorkStatus.DONE) == 2)
        wait_until(lambda: count(QUICK, WorkStatus.DONE) == 6)
    of_slow = [(number, at) for kind, number, _process, at in read_begun(begun) if kind == SLOW]
    again = [at for number, at in of_slow if number == 0][1]
    assert lease_ends - of_slow[0][1] <= SLOW_LEASE.lasts.total_seconds()
    assert again >= lease_ends
    beside = [at for kind, number, _pid, at in read_begun(begun) if kind == QUICK and number < 3]
    assert len(beside) == 3
    assert max(beside) < again


def test_a_worker_of_one_kind_leaves_the_others_alone(
    settings: Settings,
    store: Callable[[str, int], list[int]],
    count: Callable[[str, WorkStatus], int],
    begun: Path,
) -> None:
    store(SLOW, 2)
    store(QUICK, 5)
    drawings = count("documents.draw", WorkStatus.WAITING)
    with workers(settings, begun, (QUICK,)):
        wait_until(lambda: count(QUICK, WorkStatus.DONE) == 10)
        time.sleep(0.5)
    assert {kind for kind, *_rest in read_begun(begun)} == {QUICK}
    assert count(SLOW, WorkStatus.WAITING) == 4
    assert count("documents.draw", WorkStatus.WAITING) == drawings
