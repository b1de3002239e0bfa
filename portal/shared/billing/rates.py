"""Which rates of consumption tax are in effect on a day (COM-71).

A rate is in effect until the next one of its kind begins: 8 % was the standard rate until
2019-09-30, and is the reduced one since.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from operator import attrgetter

from portal.config.schema_parts import TaxRate


def rates_in_effect(rates: Iterable[TaxRate], day: date) -> list[TaxRate]:
    """The standard rate of that day, then the reduced one, as far as they had begun."""
    begun = sorted((rate for rate in rates if rate.since <= day), key=attrgetter("since"))
    newest = {rate.reduced: rate for rate in begun}
    return [newest[reduced] for reduced in (False, True) if reduced in newest]


def last_day_of(percent: int, rates: Sequence[TaxRate], day: date) -> date | None:
    """The last day on which this rate was in effect; None where it is on `day` or never was."""
    if any(rate.rate == percent for rate in rates_in_effect(rates, day)):
        return None
    ended = [
        _following(rate, rates).since - timedelta(days=1)
        for rate in rates
        if rate.rate == percent and rate.since <= day
    ]
    return max(ended, default=None)


def _following(ended: TaxRate, rates: Iterable[TaxRate]) -> TaxRate:
    """The rate of its kind that came after one that has ended."""
    later = (one for one in rates if one.reduced == ended.reduced and one.since > ended.since)
    return min(later, key=attrgetter("since"))
