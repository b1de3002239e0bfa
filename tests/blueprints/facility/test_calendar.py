"""FAC-11: the iCalendar feed, read by a parser that others wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import pytest
from flask import Flask
from icalendar import Calendar
from sqlalchemy import select, update

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Reservation, Status
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared import calendars
from portal.shared.accounts.models import Account, AccountStatus, Member, MemberStatus
from tests.cast import CANARY, NOW

ODD = '試作、"A"; B, C\\D 𠮷野家\r\nの加工機' + "あ" * 40


@pytest.fixture
def href(visit) -> str:
    """The address that the page gave to the representative, as a path."""
    page = visit("facility", "hanako").post("/calendar")
    found = re.search(
        r'value="http://facility\.localhost(/calendar/facility/[\w-]{43}\.ics)"', page.text
    )
    assert found, page.text
    return found[1]


def events(answer: Any) -> dict[str, Any]:
    """The feed's events by reservation number."""
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar")
    parsed = Calendar.from_ical(answer.data)
    assert str(parsed["X-WR-CALNAME"]) == "試験設備"
    return {str(event["UID"]).partition("@")[0]: event for event in parsed.walk("VEVENT")}


def test_the_accounts_reservations_are_there_each_with_its_state(visit, href, cast, inside):
    """FAC-11: times, names, tentative while requested, cancelled ones marked, nobody else's."""
    with inside("facility"):
        queries.any_reservation(cast.billed).facility_name = ODD
        session().commit()
    found = events(visit("facility").get(href))
    assert set(found) == {cast.requested, cast.billed, cast.cancelled}
    assert {number: str(event["STATUS"]) for number, event in found.items()} == {
        cast.requested: "TENTATIVE",
        cast.billed: "CONFIRMED",
        cast.cancelled: "CANCELLED",
    }
    event = found[cast.billed]
    assert event.start == (NOW - timedelta(days=30, hours=-4)).astimezone(UTC)
    assert event.end - event.start == timedelta(hours=3)
    assert str(event["SUMMARY"]) == ODD.replace("\r\n", "\n")
    assert str(event["DESCRIPTION"]) == f"予約番号 {cast.billed}（請求確定）"
    assert [found[number]["SEQUENCE"] for number in sorted(found)] == [0, 4, 1]
    assert CANARY["studio"] not in visit("facility").get(href).text


def test_lines_are_folded_as_the_standard_says(visit, href, cast, inside):
    """RFC 5545, 3.1: at most 75 octets, CRLF, no character cut in two."""
    with inside("facility"):
        queries.any_reservation(cast.billed).facility_name = ODD
        session().commit()
    lines = visit("facility").get(href).data.split(b"\r\n")
    assert lines[-1] == b""
    assert max(map(len, lines)) <= 75
    assert b"\n" not in b"".join(lines)
    assert all(line.decode("utf-8") or line == b"" for line in lines[:-1])


def test_it_goes_two_years_back(visit, href, cast, inside):
    """FAC-11: what ended two years ago is there, what ended a month before that is not."""
    for days, there in ((2 * 365, True), (2 * 366 + 30, False)):
        with inside("facility"):
            old = queries.any_reservation(cast.requested)
            old.starts_at = NOW - timedelta(days=days, hours=2)
            old.ends_at, old.held_until = NOW - timedelta(days=days), None
            session().commit()
        assert (cast.requested in events(visit("facility").get(href))) is there


def test_unchanged_it_answers_304_and_a_change_is_seen(app: Flask, visit, href, cast, inside):
    """FAC-11: by ETag; an hour later the bytes are the same."""
    page = visit("facility")
    first = page.get(href)
    tag = first.headers["ETag"]
    with clock.freeze(NOW + timedelta(hours=1)):
        again = page.get(href, headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
        assert page.get(href).data == first.data
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        operations.confirm(tenant, queries.any_reservation(cast.requested), by=SYSTEM)
        session().commit()
    changed = page.get(href, headers={"If-None-Match": tag})
    assert str(events(changed)[cast.requested]["STATUS"]) == "CONFIRMED"


def test_the_address_can_be_renewed_and_taken_back(visit, href):
    """FAC-11: an old address is a 404 like any made-up one; the page shows an address once."""
    owner, anybody = visit("facility", "hanako"), visit("facility")
    shown = owner.get("/calendar").text
    assert "アドレスは発行済みです" in shown
    assert ".ics" not in shown
    renewed = re.search(r"/calendar/facility/[\w-]{43}\.ics", owner.post("/calendar").text)
    assert renewed
    assert anybody.get(href).status_code == 404
    assert anybody.get(renewed[0]).status_code == 200
    assert owner.post("/calendar/removal", page="/calendar").status_code == 303
    assert anybody.get(renewed[0]).status_code == 404
    assert "アドレスを発行する" in owner.get("/calendar").text
    assert visit("studio").get(href).status_code == 404
    assert anybody.get("/calendar/" + "0" * 43 + ".ics").status_code == 404


@pytest.mark.parametrize(
    "end",
    [
        lambda: (
            update(Member).where(Member.login_id == "hanako").values(status=MemberStatus.LOCKED)
        ),
        lambda: (
            update(Member).where(Member.login_id == "hanako").values(status=MemberStatus.REMOVED)
        ),
        lambda: (
            update(Account)
            .where(Account.number == "C000001")
            .values(status=AccountStatus.WITHDRAWN)
        ),
    ],
    ids=["locked", "removed", "withdrawn"],
)
def test_who_may_not_sign_in_has_no_calendar(visit, href, inside, end: Callable[[], Any]):
    """FAC-11: the address dies with the member's right."""
    assert visit("facility").get(href).status_code == 200
    with inside("facility"):
        session().execute(end().execution_options(synchronize_session=False))
        session().commit()
    assert visit("facility").get(href).status_code == 404


def test_every_status_has_a_word_that_calendars_know(app: Flask, inside, cast):
    """RFC 5545, 3.8.1.11: only three words there are."""
    with inside("facility"):
        found = (
            session().scalars(select(Reservation).where(Reservation.number == cast.requested)).one()
        )
        for status in Status:
            found.status = status
            events = [queries.calendar_event(found)]
            feed = calendars.write_calendar("試験", events, "x.example", "reservations")
            (event,) = Calendar.from_ical(feed).walk("VEVENT")
            assert str(event["STATUS"]) in {"TENTATIVE", "CONFIRMED", "CANCELLED"}
        session().rollback()


def test_a_calendar_that_asks_at_the_address_of_before_still_gets_its_events(visit, href, cast):
    """FAC-11: feeds are subscribed to for years; theirs had no module in its address then."""
    old = href.replace("/calendar/facility/", "/calendar/")
    assert set(events(visit("facility").get(old))) == set(events(visit("facility").get(href)))


def test_a_feed_of_a_module_that_has_none_is_not_there(visit, href):
    """FAC-11, COM-03"""
    assert visit("facility").get(href.replace("/facility/", "/support/")).status_code == 404
    assert visit("desk").get(href).status_code == 404
