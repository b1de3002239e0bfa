"""Two years of believable reservations, walked through the real operations with the clock set to
each step.

They keep the brand's own rules: uses lie within opening hours on open days, operators work on open
days.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from demo import talks
from demo.office import OfficeHours
from portal.blueprints.facility import booking as bookings
from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.config import minutes_of
from portal.blueprints.facility.models import Facility, Reservation
from portal.blueprints.facility.slots import Hours, at_clock
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.business_days import first_open
from portal.core.db import session
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member
from portal.shared.billing.lines import BillLine
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind

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
_WORKERS = ("大森 誠", "西川 玲", "青木 翼")
_LENGTHS = (60, 120, 180, 240, 480)
"""How long uses are, in minutes, as far as the brand's rules let them."""
_MAIN = 280
_OTHER = 40
_YEARS = timedelta(days=730)
_COMING = (2, 5, 9, 13)
"""How many days ahead the uses that are still to come lie."""
_BILLING = (
    (
        ("経理部", "経理部", "佐々木 緑", "1440035", "東京都", "大田区", "南蒲田9丁目99番1号"),
        ("大阪工場", "工務課", "藤本 剛", "5300001", "大阪府", "大阪市北区", "梅田9丁目99番9号"),
    ),
    (("会計事務所気付", "", "古川 税理士", "2310023", "神奈川県", "横浜市中区", "山下町998番"),),
)
_BILLING_COLUMNS = ("name", "department", "person", "postal_code", "prefecture", "city", "street")


@dataclass(frozen=True, slots=True)
class _Plan:
    """One use: its times (UTC), when it was booked, and whether and when it is cancelled."""

    starts_at: datetime
    ends_at: datetime
    booked_at: datetime
    cancelled_at: datetime | None
    is_paid: bool

    @property
    def minutes(self) -> int:
        """How long the use is."""
        return int((self.ends_at - self.starts_at).total_seconds()) // 60


def fill(tenant: Tenant) -> None:
    """Add facilities and reservations to the tenant in scope: many for the first account, some for
    the second.
    """
    dice = random.Random(tenant.key)  # noqa: S311 - the same demo every time
    facilities = _add_facilities()
    is_small = tenant.key != "facility"
    known = accounts.all_accounts()
    for place, number in enumerate((_MAIN, _OTHER)):
        account = known[place]
        _add_billing_addresses(tenant, account, place)
        member = accounts.representative(account)
        for plan in _plans(tenant, dice, number // 8 if is_small else number):
            facility = _free_facility(tenant, dice, facilities, plan)
            _live(tenant, dice, account, member, facility, plan)
        session().commit()
    if tenant.has("inquiries"):
        talks.fill(tenant, known[0])


def _add_facilities() -> list[Facility]:
    facilities = [Facility(**dict(zip(_COLUMNS, row, strict=True))) for row in _FACILITIES]
    session().add_all(facilities)
    session().flush()
    for facility in facilities:
        photo = (_PHOTOS / f"{facility.code}.png").read_bytes()
        bookings.set_photo(facility, photo, by=SYSTEM)
    return facilities


def _add_billing_addresses(tenant: Tenant, account: Account, place: int) -> None:
    """Where an account's bills go, the first of them the usual one."""
    if not tenant.has("billing_addresses"):
        return
    for row in _BILLING[place]:
        given = dict(zip(_BILLING_COLUMNS, row, strict=True))
        values = dict.fromkeys(contacts.FIELDS, "") | given
        values["name"] = f"{account.name} {given['name']}"
        contacts.add(tenant, account.id, Kind.BILLING, values, by=SYSTEM)


def _plans(tenant: Tenant, dice: random.Random, number: int) -> list[_Plan]:
    """Reservations over the last two years, oldest first, and those that are still to come."""
    now = clock.now()
    past = [now - _YEARS * (number - place) / number for place in range(number)]
    coming = [now + timedelta(days=days) for days in _COMING]
    return [_plan(tenant, dice, about) for about in [*past, *coming]]


def _plan(tenant: Tenant, dice: random.Random, about: datetime) -> _Plan:
    """One use near an instant: on an open day, within opening hours, booked some days before."""
    rules = bookings.hours(tenant)
    now = clock.now()
    day = first_open(clock.to_local(about).date(), tenant.calendar.is_open)
    starts, minutes = _times(dice, rules)
    starts_at = at_clock(day, starts)
    ends_at = starts_at + timedelta(minutes=minutes)
    evening = timedelta(hours=dice.randint(1, 11), minutes=dice.randint(0, 59))
    wanted = starts_at - timedelta(days=dice.randint(3, 20))
    booked_on = min(clock.to_local(wanted).date(), clock.to_local(now).date() - timedelta(days=1))
    booked_at = at_clock(booked_on, "09:00") + evening
    fate = dice.random()
    office = OfficeHours(tenant.calendar.is_open)
    cancelled_at = None
    if fate < 0.04:
        cancelled_at = office.at_or_after(booked_at + timedelta(hours=20))
    elif fate < 0.09:
        cancelled_at = office.at_or_after(starts_at - timedelta(days=2))
    if cancelled_at and cancelled_at >= min(starts_at, now):
        cancelled_at = None
    return _Plan(starts_at, ends_at, booked_at, cancelled_at, is_paid=dice.random() < 0.97)


def _times(dice: random.Random, rules: Hours) -> tuple[str, int]:
    """When a use begins and how many minutes it lasts: what the brand's members could book."""
    config = rules.config
    day = minutes_of(config.closing) - minutes_of(config.opening)
    lengths = [
        length
        for length in _LENGTHS
        if config.minimum_minutes <= length <= day and length % config.slot_minutes == 0
    ]
    minutes = dice.choice(lengths or [config.minimum_minutes])
    latest = minutes_of(config.closing) - minutes
    starts = [start for start in rules.starts() if minutes_of(start) <= latest]
    return dice.choice(starts), minutes


def _live(
    tenant: Tenant,
    dice: random.Random,
    account: Account,
    member: Member,
    facility: Facility,
    plan: _Plan,
) -> None:
    """One reservation's life as far as it has come by now, each step at its own instant."""
    now = clock.now()
    options = bookings.hours(tenant).config.options
    booking = bookings.Booking(
        facility,
        plan.starts_at,
        plan.ends_at,
        purpose=dice.choice(_PURPOSES),
        headcount=dice.randint(1, facility.capacity or 4),
        options=dice.sample(options, dice.randint(0, min(2, len(options)))),
    )
    with clock.freeze(plan.booked_at):
        reservation = bookings.create_reservation(tenant, account, member, booking, by=SYSTEM)
    report = operations.WorkReport(
        done=f"{reservation.purpose}。加工条件を確認のうえ、予定どおり完了しました。",
        worker=dice.choice(_WORKERS),
        minutes=plan.minutes,
        materials=dice.choice(("", "アクリル板 3mm", "SUS304 板材、切削油")),
    )
    for at, step in _steps(tenant, reservation, facility, plan, report):
        if at > now:
            break
        with clock.freeze(at):
            step()


def _steps(
    tenant: Tenant,
    reservation: Reservation,
    facility: Facility,
    plan: _Plan,
    report: operations.WorkReport,
) -> list[tuple[datetime, Callable[[], object]]]:
    """What operators do with a reservation and when: within office hours, on open days."""
    office = OfficeHours(tenant.calendar.is_open)
    answered_at = office.at_or_after(plan.booked_at + timedelta(minutes=40))
    confirmed_at = min(answered_at, plan.starts_at - timedelta(hours=1))
    billed_at = office.at_or_after(plan.ends_at + timedelta(hours=20))
    paid_at = office.at_or_after(plan.ends_at + timedelta(days=30))

    def confirm() -> None:
        operations.confirm(tenant, reservation, by=SYSTEM)

    def cancel() -> None:
        operations.cancel(tenant, reservation, by=SYSTEM)
        if reservation.total:
            operations.issue(tenant, reservation, by=SYSTEM)

    def start() -> None:
        operations.start(tenant, reservation, by=SYSTEM)

    def finish() -> None:
        operations.finish(tenant, reservation, report, by=SYSTEM)

    def bill() -> None:
        _bill(tenant, reservation, facility, plan)

    def pay() -> None:
        if plan.is_paid and reservation.total:
            operations.record_payment(tenant, reservation, by=SYSTEM)
            operations.issue(tenant, reservation, by=SYSTEM)

    if plan.cancelled_at is not None:
        first = [(confirmed_at, confirm)] if confirmed_at < plan.cancelled_at else []
        return [*first, (plan.cancelled_at, cancel), (max(paid_at, plan.cancelled_at), pay)]
    return [
        (confirmed_at, confirm),
        (plan.starts_at, start),
        (plan.ends_at, finish),
        (billed_at, bill),
        (paid_at, pay),
    ]


def _free_facility(
    tenant: Tenant, dice: random.Random, facilities: list[Facility], plan: _Plan
) -> Facility:
    """A facility that nobody has then; there are more of them than reservations at any time."""
    wanted = bookings.hours(tenant).hold(plan.starts_at, plan.ends_at)
    shuffled = dice.sample(facilities, len(facilities))
    return next(f for f in shuffled if not queries.held(f.id, wanted.starts_at, wanted.held_until))


def _bill(tenant: Tenant, reservation: Reservation, facility: Facility, plan: _Plan) -> None:
    """Fix the amount as it was quoted and issue the documents."""
    day = clock.to_local(reservation.starts_at).date()
    price = reservation.price or 0
    if price < facility.daily_price:
        hours = plan.minutes // 60
        use = BillLine(f"{facility.name} 利用料", hours, "時間", facility.hourly_price, 10, day=day)
    else:
        use = BillLine(f"{facility.name} 利用料（1日）", 1, "日", price, 10, day=day)
    options = [
        BillLine(name, 1, "式", reservation.option_prices.get(name, 4000), 10, day=day)
        for name in reservation.options
    ]
    operations.fix_amount(tenant, reservation, [use, *options], by=SYSTEM)
    operations.issue(tenant, reservation, by=SYSTEM)
