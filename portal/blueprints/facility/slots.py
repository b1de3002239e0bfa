"""When a facility can be had (FAC-11): opening hours, closed days, slots, buffers.

Knows no database and no clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from portal.blueprints.facility.config import FacilityConfig, minutes_of
from portal.core import TOKYO, RuleBroken, gettext_noop, to_local
from portal.shared.billing.terms import months_after

_OUTSIDE = gettext_noop("%(opening)sから%(closing)sまで、%(slot)s分単位でお選びください。")
_PAST = gettext_noop("過ぎた日時はご予約いただけません。")
_TAKEN = gettext_noop("ほかのご予約と重なっています。空いている時間をお選びください。")
_BUFFER = gettext_noop(
    "前後のご利用の準備に%(n)s分をいただいています。開始または終了の時刻をずらしてお選びください。"
)


class SlotTaken(RuleBroken):
    """Somebody else has the facility then; for the `buffer_minutes` between two uses, where it is
    those alone.
    """

    def __init__(self, buffer_minutes: int = 0) -> None:
        if buffer_minutes:
            super().__init__(_BUFFER, field="starts", n=buffer_minutes)
        else:
            super().__init__(_TAKEN, field="starts")


class Slot(StrEnum):
    """What a start time of the week view is."""

    FREE = "free"
    TAKEN = "taken"
    BUFFER = "buffer"
    CLOSED = "closed"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Held:
    """A facility is somebody's from `starts_at` until `held_until`, the buffer after the use
    included. UTC.
    """

    starts_at: datetime
    held_until: datetime


@dataclass(frozen=True, slots=True)
class FreeSpan:
    """From when to when a facility is free on a day, as clock times; `last_start` is when the last
    use can begin.
    """

    starts: str
    ends: str
    last_start: str


@dataclass(frozen=True, slots=True)
class Hours:
    """A tenant's rules of booking as they stand at `now` (UTC).

    Days and clock times are Asia/Tokyo's.
    """

    config: FacilityConfig
    is_open: Callable[[date], bool]
    now: datetime

    def starts(self) -> list[str]:
        """The clock times at which a use can begin, ``09:00`` …, whatever the day."""
        # As many slots before closing as the shortest use takes.
        return self.edges()[: -(self.config.minimum_minutes // self.config.slot_minutes)]

    def edges(self) -> list[str]:
        """The clock times between which a use fits, from opening to closing."""
        opening = minutes_of(self.config.opening)
        closing = minutes_of(self.config.closing)
        minutes = range(opening, closing + 1, self.config.slot_minutes)
        return [clock_time_of(at) for at in minutes]

    def last_day(self) -> date:
        """The last day that can be reserved today."""
        return months_after(to_local(self.now).date(), self.config.booking_months_ahead)

    def hold(self, starts_at: datetime, ends_at: datetime) -> Held:
        """What a use takes of the facility's time."""
        return Held(starts_at, ends_at + timedelta(minutes=self.config.buffer_minutes))

    def require_free(self, starts_at: datetime, ends_at: datetime, held: Sequence[Held]) -> Held:
        """What a use takes of the facility's time.

        Raises SlotTaken when that meets any of `held`.
        """
        wanted = self.hold(starts_at, ends_at)
        if meets(wanted, held):
            is_buffer = not self._meets_a_use(starts_at, ends_at, held)
            raise SlotTaken(self.config.buffer_minutes if is_buffer else 0)
        return wanted

    def _meets_a_use(self, starts_at: datetime, ends_at: datetime, held: Sequence[Held]) -> bool:
        """Whether somebody uses the facility then, buffers left out."""
        buffer = timedelta(minutes=self.config.buffer_minutes)
        # Whoever meets the buffer alone is told so: a quarter of an hour later may do.
        uses = [Held(one.starts_at, one.held_until - buffer) for one in held]
        return meets(Held(starts_at, ends_at), uses)

    def check_day(self, day: date) -> None:
        """Refuse a day on which nobody can have anything. Raises RuleBroken at ``day``."""
        if day < to_local(self.now).date():
            raise RuleBroken(_PAST, field="day")
        if day > self.last_day():
            raise RuleBroken(
                "%(day)sまでの日付をお選びください。",
                field="day",
                day=f"{self.last_day():%Y/%m/%d}",
            )
        if not self.is_open(day):
            raise RuleBroken("休業日です。ほかの日をお選びください。", field="day")

    def check(self, starts_at: datetime, ends_at: datetime) -> None:
        """Refuse times that nobody can have.

        Raises RuleBroken at ``day``, ``starts`` or ``ends``.
        """
        day = to_local(starts_at).date()
        edges = self.edges()
        if ends_at <= starts_at:
            raise RuleBroken("終了時刻は開始時刻より後にしてください。", field="ends")
        # After the order of the times, since of a use that ends before it begins the day is not to
        # blame.
        self.check_day(day)
        if starts_at < self.now:
            raise RuleBroken(_PAST, field="day")
        # Compared as instants: 24:00 is a moment of the next day.
        bounds = [at_clock(day, edge) for edge in edges]
        where = {"opening": edges[0], "closing": edges[-1], "slot": self.config.slot_minutes}
        for name, at in (("starts", starts_at), ("ends", ends_at)):
            if at not in bounds:
                raise RuleBroken(_OUTSIDE, field=name, **where)
        if ends_at - starts_at < timedelta(minutes=self.config.minimum_minutes):
            raise RuleBroken(
                "%(n)s分以上でお選びください。", field="ends", n=self.config.minimum_minutes
            )

    def week(self, monday: date, held: Sequence[Held]) -> dict[date, list[tuple[str, Slot]]]:
        """For each of seven days what the times are at which a shortest use can begin, whatever the
        day.
        """
        days = [monday + timedelta(days=n) for n in range(7)]
        return {
            day: [(start, self._slot(at_clock(day, start), held)) for start in self.starts()]
            for day in days
        }

    def free_spans(self, day: date, held: Sequence[Held]) -> list[FreeSpan]:
        """The spans of a day within which any use of the shortest length or more can be had."""
        free = [
            start for start in self.starts() if self._slot(at_clock(day, start), held) is Slot.FREE
        ]
        spans: list[FreeSpan] = []
        last_start = None
        for start in free:
            end = self._end_of_shortest(start)
            # Starts that follow one another without a gap are one span.
            if last_start == minutes_of(start) - self.config.slot_minutes:
                spans[-1] = FreeSpan(spans[-1].starts, end, start)
            else:
                spans.append(FreeSpan(start, end, start))
            last_start = minutes_of(start)
        return spans

    def _end_of_shortest(self, start: str) -> str:
        """The clock time at which the shortest use from `start` ends."""
        return clock_time_of(minutes_of(start) + self.config.minimum_minutes)

    def _slot(self, at: datetime, held: Sequence[Held]) -> Slot:
        end = at + timedelta(minutes=self.config.minimum_minutes)
        if not self.is_open(to_local(at).date()):
            return Slot.CLOSED
        try:
            self.check(at, end)
        except RuleBroken:
            return Slot.OFF
        if not meets(self.hold(at, end), held):
            return Slot.FREE
        return Slot.TAKEN if self._meets_a_use(at, end, held) else Slot.BUFFER


def meets(wanted: Held, held: Sequence[Held]) -> bool:
    """Whether any of `held` shares a moment with `wanted`; touching is not meeting."""
    return any(
        other.starts_at < wanted.held_until and wanted.starts_at < other.held_until
        for other in held
    )


def clock_time_of(minutes: int) -> str:
    """Minutes since midnight as ``09:30``."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def at_clock(day: date, clock_time: str) -> datetime:
    """The instant (UTC) of a clock time of `day` in Tokyo; ``24:00`` begins the next day."""
    # Added to midnight, since no clock shows 24:00; Japan has no summer time to reckon with.
    local = datetime.combine(day, time(), TOKYO) + timedelta(minutes=minutes_of(clock_time))
    return local.astimezone(UTC)


def monday_of(day: date) -> date:
    """The Monday of the week of `day`."""
    return day - timedelta(days=day.weekday())
