"""The one mover of states: by the table, conditionally, with its audit row (STYLE §6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import func, select, update

from portal.blueprints.facility.models import MOVES, Reservation, Status
from portal.core import states
from portal.core.actor import Actor, operator
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import RuleBroken, Stale
from portal.tenancy.scope import TenantError
from tests.cast import NOW, Cast

BY = operator("監督")
Inside = Callable[[str], Any]
EDGES = {(present, to) for present, ways in MOVES.items() for to in ways}


class Light(StrEnum):
    GREEN = "green"
    RED = "red"


def reservation(number: str = Cast.requested) -> Reservation:
    return session().scalars(select(Reservation).where(Reservation.number == number)).one()


def events(subject: str) -> list[AuditEvent]:
    found = select(AuditEvent).where(AuditEvent.subject == subject, AuditEvent.actor_name == "監督")
    return list(session().scalars(found.order_by(AuditEvent.sequence)))


def test_the_table_of_moves_says_something_of_every_state() -> None:
    """FAC-10: no state was forgotten, none leads to itself, and each can be reached from the first."""
    assert set(MOVES) == set(Status)
    assert not any(present is to for present, to in EDGES)
    reached = {Status.REQUESTED}
    while further := {to for present, to in EDGES if present in reached} - reached:
        reached |= further
    assert reached == set(Status)


@pytest.mark.parametrize(
    ("moves", "present", "to", "answer"),
    [
        ({Light.GREEN: frozenset({Light.RED})}, Light.GREEN, Light.RED, True),
        ({Light.GREEN: frozenset({Light.RED})}, Light.RED, Light.GREEN, False),
        ({Light.GREEN: frozenset({Light.RED})}, Light.GREEN, Light.GREEN, False),
        ({}, Light.GREEN, Light.RED, False),
    ],
)
def test_a_move_that_the_table_does_not_name_is_none(
    moves: Mapping[Light, frozenset[Light]], present: Light, to: Light, answer: bool
) -> None:
    assert states.allowed(moves, present, to) is answer


def test_every_pair_of_states_is_moved_or_refused_as_the_table_says(inside: Inside) -> None:
    """FAC-10: all 49 pairs; a refusal tells its reason and leaves neither change nor event."""
    with inside("facility"):
        row = reservation()
        for present in Status:
            for to in Status:
                session().execute(
                    update(Reservation).where(Reservation.id == row.id).values(status=present)
                )
                session().refresh(row)
                seen = len(events(row.subject))
                if (present, to) in EDGES:
                    states.move(row, to, MOVES, by=BY)
                    assert events(row.subject)[-1].changes == {"status": [present.value, to.value]}
                else:
                    with pytest.raises(
                        RuleBroken, match="現在の状態では、この操作はできません"
                    ) as refused:
                        states.move(row, to, MOVES, by=BY)
                    assert not isinstance(refused.value, Stale)
                    assert len(events(row.subject)) == seen
                assert row.status is (to if (present, to) in EDGES else present)


def test_a_move_sets_what_goes_with_it_and_says_so_in_the_trail(inside: Inside) -> None:
    """COM-90: who, when, from which state to which, for which account."""
    by = Actor("operator", "監督", address="203.0.113.9")
    with inside("facility"):
        row = reservation()
        states.move(row, Status.CONFIRMED, MOVES, by=by, confirmed_at=NOW)
        session().commit()
        assert (reservation().status, reservation().confirmed_at) == (Status.CONFIRMED, NOW)
        (event,) = events(row.subject)
        assert (event.action, event.account_id) == ("reservation.confirmed", row.account_id)
        assert (event.address, event.at) == ("203.0.113.9", NOW)
        assert event.changes == {"status": ["requested", "confirmed"], "confirmed_at": str(NOW)}


def test_only_the_row_itself_moves(inside: Inside) -> None:
    """The other reservations stand where they stood, also the twin brand's of the same place."""

    def all_others() -> list[tuple[str, Status]]:
        found = select(Reservation.number, Reservation.status).order_by(Reservation.number)
        return [
            (number, status)
            for number, status in session().execute(found)
            if number != Cast.requested
        ]

    with inside("studio"):
        twins = all_others()
    with inside("facility"):
        others = all_others()
        states.move(reservation(), Status.CANCELLED, MOVES, by=BY)
        session().commit()
        assert all_others() == others
    with inside("studio"):
        assert all_others() == twins


def test_who_comes_second_with_an_old_page_is_told(inside: Inside) -> None:
    """COM-26: somebody else moved the row after it was read; the second move changes nothing."""
    with inside("facility"):
        row = reservation()
        statement = (
            update(Reservation).where(Reservation.id == row.id).values(status=Status.CANCELLED)
        )
        session().execute(statement, execution_options={"synchronize_session": False})
        assert row.status is Status.REQUESTED, "what was read is old"
        with pytest.raises(Stale, match="先に更新しました"):
            states.move(row, Status.CONFIRMED, MOVES, by=BY, confirmed_at=NOW)
        assert events(row.subject) == []
        session().expire(row)
        assert (row.status, row.confirmed_at) == (Status.CANCELLED, None)


def test_a_row_that_is_gone_cannot_be_moved(inside: Inside) -> None:
    """COM-26."""
    with inside("facility"):
        row = reservation()
        states.move(row, Status.CONFIRMED, MOVES, by=BY)
        session().rollback()
        assert reservation().status is Status.REQUESTED, "a rollback takes the move back"
        assert events(row.subject) == []
        row.id = row.id + 1_000_000
        with session().no_autoflush, pytest.raises(Stale):
            states.move(row, Status.CONFIRMED, MOVES, by=BY)


def test_a_row_is_moved_in_its_own_tenants_scope_only(inside: Inside) -> None:
    """COM-02: carried into another brand's scope it is a stranger."""
    with inside("facility"):
        row = reservation()
        session().expunge(row)
    with inside("studio"):
        with pytest.raises((Stale, TenantError)):
            states.move(row, Status.CONFIRMED, MOVES, by=BY)
        session().rollback()
    with inside("facility"):
        assert reservation().status is Status.REQUESTED


def test_a_move_that_the_database_refuses_leaves_no_event(inside: Inside) -> None:
    """COM-90: event and change stand or fall together."""
    with inside("facility"):
        row = reservation()
        subject = row.subject
        with pytest.raises(Exception, match=r"(?i)constraint"):
            states.move(
                row, Status.CONFIRMED, MOVES, by=BY, ends_at=row.starts_at - timedelta(hours=1)
            )
        session().rollback()
        assert events(subject) == []
        counted = select(func.count(Reservation.id)).where(Reservation.status == Status.CONFIRMED)
        assert session().scalar(counted) == 0
