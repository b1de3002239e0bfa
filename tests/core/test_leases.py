"""COM-80: claims, leases and pauses, which keep work that a killed or failing worker began."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.core import clock, jobs
from portal.core.db import session
from portal.core.jobs import PAUSES, USUAL_LEASE, Job, Lease, WorkStatus
from tests.cast import NOW
from tests.support.job_kinds import do_nothing, job_kind

Inside = Callable[[str], Any]
SECOND = timedelta(seconds=1)
LEASE = USUAL_LEASE.lasts


@pytest.fixture
def add(app: Flask, inside: Inside) -> Iterator[Callable[..., int]]:
    """Store a job of "facility" and give its id; the test runs in that brand's scope."""

    def store(at: datetime = NOW, **values: Any) -> int:
        job = jobs.enqueue("leases.test", {}, at=at)
        for name, value in values.items():
            setattr(job, name, value)
        job_id = job.id
        session().commit()
        return job_id

    with job_kind(app, "leases.test", do_nothing), inside("facility"):
        yield store


def claimed(at: datetime = NOW, limit: int = 10, lease: Lease = USUAL_LEASE) -> list[int]:
    """What a worker gets at `at`, in its order."""
    found: list[int] = []
    with clock.freeze(at):
        while len(found) < limit and (job := jobs.claim(Job, lambda _job: lease)):
            found.append(job.id)
        session().commit()
    return found


def test_work_is_claimed_when_it_is_due_and_not_a_moment_before(add: Callable[..., int]) -> None:
    later = add(at=NOW + SECOND)
    assert claimed(NOW) == []
    assert claimed(NOW + SECOND - timedelta(microseconds=1)) == []
    assert claimed(NOW + SECOND) == [later]


def test_a_claimed_row_is_taken_over_when_its_lease_has_run_out_and_not_before(
    add: Callable[..., int],
) -> None:
    """A killed worker never settles what it claimed."""
    only = add()
    assert claimed(NOW) == [only]
    assert claimed(NOW) == []
    assert claimed(NOW + LEASE - timedelta(microseconds=1)) == []
    assert claimed(NOW + LEASE) == [only]
    assert claimed(NOW + LEASE) == []
    assert session().get_one(Job, only).tries == 2


def test_the_oldest_due_row_comes_first_and_no_more_than_asked_for(add: Callable[..., int]) -> None:
    young, old, middle = (add(at=NOW - timedelta(minutes=m)) for m in (1, 3, 2))
    twin = add(at=NOW - timedelta(minutes=2))
    assert claimed(limit=3) == [old, middle, twin]
    assert claimed(limit=3) == [young]


@pytest.mark.parametrize("status", [WorkStatus.DONE, WorkStatus.FAILED])
def test_what_is_settled_is_never_claimed_again(
    add: Callable[..., int], status: WorkStatus
) -> None:
    add(status=status)
    assert claimed(NOW + timedelta(days=365)) == []


def test_a_claim_that_was_not_committed_is_no_claim(add: Callable[..., int]) -> None:
    only = add()
    job = jobs.claim(Job, lambda _job: USUAL_LEASE)
    assert job is not None
    assert job.id == only
    session().rollback()
    assert session().get_one(Job, only).tries == 0
    assert claimed() == [only]


def test_com_02_another_brands_work_is_not_claimed(add: Callable[..., int], inside: Inside) -> None:
    """COM-02"""
    add()
    with inside("studio"):
        assert claimed() == []


def test_the_pause_after_each_failure_grows(add: Callable[..., int]) -> None:
    only, at = add(), NOW
    for tries, seconds in enumerate([10, 60, 300, 1800, 7200, 21600, 43200], start=1):
        assert claimed(at) == [only]
        with clock.freeze(at):
            jobs.fail(session().get_one(Job, only), OSError("down"))
            session().commit()
        at += timedelta(seconds=seconds)
        assert claimed(at - timedelta(microseconds=1)) == []
        job = session().get_one(Job, only)
        assert (job.status, job.last_error, job.tries) == (
            WorkStatus.WAITING,
            "OSError: down",
            tries,
        )
    assert claimed(at) == [only]


def test_after_the_last_pause_work_is_given_up_and_stays_to_be_seen(
    add: Callable[..., int],
) -> None:
    only, at, rounds = add(), NOW, 0
    while claimed(at):
        rounds += 1
        with clock.freeze(at):
            jobs.fail(session().get_one(Job, only), OSError(f"down {rounds}"))
            session().commit()
        at += PAUSES[-1]
    job = session().get_one(Job, only)
    assert (job.status, job.last_error, rounds) == (
        WorkStatus.FAILED,
        "OSError: down 8",
        len(PAUSES) + 1,
    )
    assert job.done_at is None


def test_work_that_kills_every_worker_is_given_up_too(add: Callable[..., int]) -> None:
    """No worker lives to say that it failed; the claim counts the tries and ends it."""
    only, at = add(), NOW
    for _ in range(len(PAUSES) + 1):
        assert claimed(at) == [only]
        at += LEASE
    assert claimed(at) == []
    job = session().get_one(Job, only)
    assert job.status is WorkStatus.FAILED
    assert "lease" in job.last_error


def test_work_that_failed_before_anybody_claimed_it_pauses_shortest(
    add: Callable[..., int],
) -> None:
    """A command does its own job at once, without a claim."""
    job = session().get_one(Job, add())
    jobs.fail(job, OSError("down"))
    assert (job.status, job.due_at) == (WorkStatus.WAITING, NOW + PAUSES[0])


def test_a_long_error_is_cut_to_what_its_column_holds(add: Callable[..., int]) -> None:
    only = add()
    jobs.fail(session().get_one(Job, only), ValueError("長" * 900))
    session().commit()
    assert session().get_one(Job, only).last_error == ("ValueError: " + "長" * 900)[:500]


def test_success_says_when_and_forgets_the_error(add: Callable[..., int]) -> None:
    only = add(last_error="OSError: down")
    assert claimed() == [only]
    jobs.succeed(session().get_one(Job, only))
    session().commit()
    job = session().scalars(select(Job)).one()
    assert (job.status, job.done_at, job.last_error) == (WorkStatus.DONE, NOW, "")


def test_ops_14_a_retry_gives_a_whole_new_round_at_once(add: Callable[..., int]) -> None:
    """OPS-14"""
    only = add(status=WorkStatus.FAILED, tries=len(PAUSES) + 1, at=NOW + timedelta(days=1))
    jobs.retry(session().get_one(Job, only))
    session().commit()
    assert claimed() == [only]
    assert session().get_one(Job, only).tries == 1


def test_more_tries_than_pauses_go_on_after_the_longest_pause(add: Callable[..., int]) -> None:
    """COM-80: a kind may be tried as often as it says."""
    lease = Lease(SECOND, max_tries=len(PAUSES) + 3)
    job = session().get_one(Job, add())
    job.tries = len(PAUSES) + 2
    jobs.fail(job, OSError("down"), lease)
    assert (job.status, job.due_at) == (WorkStatus.WAITING, NOW + PAUSES[-1])
    job.tries = lease.max_tries
    jobs.fail(job, OSError("down"), lease)
    assert job.status is WorkStatus.FAILED
