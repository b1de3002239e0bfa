"""FAC-11: a member's calendar address, renewed from several windows at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.signer import digest
from portal.shared import calendars
from portal.shared.accounts.models import Member
from portal.shared.calendars import CalendarFeed


def test_of_ten_renewals_at_once_all_are_answered_and_the_last_one_counts(
    app: Flask, inside: Any, together: Callable[..., list[Any]]
) -> None:
    """FAC-11: nobody's renewal breaks, and one address is alive afterwards, on both databases."""
    with inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        member_id = member.id

    def renew(_turn: int) -> str:
        token = calendars.renew(member_id, by=SYSTEM)
        session().commit()
        return token

    tokens = together(10, renew)
    assert [token for token in tokens if not isinstance(token, str)] == []
    with inside("facility"):
        kept = session().scalars(select(CalendarFeed.token_digest)).all()
        assert len(kept) == 1
        assert kept[0] in {digest(token) for token in tokens}
