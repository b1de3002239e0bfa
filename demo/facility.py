"""Two years of believable reservations, walked through the real operations with the clock set to each step."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from portal.blueprints.facility import booking as bookings
from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Facility, Reservation
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import enrolment
from portal.shared.auth.models import Account, Member
from portal.shared.billing.lines import BillLine

_COLUMNS = ("code", "name", "description", "hourly_price", "daily_price", "place", "capacity")
_FACILITIES = (
    (
        "LC-01",
        "レーザー加工機 A",
        "アクリル・木材の切断と彫刻。加工範囲 900×600mm。",
        4500,
        28000,
        "1階 A区画（24㎡）",
        4,
    ),
    (
        "MC-01",
        "5軸マシニングセンタ",
        "試作部品の切削加工。オペレーター付き。",
        12000,
        78000,
        "1階 B区画（40㎡）",
        3,
    ),
    (
        "TD-02",
        "3Dプリンタ 大型造形室",
        "FDM方式、最大 600×600×900mm。",
        3800,
        24000,
        "2階 201（18㎡）",
        4,
    ),
    ("WS-01", "溶接ブース", "TIG・半自動。保護具の貸出あり。", 3200, 20000, "1階 C区画（20㎡）", 2),
    (
        "MR-01",
        "三次元測定室",
        "温度管理された測定室。測定報告書の作成も承ります。",
        6000,
        38000,
        "2階 205（22㎡）",
        4,
    ),
    (
        "ST-01",
        "塗装・仕上げ室",
        "排気設備完備。調色のご相談も承ります。",
        3500,
        22000,
        "1階 D区画（30㎡）",
        6,
    ),
)
_PHOTOS = Path(__file__).parent / "photos"
_PURPOSES = (
    "試作部品の加工",
    "展示会サンプルの製作",
    "治具の製作",
    "量産前の評価",
    "社内研修",
    "製品の寸法測定",
)
_OPTIONS = ("オペレーター補助", "材料手配", "工具一式", "梱包・発送")
_WORKERS = ("大森 誠", "西川 玲", "青木 翼")
_MAIN, _OTHER = 320, 40


@dataclass(frozen=True, slots=True)
class _Plan:
    """How far one reservation goes: 0 booked … 5 paid, 6 with its receipt, or -1 cancelled."""

    start: datetime
    hours: int
    steps: int


def fill(tenant: Tenant) -> None:
    """Add facilities and reservations to the tenant in scope: many for the first account, some for the second."""
    dice = random.Random(tenant.key)  # noqa: S311 - the same demo every time
    facilities = [Facility(**dict(zip(_COLUMNS, row, strict=True))) for row in _FACILITIES]
    session().add_all(facilities)
    session().flush()
    for facility in facilities:
        bookings.set_photo(facility, (_PHOTOS / f"{facility.code}.png").read_bytes(), by=SYSTEM)
    small = tenant.key != "facility"
    accounts = enrolment.all_accounts()
    for account, number in zip(accounts, (_MAIN, _OTHER), strict=True):
        member = enrolment.representative(account)
        for plan in _plans(dice, number // 8 if small else number):
            _live(tenant, dice, account, member, _free(tenant, dice, facilities, plan), plan)
        session().commit()
    clock.set_as_of(None)


def _plans(dice: random.Random, number: int) -> list[_Plan]:
    """Reservations spread over two years, oldest first; the newest stand at every step."""
    today = clock.now().replace(minute=0, second=0, microsecond=0)
    plans = []
    for index in range(number):
        days = 730 * (number - index) / number - 14
        start = clock.to_local(today - timedelta(days=days)).replace(
            hour=dice.choice((9, 10, 13, 14, 15)), minute=0
        )
        steps = -1 if dice.random() < 0.06 else 5 if days > 120 else 6
        if days < 45:
            steps = 4
        if days < 20:
            steps = 3
        if days < 1:
            steps = 2 if days > 0 else dice.choice((0, 1, -1))
        plans.append(_Plan(start, dice.choice((1, 2, 3, 4, 8)), steps))
    return plans


def _live(
    tenant: Tenant,
    dice: random.Random,
    account: Account,
    member: Member,
    facility: Facility,
    plan: _Plan,
) -> None:
    """One reservation's life, each step at its own instant."""
    end, now = plan.start + timedelta(hours=plan.hours), clock.now()
    booked = min(
        plan.start - timedelta(days=dice.randint(3, 20), minutes=dice.randint(0, 300)), clock.now()
    )
    clock.set_as_of(booked)
    booking = bookings.Booking(
        facility,
        plan.start,
        end,
        purpose=dice.choice(_PURPOSES),
        headcount=dice.randint(1, 4),
        options=dice.sample(_OPTIONS, dice.randint(0, 2)),
    )
    reservation = bookings.book(tenant, account, member, booking, by=SYSTEM)
    if plan.steps < 0:
        clock.set_as_of(min(booked + timedelta(hours=20), now))
        operations.cancel(tenant, reservation, by=SYSTEM)
    report = operations.WorkReport(
        done=f"{reservation.purpose}。加工条件を確認のうえ、予定どおり完了しました。",
        worker=dice.choice(_WORKERS),
        minutes=plan.hours * 60,
        materials=dice.choice(("", "アクリル板 3mm", "SUS304 板材、切削油")),
    )
    steps: tuple[tuple[datetime, Callable[[], object]], ...] = (
        (booked + timedelta(hours=5), lambda: operations.confirm(tenant, reservation, by=SYSTEM)),
        (plan.start, lambda: operations.start(tenant, reservation, by=SYSTEM)),
        (end, lambda: operations.finish(tenant, reservation, report, by=SYSTEM)),
        (end + timedelta(days=1), lambda: _bill(tenant, reservation, facility, plan.hours)),
        (
            end + timedelta(days=30),
            lambda: operations.record_payment(tenant, reservation, by=SYSTEM),
        ),
        (end + timedelta(days=30), lambda: operations.issue(tenant, reservation, by=SYSTEM)),
    )
    for at, step in steps[: max(plan.steps, 0)]:
        clock.set_as_of(min(at, now))
        step()
    clock.set_as_of(None)


def _free(tenant: Tenant, dice: random.Random, facilities: list[Facility], plan: _Plan) -> Facility:
    """A facility that nobody has then; there are more of them than reservations at any time."""
    wanted = bookings.hours(tenant).hold(plan.start, plan.start + timedelta(hours=plan.hours))
    shuffled = dice.sample(facilities, len(facilities))
    return next(f for f in shuffled if not queries.held(f.id, wanted.starts_at, wanted.held_until))


def _bill(tenant: Tenant, reservation: Reservation, facility: Facility, hours: int) -> None:
    """Fix the amount from the facility's prices and issue the documents."""
    day = clock.to_local(reservation.starts_at).date()
    lines = [BillLine(f"{facility.name} 利用料", hours, "時間", facility.hourly_price, 10, day=day)]
    lines += [BillLine(option, 1, "式", 3000, 10, day=day) for option in reservation.options]
    operations.fix_amount(tenant, reservation, lines, by=SYSTEM)
    operations.issue(tenant, reservation, by=SYSTEM)
