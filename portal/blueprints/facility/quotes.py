"""What a use will cost as far as that is known before it: facility, options, tax (FAC-11).

Amounts are whole yen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter

from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.models import Facility
from portal.config import Tenant
from portal.shared.billing.rates import rates_in_effect
from portal.shared.billing.tax import Rounding, TaxLine, Totals, totals_excluded


@dataclass(frozen=True, slots=True)
class Quote:
    """A facility's price and those of the options, without tax, and what they come to at the usual
    tax rate.

    `unpriced` are the options whose price is only known after the use.
    """

    facility_price: int
    option_prices: Mapping[str, int]
    unpriced: Sequence[str]
    totals: Totals


def price_of(facility: Facility, starts_at: datetime, ends_at: datetime) -> int:
    """By the hour, at most the day's price: yen without tax, a part of a yen dropped."""
    minutes = int((ends_at - starts_at).total_seconds()) // 60
    # Whole yen, rounded in the customer's favour.
    return min(facility.hourly_price * minutes // 60, facility.daily_price)


def prices_of(tenant: Tenant, options: Sequence[str]) -> dict[str, int]:
    """Today's prices of these options, in yen without tax for one use; those without a price are
    left out.
    """
    config: FacilityConfig = tenant.section("facility")
    return {name: config.option_prices[name] for name in options if name in config.option_prices}


def quote(
    tenant: Tenant,
    facility_price: int,
    options: Sequence[str],
    option_prices: Mapping[str, int],
    day: date,
) -> Quote:
    """The quote for a use on `day` (Asia/Tokyo), taxed once at the usual rate of that day."""
    net = facility_price + sum(option_prices.values())
    line = TaxLine(net, _usual_rate(tenant, day))
    return Quote(
        facility_price=facility_price,
        option_prices=option_prices,
        # They are named, so that nobody takes the quote for all there is to pay.
        unpriced=[name for name in options if name not in option_prices],
        totals=totals_excluded([line], Rounding(tenant.tax.rounding)),
    )


def _usual_rate(tenant: Tenant, day: date) -> int:
    """The standard rate of consumption tax on `day`, in percent."""
    standard = [rate for rate in tenant.tax.rates if not rate.reduced]
    in_effect = rates_in_effect(standard, day)
    # Before the first of them: a day that only a configuration without its past can have.
    return (in_effect or sorted(standard, key=attrgetter("since")))[0].rate
