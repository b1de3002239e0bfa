"""FAC-11: two bookings of one slot at the same moment: one wins, two hundred times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from portal.blueprints.facility import booking, queries
from portal.blueprints.facility.models import Facility, Reservation
from portal.blueprints.facility.slots import SlotTaken
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.accounts.models import Account, Member
from tests.cast import NOW, Cast

ROUNDS = 200


def test_one_of_two_gets_the_slot(app: Flask, together: Callable[..., list[Any]], inside) -> None:
    """FAC-11: members of two accounts; the other is told that it is taken, and nothing of theirs is kept."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    start = clock.local(2027, 2, 1, 9)

    def book(turn: int) -> list[str]:
        account = session().scalars(select(Account).order_by(Account.id)).all()[turn % 2]
        member = session().scalars(select(Member).where(Member.account_id == account.id)).first()
        machine = session().scalars(select(Facility)).one()
        assert member
        account_id, member_id, facility_id = account.id, member.id, machine.id
        session().rollback()
        won = []
        for day in range(ROUNDS):
            begin = start + timedelta(
                days=day, minutes=30 * turn
            )  # they lap, and do not begin together
            account, member = (
                session().get_one(Account, account_id),
                session().get_one(Member, member_id),
            )
            wanted = booking.Booking(
                session().get_one(Facility, facility_id), begin, begin + timedelta(hours=1)
            )
            try:
                won.append(
                    booking.create_reservation(tenant, account, member, wanted, by=SYSTEM).number
                )
                session().commit()
            except SlotTaken:
                session().rollback()
        return won

    results = together(2, book)
    assert all(isinstance(result, list) for result in results), results
    assert len(results[0]) + len(results[1]) == ROUNDS
    with inside("facility"):
        found = session().scalars(select(Reservation).where(Reservation.starts_at >= start)).all()
        assert sorted(r.number for r in found) == sorted([*results[0], *results[1]])
        days = {clock.to_local(r.starts_at).date() for r in found}
        assert len(days) == len(found) == ROUNDS


def test_moving_and_booking_at_once_do_not_meet(
    app: Flask, together: Callable[..., list[Any]], inside
) -> None:
    """FAC-05, FAC-11: an operator moves one reservation to where a member books."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    start = clock.local(2027, 3, 1, 9)

    def act(turn: int) -> str:
        if turn:
            booking.reschedule(
                tenant,
                queries.any_reservation(Cast.requested),
                start,
                start + timedelta(hours=2),
                by=SYSTEM,
            )
        else:
            machine = session().scalars(select(Facility)).one()
            mine = queries.any_reservation(Cast.strangers)
            account = session().get_one(Account, mine.account_id)
            member = session().scalars(select(Member).where(Member.account_id == account.id)).one()
            wanted = booking.Booking(
                machine, start + timedelta(hours=1), start + timedelta(hours=3)
            )
            booking.create_reservation(tenant, account, member, wanted, by=SYSTEM)
        session().commit()
        return "done"

    results = together(2, act)
    assert [type(r) for r in results].count(SlotTaken) == 1, results
    assert results.count("done") == 1
    with inside("facility"):
        assert (
            len(session().scalars(select(Reservation).where(Reservation.starts_at >= start)).all())
            == 1
        )


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_database_itself_refuses_two_at_once(inside) -> None:
    """FAC-11: the exclusion constraint, past every rule above it."""
    with inside("facility"):
        times = {
            "starts_at": NOW,
            "ends_at": NOW + timedelta(hours=1),
            "held_until": NOW + timedelta(hours=1),
        }
        statement = update(Reservation).where(
            Reservation.number.in_([Cast.requested, Cast.strangers])
        )
        with pytest.raises(IntegrityError, match="ex_reservation_slot"):
            session().execute(statement.values(times).execution_options(synchronize_session=False))
