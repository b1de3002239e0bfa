"""Facilities and old reservations from CSV (OPS-12)."""

from sqlalchemy import select

from portal.blueprints.facility.models import OPEN, Facility, Reservation, Status
from portal.blueprints.facility.queries import facility_by_code, held
from portal.blueprints.facility.slots import Held, SlotTaken, meets
from portal.core import Actor, Row, RuleBroken, session, text
from portal.shared import imports, orders
from portal.shared.imports import KEY, instant, yen

FACILITY_EXTRAS = ("場所", "定員")
FACILITY_COLUMNS = ("設備コード", "設備名", "説明", "時間料金", "日料金", *FACILITY_EXTRAS)
RESERVATION_COLUMNS = tuple(
    "予約番号 会員番号 設備コード 開始日時 終了日時 ステータス 予約完了日時 ご請求金額 ご利用目的".split()
)
_LARGEST_PRICE = 2**31 - 1  # what the column of a facility's price holds


def facilities(data: bytes, *, by: Actor) -> tuple[int, int]:
    """Import facilities; see `imports.load`."""
    return imports.load(
        data, FACILITY_COLUMNS, _facility, "facility.import", by=by, optional=FACILITY_EXTRAS
    )


def reservations(data: bytes, *, by: Actor) -> tuple[int, int]:
    """Import old reservations as they are, without mails; see `imports.load`."""
    return imports.load(data, RESERVATION_COLUMNS, _reservation, "reservation.import", by=by)


def _capacity(typed: str) -> int | None:
    value = text.normalise(typed)
    if value and not (value.isdecimal() and 0 < int(value) < 1000):
        raise RuleBroken("1から999までの数字で入力してください。")
    return int(value) if value else None


def _facility(row: Row) -> Facility | None:
    code = row.text("設備コード", KEY, required=True)
    facility = Facility(
        code=code,
        name=row.text("設備名", 100, required=True),
        description=text.multiline(row.values["説明"]),
        hourly_price=yen(row, "時間料金", _LARGEST_PRICE),
        daily_price=yen(row, "日料金", _LARGEST_PRICE),
        place=row.text("場所", 100),
        capacity=row.take("定員", _capacity),
    )
    return None if facility_by_code(code) else facility


def _reservation(row: Row) -> Reservation | None:
    number = row.text("予約番号", KEY, required=True)
    facility = facility_by_code(row.text("設備コード", KEY, required=True))
    if facility is None:
        raise RuleBroken("この設備コードはありません。", field="設備コード")
    status = imports.one_of(row, "ステータス", Status)
    starts_at, ends_at = instant(row, "開始日時"), instant(row, "終了日時")
    if ends_at <= starts_at:
        raise RuleBroken("開始日時より後にしてください。", field="終了日時")
    made = Reservation(
        number=number,
        facility_id=facility.id,
        facility_name=facility.name,
        starts_at=starts_at,
        ends_at=ends_at,
        status=status,
        booked_at=instant(row, "予約完了日時"),
        total=yen(row, "ご請求金額") if row.values["ご請求金額"].strip() else None,
        purpose=row.text("ご利用目的", 200),
        **orders.customer(row),
    )
    if session().scalar(select(Reservation.id).where(Reservation.number == number)):
        return None
    if status in OPEN:  # what is still to come is nobody else's
        if meets(Held(starts_at, ends_at), held(facility.id, starts_at, ends_at)):
            raise SlotTaken
        made.held_until = ends_at
        session().add(made)
        session().flush()
    return made
