"""COM-80: workers that run together send each mail once; workers that are killed at any moment lose none."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select, update

from portal.core import clock, jobs, outbox
from portal.core.db import session, tenant_scope
from portal.core.jobs import USUAL_LEASE, Job, WorkStatus
from portal.core.outbox import LEASE, OutboxMail
from portal.settings import Settings
from tests.races.processes import BIN, begin, environment, kill, killed_at_the_end
from tests.support.job_kinds import do_nothing, job_kind
from tests.support.smtp import SmtpServer

Inside = Callable[[str], Any]
pytestmark = pytest.mark.races
WORKER = [str(BIN / "flask"), "worker", "--pause", "0.05"]
_KILLS = 3


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def settings(
    database_url: str, make_settings: Callable[..., Settings], tmp_path: Path, smtp: SmtpServer
) -> Settings:
    return make_settings(database_url, home=tmp_path / "home", smtp_url=smtp.url)


@pytest.fixture
def stored(app: Flask) -> Callable[[int], set[str]]:
    """Store that many mails in each twin brand, due now by the real clock; their Message-IDs."""

    def store(count: int) -> set[str]:
        ids = set()
        for key in ("facility", "studio"):
            with app.app_context(), tenant_scope(key), clock.freeze(datetime.now(UTC)):
                session().execute(update(OutboxMail).values(status=WorkStatus.DONE))
                for turn in range(count):
                    mail = outbox.enqueue(
                        "race",
                        sender=f"noreply@{key}.example",
                        sender_name="試験",
                        recipient=f"reader{turn}@{key}.example",
                        subject=f"{turn}",
                        body="本文",
                        html="<p>本文</p>",
                    )
                    ids.add(mail.message_id)
                session().commit()
        return ids

    return store


def left(inside: Inside) -> int:
    """How many mails are not sent yet, in both brands."""
    count = 0
    for key in ("facility", "studio"):
        with inside(key):
            unsent = select(func.count(OutboxMail.id)).where(OutboxMail.status != WorkStatus.DONE)
            count += session().scalar(unsent) or 0
    return count


def received(smtp: SmtpServer) -> Counter[str]:
    """How often each mail came, by Message-ID."""
    return Counter(str(mail["Message-ID"]) for mail in smtp.messages)


@pytest.mark.slow
def test_three_workers_at_once_send_each_mail_exactly_once(
    settings: Settings, stored: Callable[[int], set[str]], smtp: SmtpServer, inside: Inside
) -> None:
    ids = stored(80)
    with killed_at_the_end(
        [WORKER] * 3, environment(settings, PORTAL_SMTP_URL=smtp.url)
    ) as workers:
        smtp.wait_for(len(ids), 60)
        deadline = time.monotonic() + 60
        while left(inside) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert all(worker.poll() is None for worker in workers)
    assert received(smtp) == Counter(ids)
    assert left(inside) == 0


@pytest.mark.slow
def test_workers_killed_at_random_moments_lose_no_mail(
    app: Flask,
    settings: Settings,
    stored: Callable[[int], set[str]],
    smtp: SmtpServer,
    inside: Inside,
    run: FlaskCliRunner,
) -> None:
    """What they had claimed is sent by another when its lease is over: at least once, under the same Message-ID."""
    ids, chance = stored(120), random.Random(80)
    env = environment(settings, PORTAL_SMTP_URL=smtp.url)
    workers = [begin(WORKER, env) for _ in range(_KILLS)]
    try:
        for worker in list(workers):
            smtp.wait_for(len(smtp.messages) + 10, 30)
            time.sleep(chance.uniform(0, 0.1))
            assert worker.poll() is None
            kill(workers.pop(0))
    finally:
        for worker in workers:
            kill(worker)
    assert left(inside) > 0
    with clock.freeze(datetime.now(UTC) + LEASE.lasts + timedelta(seconds=1)):
        while left(inside):
            assert run.invoke(args=["worker", "--once"]).exit_code == 0
    times = received(smtp)
    assert set(times) == ids
    assert sum(times.values()) - len(ids) <= _KILLS
    for mail in smtp.messages:
        assert str(mail["From"].addresses[0].domain) == mail["To"].addresses[0].domain


def test_many_workers_claim_every_row_exactly_once(
    app: Flask, together: Callable[..., list[Any]], inside: Inside
) -> None:
    """A claim is one short transaction; nobody waits for another's rows on PostgreSQL, nobody shares them on either."""
    with job_kind(app, "races.test", do_nothing), inside("facility"):
        wanted = sorted(jobs.enqueue("races.test", {"turn": turn}).id for turn in range(60))
        session().commit()

    def take(_turn: int) -> list[int]:
        taken: list[int] = []
        with clock.freeze(datetime(2030, 1, 1, tzinfo=UTC)):
            while True:
                job = jobs.claim(Job, lambda _job: USUAL_LEASE)
                session().commit()
                if job is None:
                    return taken
                taken.append(job.id)

    results = together(6, take)
    assert sorted(job_id for taken in results for job_id in taken) == wanted
