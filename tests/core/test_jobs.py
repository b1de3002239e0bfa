"""COM-80, OPS-14: work for later is stored with its cause, done once, repeated after a failure or a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import NoResultFound

from portal.blueprints.facility import operations, queries
from portal.core import clock, jobs
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session, tenant_scope
from portal.core.jobs import PAUSES, USUAL_LEASE, Job, Lease, WorkStatus
from portal.shared.accounts.models import Account
from portal.shared.documents import operations as documents
from portal.shared.documents.models import Document
from tests.cast import CANARY, NOW, Cast
from tests.support.job_kinds import job_kind

Inside = Callable[[str], Any]
done: list[dict[str, Any]] = []
trouble: list[BaseException] = []


class Killed(BaseException):
    """The process is gone in the middle of its work: nothing after this line of it runs."""


def _rename(payload: dict[str, Any]) -> None:
    """Changes something, then fails if there is trouble, else commits."""
    account = session().scalars(select(Account).order_by(Account.id).limit(1)).one()
    account.building = payload["name"]
    session().flush()
    if trouble:
        raise trouble.pop(0)
    session().commit()
    done.append(payload)


@pytest.fixture(autouse=True)
def _kind(app: Flask) -> Iterator[None]:
    with job_kind(app, "jobs.test", _rename):
        yield
    done.clear()
    trouble.clear()


@pytest.fixture
def here(inside: Inside) -> Iterator[None]:
    with inside("facility"):
        yield


def add(name: str = "一", **options: Any) -> int:
    job_id = jobs.enqueue("jobs.test", {"name": name}, **options).id
    session().commit()
    return job_id


def building() -> str:
    return str(session().scalars(select(Account.building).order_by(Account.id).limit(1)).one())


def test_a_kind_that_nobody_does_is_refused_when_it_is_asked_for(here: None) -> None:
    with pytest.raises(KeyError, match="nobody"):
        jobs.enqueue("nobody.does_this", {})
    assert session().scalar(select(func.count(Job.id))) == 0


def test_what_is_rolled_back_asks_for_no_work(here: None) -> None:
    jobs.enqueue("jobs.test", {"name": "一"})
    session().rollback()
    assert jobs.run_due() == 0


def test_a_job_is_done_once_with_what_it_was_given(here: None) -> None:
    only = add()
    assert [jobs.run_due(), jobs.run_due()] == [1, 0]
    assert done == [{"name": "一"}]
    assert building() == "一"
    job = session().get_one(Job, only)
    assert (job.status, job.tries, job.done_at) == (WorkStatus.DONE, 1, NOW)


def test_a_job_for_later_waits_for_its_hour(here: None) -> None:
    add(at=NOW + timedelta(hours=1))
    assert jobs.run_due() == 0
    with clock.freeze(NOW + timedelta(hours=1)):
        assert jobs.run_due() == 1


def test_no_more_than_the_limit_is_done_at_a_time(here: None) -> None:
    for name in "一二三":
        add(name)
    assert [jobs.run_due(limit=2), jobs.run_due(limit=2)] == [2, 1]
    assert [payload["name"] for payload in done] == ["一", "二", "三"]


def test_a_failure_leaves_nothing_half_done_is_kept_and_repeated(
    here: None, caplog: pytest.LogCaptureFixture
) -> None:
    only = add()
    trouble.append(ValueError("no paper"))
    assert jobs.run_due() == 1
    assert building() == ""
    job = session().get_one(Job, only)
    assert (job.status, job.last_error, job.due_at) == (
        WorkStatus.WAITING,
        "ValueError: no paper",
        NOW + PAUSES[0],
    )
    assert "jobs.test" in caplog.text
    session().rollback()
    with clock.freeze(NOW + PAUSES[0]):
        assert jobs.run_due() == 1
    session().expire_all()
    job = session().get_one(Job, only)
    assert (job.status, job.last_error, job.tries, building()) == (WorkStatus.DONE, "", 2, "一")


def test_one_failure_never_stops_the_rest(here: None) -> None:
    add("一")
    add("二")
    trouble.append(ValueError("no paper"))
    assert jobs.run_due() == 2
    assert [payload["name"] for payload in done] == ["二"]


def test_a_job_killed_in_the_middle_is_done_again_after_its_lease(here: None) -> None:
    only = add()
    trouble.append(Killed())
    with pytest.raises(Killed):
        jobs.run_due()
    session().rollback()
    assert building() == ""
    session().rollback()
    with clock.freeze(NOW + USUAL_LEASE.lasts - timedelta(seconds=1)):
        assert jobs.run_due() == 0
    with clock.freeze(NOW + USUAL_LEASE.lasts):
        assert jobs.run_due() == 1
    assert (session().get_one(Job, only).status, building()) == (WorkStatus.DONE, "一")


def test_a_job_that_never_succeeds_is_given_up_and_kept(here: None) -> None:
    only, at = add(), NOW
    for _ in range(len(PAUSES) + 1):
        trouble.append(ValueError("no paper"))
        with clock.freeze(at):
            assert jobs.run_due() == 1
        at += PAUSES[-1]
    with clock.freeze(at):
        assert jobs.run_due() == 0
    job = session().get_one(Job, only)
    assert (job.status, job.last_error) == (WorkStatus.FAILED, "ValueError: no paper")


def test_a_command_does_its_own_job_at_once_and_says_how_it_went(here: None) -> None:
    """A failure there is the worker's next, after the shortest pause."""
    trouble.append(ValueError("no paper"))
    only = add()
    assert jobs.run(only) is False
    assert session().get_one(Job, only).due_at == NOW + PAUSES[0]
    assert jobs.run(add("二")) is True


def test_com_02_a_job_runs_in_its_own_brand_only(inside: Inside) -> None:
    """COM-02"""
    with inside("facility"):
        theirs = add(CANARY["facility"])
    with inside("studio"):
        assert jobs.run_due() == 0
        with pytest.raises(NoResultFound):
            jobs.run(theirs)
        assert building() == ""
    with inside("facility"):
        assert jobs.run_due() == 1
        assert building() == CANARY["facility"]


def test_com_72_a_document_drawn_twice_keeps_its_first_bytes(app: Flask, here: None) -> None:
    """COM-72: a worker that was killed after drawing has it drawn again; nothing changes."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    operations.issue(tenant, queries.any_reservation(Cast.billed), by=SYSTEM)
    session().commit()
    assert jobs.run_due(limit=1) == 1
    first = session().scalars(select(Document).where(Document.sha256 != "")).one()
    before = (first.id, first.sha256, first.drawn_at)
    documents.draw({"document": before[0]})
    again = session().get_one(Document, before[0])
    assert (again.id, again.sha256, again.drawn_at) == before
    drawn = select(func.count(AuditEvent.id)).where(AuditEvent.action == "document.draw")
    assert session().scalar(drawn) == 1


def test_each_kind_has_a_lease_and_a_number_of_tries_of_its_own(app: Flask, here: None) -> None:
    """COM-80: a drawing that takes minutes is not begun twice, a short one is not waited for."""
    slow = Lease(timedelta(minutes=10), max_tries=2)
    with job_kind(app, "jobs.slow", _rename, slow):
        job = jobs.enqueue("jobs.slow", {"name": "一"})
        only = job.id
        session().commit()
        trouble.extend([Killed(), ValueError("no paper")])
        with pytest.raises(Killed):
            jobs.run_due()
        session().rollback()
        with clock.freeze(NOW + slow.lasts - timedelta(seconds=1)):
            assert jobs.run_due() == 0
        with clock.freeze(NOW + slow.lasts):
            assert jobs.run_due() == 1
        job = session().get_one(Job, only)
        assert (job.status, job.tries) == (WorkStatus.FAILED, 2)


def test_what_is_being_done_holds_no_other_job_back(app: Flask, here: None) -> None:
    """COM-80: one job is claimed at a time, so a second worker takes those behind a slow one."""
    met: list[list[str]] = []

    def meet(_payload: dict[str, Any]) -> None:
        done.clear()
        with tenant_scope("facility"):
            jobs.run_due()
            met.append([payload["name"] for payload in done])

    with job_kind(app, "jobs.slow", meet):
        jobs.enqueue("jobs.slow", {})
        add("二")
        add("三")
        assert jobs.run_due() == 1
    assert met == [["二", "三"]]


def test_only_the_kinds_that_are_asked_for_are_done(app: Flask, here: None) -> None:
    """COM-80: others wait for a worker of theirs."""
    with job_kind(app, "jobs.other", _rename):
        other = jobs.enqueue("jobs.other", {"name": "別"}).id
        add("一")
        assert jobs.run_due(kinds=["jobs.test", "jobs.unheard-of"]) == 1
        assert jobs.run_due(kinds=[]) == 0
        assert session().get_one(Job, other).tries == 0
        session().rollback()
        assert jobs.run_due(kinds=["jobs.other"]) == 1
    assert [payload["name"] for payload in done] == ["一", "別"]


def test_a_job_of_an_unknown_kind_is_left_as_it_is_and_counted(app: Flask, here: None) -> None:
    """COM-80, OPS-15: a newer version stored it; when that is back it is done."""
    with job_kind(app, "jobs.newer", _rename):
        newer = jobs.enqueue("jobs.newer", {"name": "新"}).id
        session().commit()
    add("一")
    assert jobs.run_due() == 1
    job = session().get_one(Job, newer)
    assert (job.status, job.tries, job.due_at) == (WorkStatus.WAITING, 0, NOW)
    assert jobs.count_unknown() == {"jobs.newer": 1}
    session().rollback()
    with job_kind(app, "jobs.newer", _rename):
        assert jobs.count_unknown() == {}
        assert jobs.run_due() == 1


def test_whoever_was_slower_than_its_lease_has_no_say_any_more(app: Flask, here: None) -> None:
    """COM-80: its failure does not undo what the next worker did."""

    def dawdle(_payload: dict[str, Any]) -> None:
        if done:
            return
        done.append({})
        with clock.freeze(NOW + USUAL_LEASE.lasts), tenant_scope("facility"):
            assert jobs.run_due() == 1
        raise OSError("too late")

    with job_kind(app, "jobs.slow", dawdle):
        only = jobs.enqueue("jobs.slow", {}).id
        session().commit()
        assert jobs.run_due() == 1
    job = session().get_one(Job, only)
    assert (job.status, job.last_error) == (WorkStatus.DONE, "")


def test_a_command_leaves_a_job_to_the_worker_that_was_quicker(here: None) -> None:
    """COM-80: nothing is done twice at the same moment."""
    only = add()
    assert jobs.claim(Job, lambda _job: USUAL_LEASE) is not None
    session().commit()
    assert jobs.run(only) is False
    assert done == []


def test_two_kinds_of_one_name_are_refused() -> None:
    """COM-80: one of them would never be done."""
    kind = jobs.JobKind("twice", _rename)
    assert jobs.JobKinds([kind]) == {"twice": kind}
    with pytest.raises(ValueError, match="twice"):
        jobs.JobKinds([kind, kind])
