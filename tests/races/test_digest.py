"""COM-80: of workers that come at the same moment, one mails what waited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.core import clock
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared import notifications
from portal.shared.accounts.models import Member
from portal.shared.notifications import DigestLine
from tests.cast import NOW


def test_of_eight_workers_one_mails_the_morning(
    app: Flask, inside: Any, together: Callable[..., list[Any]]
) -> None:
    """COM-80: one mail a member with all lines, on both databases."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        for member in session().scalars(select(Member)).all():
            for n in range(3):
                session().add(
                    DigestLine(
                        member_id=member.id, said=f"お知らせ{n}", created_at=NOW.replace(year=2025)
                    )
                )
        session().commit()

    def work(_turn: int) -> int:
        with clock.freeze(NOW):
            mailed = notifications.mail_digests(tenant)
            session().commit()
            return mailed

    assert sum(together(8, work)) == 3
    with inside("facility"):
        mails = session().scalars(select(OutboxMail).where(OutboxMail.event == "digest")).all()
        assert [mail.body.count("■お知らせ") for mail in mails] == [3, 3, 3]
        assert session().query(DigestLine).count() == 0
