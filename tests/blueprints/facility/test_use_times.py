"""FAC-12: when a use began and ended, whenever an operator finds the time to record it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from click.testing import Result
from flask import Flask

from portal.blueprints.facility import booking, operations, queries
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.errors import RuleBroken

BEGIN, END = clock.local(2026, 12, 10, 13), clock.local(2026, 12, 10, 16)
DONE = ["--done", "切削", "--worker", "大森"]
REPORT = operations.WorkReport("切削", "大森")
Do = Callable[..., Result]


@pytest.fixture
def tenant(app: Flask) -> Tenant:
    """The facility brand."""
    found: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return found


@pytest.fixture
def number(inside, tenant, cast) -> str:
    """A confirmed reservation of 10 December, 13 to 16."""
    with inside("facility"):
        found = queries.any_reservation(cast.requested)
        booking.reschedule(tenant, found, BEGIN, END, by=SYSTEM)
        operations.confirm(tenant, found, by=SYSTEM)
        session().commit()
    return str(cast.requested)


@pytest.fixture
def do(run, number) -> Do:
    """Run a step of the reservation at an instant."""

    def command(at: datetime, step: str, *words: str) -> Result:
        with clock.freeze(at):
            result: Result = run.invoke(
                args=["facility", step, number, *words, "--tenant", "facility"]
            )
        return result

    return command


def times(inside, number: str) -> tuple[datetime, datetime, int]:
    """From when to when it was used, and how many minutes were worked."""
    with inside("facility"):
        found = queries.any_reservation(number)
        assert found.work_report is not None
        return found.began_at, found.ended_at, found.work_report["minutes"]


@pytest.mark.parametrize(
    ("started", "finished", "expected"),
    [
        pytest.param(BEGIN, END, (BEGIN, END, 180), id="punctual"),
        pytest.param(
            BEGIN + timedelta(days=2), END + timedelta(days=4), (BEGIN, END, 180), id="days later"
        ),
        pytest.param(
            BEGIN - timedelta(minutes=20),
            END - timedelta(minutes=61),
            (BEGIN - timedelta(minutes=20), END - timedelta(minutes=61), 139),
            id="early at both ends",
        ),
    ],
)
def test_a_use_has_the_booked_time_whenever_it_is_recorded(
    do: Do, inside, number, started, finished, expected
) -> None:
    """FAC-12: a desk types it days later; what is over early ended when it was said to be over."""
    assert do(started, "start").exit_code == 0
    assert do(finished, "finish", *DONE).exit_code == 0
    assert times(inside, number) == expected


def test_an_operator_names_when_it_was_used(do: Do, inside, number) -> None:
    """FAC-12, COM-74: an hour late and an hour longer, on every document; the trail keeps both."""
    later = END + timedelta(days=3)
    assert do(later, "start", "--at", "2026-12-10T14:00").exit_code == 0
    finish = [*DONE, "--minutes", "150", "--ended-at", "2026-12-10T17:00"]
    assert do(later, "finish", *finish).exit_code == 0
    hour = timedelta(hours=1)
    assert times(inside, number) == (BEGIN + hour, END + hour, 150)
    with inside("facility"):
        assert queries.any_reservation(number).traded_on == date(2026, 12, 10)


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["--ended-at", "2026-12-10T13:00"], "ご利用の開始日時（2026-12-10 13:00）より後"),
        (["--ended-at", "2026-12-09T13:00"], "終了日時（2026-12-09 13:00）"),
        (["--ended-at", "2026-12-12T10:01"], "2026-12-12 10:01はまだ先の日時です"),
        (["--minutes", "181"], "ご利用時間（2026-12-10 13:00から2026-12-10 16:00までの180分）"),
        (["--minutes", "121", "--ended-at", "2026-12-10T15:00"], "までの120分）"),
        (["--ended-at", "10.12."], "--ended-at"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_end_that_cannot_be_is_refused_and_nothing_is_kept(
    do: Do, inside, number, words: list[str], because: str
) -> None:
    """FAC-12: not before the beginning, not to come, and nobody works longer than the use took."""
    at = clock.local(2026, 12, 12, 10)
    assert do(at, "start").exit_code == 0
    refused = do(at, "finish", *DONE, *words)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert because in refused.stderr
    with inside("facility"):
        found = queries.any_reservation(number)
        assert (found.status.value, found.used_until) == ("in_use", None)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_beginning_is_not_to_come_and_needs_a_reason_before_the_day(
    do: Do, inside, number
) -> None:
    """FAC-12: `--at` is held to the day of use as the moment of recording is."""
    at = clock.local(2026, 12, 10, 13, 30)
    assert "まだ先の日時です" in do(at, "start", "--at", "2026-12-10T13:31").stderr
    early = ["--at", "2026-12-09T18:00"]
    assert "ご利用日より前" in do(at, "start", *early).stderr
    assert do(at, "start", *early, "--even-so", "前日から搬入").exit_code == 0
    with inside("facility"):
        assert queries.any_reservation(number).began_at == clock.local(2026, 12, 9, 18)


def test_a_use_that_ends_as_it_begins_takes_a_minute_of_work(inside, tenant, number) -> None:
    """FAC-12: a begun minute counts, and no duration is below zero."""
    with inside("facility"), clock.freeze(clock.local(2026, 12, 1, 9)):
        found = queries.any_reservation(number)
        operations.start(tenant, found, by=SYSTEM, even_so="試運転")
        with pytest.raises(RuleBroken) as refused:
            operations.finish(tenant, found, operations.WorkReport("切削", "大森", 2), by=SYSTEM)
        assert refused.value.field == "minutes"
        operations.finish(tenant, found, REPORT, by=SYSTEM)
        assert found.began_at == found.ended_at == clock.now()
        assert found.work_report is not None
        assert found.work_report["minutes"] == 1
