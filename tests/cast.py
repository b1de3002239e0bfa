"""The cast: two accounts with two members each, and four reservations, in each of two twin brands.

Every text of a brand carries the brand's canary word, so that a leak into the other brand is seen at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import Flask
from sqlalchemy import select

from portal.blueprints.facility import booking as bookings
from portal.blueprints.facility import operations
from portal.blueprints.facility.models import Facility
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.billing.lines import BillLine
from portal.shared.notices import operations as notices

NOW = clock.local(2026, 11, 23, 10)
PASSWORD = "green-Tea-and-72-cups"
CANARY = {"facility": "カナリア甲", "studio": "カナリア乙"}


@dataclass(frozen=True)
class Cast:
    """Who and what is in each twin brand. Numbers begin with FR at "facility", with SR at "studio"."""

    representative: str = "hanako"  # account 1
    member: str = "kenichi"  # account 1
    stranger: str = "yumi"  # account 2, representative
    requested: str = "FR000001"
    billed: str = "FR000002"
    cancelled: str = "FR000003"
    strangers: str = "FR000004"
    twins: str = (
        "SR000001"  # the same place in the other brand, whose own members are the same people
    )


def fill(app: Flask) -> None:
    """Put the cast into both twin brands."""
    tenants = app.extensions["tenants"].current().by_key
    hashed = passwords.hash_password(PASSWORD)
    for key, canary in CANARY.items():
        with clock.freeze(NOW - timedelta(days=40)), tenant_scope(key):
            tenant = tenants[key]
            first = accounts.add_account(
                tenant, by=SYSTEM, name=f"{canary}株式会社一番", telephone="0300001001"
            )
            second = accounts.add_account(
                tenant, by=SYSTEM, name=f"{canary}合同会社二番", telephone="0300001002"
            )
            people = [
                (
                    first,
                    Person(
                        canary,
                        "花子",
                        "hanako@one.example",
                        login_id="hanako",
                        is_representative=True,
                    ),
                ),
                (first, Person(canary, "健一", "kenichi@one.example", login_id="kenichi")),
                (
                    second,
                    Person(
                        canary, "由美", "yumi@two.example", login_id="yumi", is_representative=True
                    ),
                ),
            ]
            hanako, _kenichi, yumi = (
                accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
                for account, person in people
            )
            machine = Facility(
                code="LC-01", name=f"{canary}レーザー加工機", hourly_price=4500, daily_price=28000
            )
            session().add(machine)
            session().flush()
            start = NOW - timedelta(days=30)
            wanted = [
                bookings.Booking(
                    machine, begin, begin + timedelta(hours=3), purpose=f"{canary}の試作"
                )
                for begin in (start + timedelta(hours=hours) for hours in (0, 4, 24, 48))
            ]
            made = [
                bookings.create_reservation(tenant, first, hanako, each, by=SYSTEM)
                for each in wanted[:3]
            ]
            bookings.create_reservation(tenant, second, yumi, wanted[3], by=SYSTEM)
            operations.confirm(tenant, made[1], by=SYSTEM)
            since = clock.now() - timedelta(hours=3)
            operations.start(tenant, made[1], by=SYSTEM, even_so="十日早いご利用", at=since)
            operations.finish(
                tenant, made[1], operations.WorkReport(f"{canary}の加工", "大森", 180), by=SYSTEM
            )
            operations.fix_amount(
                tenant, made[1], [BillLine("利用料", 3, "時間", 4500, 10)], by=SYSTEM
            )
            operations.cancel(tenant, made[2], by=SYSTEM)
            notices.publish(f"{canary}からのお知らせ", f"**{canary}**の休業日です。", by=SYSTEM)
            session().commit()
            assert session().scalar(select(Facility.id)) is not None
