"""When the demo's operators work: on the brand's open days, from 9:20 to 17:00 in Tokyo."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from portal.core import clock
from portal.core.business_days import first_open

_OPENS = time(9, 20)
_CLOSES = time(17, 0)


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """Office hours of a brand whose calendar says which days are open."""

    is_open: Callable[[date], bool]

    def at_or_after(self, instant: datetime) -> datetime:
        """`instant` if somebody is at work then, else the next time that somebody begins.

        Aware UTC.
        """
        local = clock.to_local(instant)
        day = local.date()
        if local.time() > _CLOSES:
            day += timedelta(days=1)
        working = first_open(day, self.is_open)
        if working == local.date() and _OPENS <= local.time() <= _CLOSES:
            return instant
        # Not everybody is served at the stroke of the bell.
        late = timedelta(minutes=(local.minute * 7) % 50)
        return clock.local(working.year, working.month, working.day, 9, 20) + late
