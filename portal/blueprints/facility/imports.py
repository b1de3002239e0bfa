"""Facilities and old reservations from CSV (OPS-12)."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.blueprints.facility import queries
from portal.blueprints.facility.models import OPEN, Facility, Reservation, Status
from portal.blueprints.facility.slots import Held, SlotTaken, meets
from portal.core import Actor, Row, RuleBroken, clock, text
from portal.core.csvio import Cells
from portal.shared import imports
from portal.shared.imports import KEY, Keys, instant, yen
from portal.shared.invoicing.items import ItemDraft
from portal.shared.invoicing.operations import take_over
from portal.shared.orders.customers import Customers

FACILITY_EXTRAS = ("場所", "定員")
FACILITY_COLUMNS = ("設備コード", "設備名", "説明", "時間料金", "日料金", *FACILITY_EXTRAS)
RESERVATION_COLUMNS = tuple(  # in the order of the file that operators get as a sample
    (
        "予約番号 会員番号 設備コード 開始日時 終了日時 "
        "ステータス 予約完了日時 ご請求金額 ご利用目的"
    ).split()
)
_FACILITY = {
    "name": "設備名",
    "description": "説明",
    "hourly_price": "時間料金",
    "daily_price": "日料金",
    "place": "場所",
    "capacity": "定員",
}
_RESERVATION = {
    "account_id": "会員番号",
    "facility_id": "設備コード",
    "starts_at": "開始日時",
    "ends_at": "終了日時",
    "status": "ステータス",
    "booked_at": "予約完了日時",
    "total": "ご請求金額",
    "purpose": "ご利用目的",
}
"""What is stored of a row, by the column that says it; a known number must say the same."""
# PostgreSQL refuses more with an error of its own; SQLite would take it.
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
        columns = [getattr(Facility, name) for name in ("code", *_FACILITY)]
        for found in imports.found_by(select(*columns), Facility.code, codes):
            self._known[found.code] = dict(found._mapping)

    def read(self, row: Row) -> dict[str, Any] | None:
        """The columns of a new facility.

        Raises RuleBroken for a known one that the file says something else of.
        """
        cells = Cells()
        values = {
            "code": cells.read(self._keys.take, row),
            "name": cells.read(row.text, "設備名", 100, required=True),
            "description": text.multiline(row.values["説明"]),
            "hourly_price": cells.read(yen, row, "時間料金", _LARGEST_PRICE),
            "daily_price": cells.read(yen, row, "日料金", _LARGEST_PRICE),
            "place": cells.read(row.text, "場所", 100),
            "capacity": cells.read(row.take, "定員", _capacity),
        }
        cells.require()
        if values["code"] not in self._known:
            return values
        imports.require_same(self._known[values["code"]], values, _FACILITY)
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
        self._customers = Customers()
        self._known: dict[str, dict[str, Any]] = {}
        self._facilities: dict[str, tuple[int, str]] = {}
        self._taken: dict[int, list[tuple[datetime, datetime]]] = {}

    def look_up(self, rows: Sequence[Row]) -> None:
        """What is known of the numbers that are there already, and which facilities there are."""
        numbers = _cells(rows, "予約番号")
        columns = [getattr(Reservation, name) for name in ("number", *_RESERVATION)]
        for found in imports.found_by(select(*columns), Reservation.number, numbers):
            # A file has no seconds; what was booked here has.
            booked_at = found.booked_at.replace(second=0, microsecond=0)
            self._known[found.number] = {**found._mapping, "booked_at": booked_at}
        codes = _cells(rows, "設備コード")
        facilities = select(Facility.code, Facility.id, Facility.name)
        for code, facility_id, name in imports.found_by(facilities, Facility.code, codes):
            # By code, once for the file: a row must not cost a query.
            self._facilities[code] = facility_id, name

    def read(self, row: Row) -> dict[str, Any] | None:
        """The columns of a new reservation. Raises RuleBroken where it meets one that is still to
        come.

        So it does for a known one that the file says something else of.
        """
        values = self._values(row)
        if values["number"] in self._known:
            imports.require_same(self._known[values["number"]], values, _RESERVATION)
            return None
        if values["held_until"]:  # what is still to come is nobody else's
            self._take(values["facility_id"], values["starts_at"], values["ends_at"])
        return values

    def _values(self, row: Row) -> dict[str, Any]:
        """What the row says, as it is stored. Raises CellErrors."""
        cells = Cells()
        number = cells.read(self._keys.take, row)
        facility = cells.read(self._facility, row)
        customer = cells.read(self._customers.of, row)
        status = cells.read(imports.one_of, row, "ステータス", Status)
        period = cells.read(_period, row)
        values = {
            "number": number,
            "status": status,
            "booked_at": cells.read(instant, row, "予約完了日時"),
            "total": cells.read(_total, row),
            "purpose": cells.read(row.text, "ご利用目的", 200, clean=text.one_line),
        }
        cells.require()
        facility_id, facility_name = facility
        starts_at, ends_at = period
        return {
            **values,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "held_until": ends_at if status in OPEN else None,
            # The file does not say when it was paid: by the end of its use, for all that is known.
            "paid_at": ends_at if status is Status.PAID else None,
            "facility_id": facility_id,
            "facility_name": facility_name,
            **customer,
        }

    def _facility(self, row: Row) -> tuple[int, str]:
        """Id and name of the row's facility."""
        code = row.text("設備コード", KEY, required=True)
        if code not in self._facilities:
            raise RuleBroken("この設備コードはありません。", field="設備コード")
        return self._facilities[code]

    def _take(self, facility_id: int, starts_at: datetime, ends_at: datetime) -> None:
        """Hold the facility for a row of this file.

        Raises RuleBroken when another has it, stored or in the file.
        """
        wanted = Held(starts_at, ends_at)
        taken = self._taken.setdefault(facility_id, [])
        # Sorted, so that only the two neighbours can meet it: comparing each with all would make a
        # large file take hours.
        place = bisect_left(taken, (starts_at, ends_at))
        beside = [Held(*pair) for pair in taken[max(place - 1, 0) : place + 1]]
        if meets(wanted, beside + queries.held(facility_id, starts_at, ends_at)):
            raise RuleBroken(SlotTaken().message, field="開始日時")
        taken.insert(place, (starts_at, ends_at))

    def store(self, rows: Sequence[dict[str, Any]], *, by: Actor) -> None:
        """Insert them. Raises Stale where somebody has taken a facility since the file was read."""
        del by
        for row in rows:
            # Asked again: members went on booking while the file was read.
            if row["held_until"] and queries.held(
                row["facility_id"], row["starts_at"], row["ends_at"]
            ):
                raise SlotTaken
        imports.add_rows(Reservation, rows)
        for row in rows:
            # What is paid already is history: without a claim there is nothing to remind of.
            if row["total"] and not row["paid_at"]:
                _take_over(row)


def _take_over(row: Mapping[str, Any]) -> None:
    """Store what an earlier system billed for a reservation as owed, to be paid here."""
    draft = ItemDraft(
        account_id=row["account_id"],
        order_kind=Reservation.__tablename__,
        about=row["number"],
        title=row["facility_name"],
        traded_on=clock.to_local(row["ends_at"]).date(),
        billing=row["billing"],
        contact=row["contact"],
        facts=(("予約番号", row["number"]),),
    )
    take_over(draft, row["total"], billed_at=row["ends_at"])


def _cells(rows: Sequence[Row], column: str) -> list[str]:
    """What stands in a column, as `Row.text` would read it."""
    return [text.normalise(row.values[column]) for row in rows]


def _period(row: Row) -> tuple[datetime, datetime]:
    """Begin and end. Raises CellErrors."""
    cells = Cells()
    starts_at, ends_at = (cells.read(instant, row, name) for name in ("開始日時", "終了日時"))
    cells.require()
    if ends_at <= starts_at:
        raise RuleBroken("開始日時より後にしてください。", field="終了日時")
    return starts_at, ends_at


def _total(row: Row) -> int | None:
    return yen(row, "ご請求金額") if row.values["ご請求金額"].strip() else None


def _capacity(typed: str) -> int | None:
    value = text.normalise(typed)
    if value and not (value.isdecimal() and 0 < int(value) < 1000):
        raise RuleBroken("1から999までの数字で入力してください。")
    return int(value) if value else None
