"""Facilities and old reservations from CSV (OPS-12)."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.blueprints.facility import queries
from portal.blueprints.facility.models import OPEN, Facility, Reservation, Status
from portal.blueprints.facility.slots import Held, SlotTaken, meets
from portal.core import Actor, Row, RuleBroken, text
from portal.shared import imports, orders
from portal.shared.imports import KEY, Keys, instant, yen

FACILITY_EXTRAS = ("場所", "定員")
FACILITY_COLUMNS = ("設備コード", "設備名", "説明", "時間料金", "日料金", *FACILITY_EXTRAS)
RESERVATION_COLUMNS = tuple(
    "予約番号 会員番号 設備コード 開始日時 終了日時 ステータス 予約完了日時 ご請求金額 ご利用目的".split()
)
_OF_A_FACILITY = ("code", "name", "description", "hourly_price", "daily_price", "place", "capacity")
_OTHERWISE = "登録済みの設備と内容が異なります。読み込みでは変更できません。"
_LARGEST_PRICE = 2**31 - 1  # what the column of a facility's price holds


class Facilities:
    """An import of facilities (see `imports.Importer`)."""

    action = "facility.import"
    columns = FACILITY_COLUMNS
    optional: Collection[str] = FACILITY_EXTRAS
    printed: Collection[str] = ("設備名",)

    def __init__(self) -> None:
        self._keys = Keys("設備コード")
        self._known: dict[str, dict[str, Any]] = {}

    def look_up(self, rows: Sequence[Row]) -> None:
        """Which of the facilities are there already, and what is known of them."""
        codes = _cells(rows, "設備コード")
        columns = [getattr(Facility, name) for name in _OF_A_FACILITY]
        for found in imports.found_by(select(*columns), Facility.code, codes):
            self._known[found.code] = dict(found._mapping)

    def read(self, row: Row) -> dict[str, Any] | None:
        """The columns of a new facility. Raises RuleBroken for a known one that the file says something else of."""
        code = self._keys.take(row)
        values = {
            "code": code,
            "name": row.text("設備名", 100, required=True),
            "description": text.multiline(row.values["説明"]),
            "hourly_price": yen(row, "時間料金", _LARGEST_PRICE),
            "daily_price": yen(row, "日料金", _LARGEST_PRICE),
            "place": row.text("場所", 100),
            "capacity": row.take("定員", _capacity),
        }
        if code not in self._known:
            return values
        if self._known[code] != values:
            raise RuleBroken(_OTHERWISE, field="設備コード")
        return None

    def store(self, rows: Sequence[dict[str, Any]], *, by: Actor) -> None:
        """Insert them."""
        del by
        imports.add_rows(Facility, rows)


class Reservations:
    """An import of old reservations as they are, without mails (see `imports.Importer`)."""

    action = "reservation.import"
    columns = RESERVATION_COLUMNS
    optional: Collection[str] = ()
    printed: Collection[str] = ("ご利用目的",)

    def __init__(self) -> None:
        self._keys = Keys("予約番号")
        self._customers = orders.Customers()
        self._known: set[str] = set()
        self._facilities: dict[str, tuple[int, str]] = {}
        self._taken: dict[int, list[tuple[datetime, datetime]]] = {}

    def look_up(self, rows: Sequence[Row]) -> None:
        """Which of the numbers are there already, and which facilities there are."""
        numbers = _cells(rows, "予約番号")
        known = imports.found_by(select(Reservation.number), Reservation.number, numbers)
        self._known.update(number for (number,) in known)
        codes = _cells(rows, "設備コード")
        facilities = select(Facility.code, Facility.id, Facility.name)
        found = imports.found_by(facilities, Facility.code, codes)
        self._facilities.update({code: (facility_id, name) for code, facility_id, name in found})

    def read(self, row: Row) -> dict[str, Any] | None:
        """The columns of a new reservation. Raises SlotTaken where it meets one that is still to come."""
        number = self._keys.take(row)
        code = row.text("設備コード", KEY, required=True)
        if code not in self._facilities:
            raise RuleBroken("この設備コードはありません。", field="設備コード")
        facility_id, facility_name = self._facilities[code]
        status = imports.one_of(row, "ステータス", Status)
        starts_at, ends_at = instant(row, "開始日時"), instant(row, "終了日時")
        if ends_at <= starts_at:
            raise RuleBroken("開始日時より後にしてください。", field="終了日時")
        values = {
            "number": number,
            "facility_id": facility_id,
            "facility_name": facility_name,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "held_until": ends_at if status in OPEN else None,
            "status": status,
            "booked_at": instant(row, "予約完了日時"),
            "total": yen(row, "ご請求金額") if row.values["ご請求金額"].strip() else None,
            "purpose": row.text("ご利用目的", 200, clean=text.one_line),
            **self._customers.of(row),
        }
        if number in self._known:
            return None
        if status in OPEN:  # what is still to come is nobody else's
            self._take(facility_id, starts_at, ends_at)
        return values

    def _take(self, facility_id: int, starts_at: datetime, ends_at: datetime) -> None:
        """Hold the facility for a row of this file. Raises SlotTaken when another has it, stored or in the file."""
        wanted = Held(starts_at, ends_at)
        taken = self._taken.setdefault(facility_id, [])
        place = bisect_left(taken, (starts_at, ends_at))
        beside = [Held(*pair) for pair in taken[max(place - 1, 0) : place + 1]]
        if meets(wanted, beside + queries.held(facility_id, starts_at, ends_at)):
            raise SlotTaken
        taken.insert(place, (starts_at, ends_at))

    def store(self, rows: Sequence[dict[str, Any]], *, by: Actor) -> None:
        """Insert them. Raises Stale where somebody has taken a facility since the file was read."""
        del by
        for row in rows:
            if row["held_until"] and queries.held(
                row["facility_id"], row["starts_at"], row["ends_at"]
            ):
                raise SlotTaken
        imports.add_rows(Reservation, rows)


def _cells(rows: Sequence[Row], column: str) -> list[str]:
    """What stands in a column, as `Row.text` would read it."""
    return [text.normalise(row.values[column]) for row in rows]


def _capacity(typed: str) -> int | None:
    value = text.normalise(typed)
    if value and not (value.isdecimal() and 0 < int(value) < 1000):
        raise RuleBroken("1から999までの数字で入力してください。")
    return int(value) if value else None
