"""FAC-10: two operators who move one reservation at once: exactly one of them does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Status
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import RuleBroken
from tests.cast import Cast


def test_fac_10_one_of_many_movers_wins(
    app: Flask, together: Callable[..., list[Any]], inside: Callable[[str], Any]
) -> None:
    """FAC-10, COM-90: confirmed once, with one line in the audit trail."""
    tenant = app.extensions["tenants"].current().by_key["facility"]

    def move(_turn: int) -> str:
        found = queries.any_reservation(Cast.requested)
        operations.confirm(tenant, found, by=SYSTEM)
        session().commit()
        return found.status.value

    results = together(6, move)
    won = [result for result in results if isinstance(result, str)]
    assert len(won) == 1
    assert all(isinstance(result, RuleBroken) for result in results if not isinstance(result, str))
    with inside("facility"):
        found = queries.any_reservation(Cast.requested)
        assert found.status == Status(won[0])
        moves = select(func.count(AuditEvent.id)).where(
            AuditEvent.subject == found.subject, AuditEvent.action != "reservation.book"
        )
        assert session().scalar(moves) == 1
