"""What a reservation is billed for, put there for tests that begin in the middle of its life."""

from __future__ import annotations

from collections.abc import Sequence

from portal.blueprints.facility import operations
from portal.blueprints.facility.billing_items import use_item
from portal.blueprints.facility.models import Reservation
from portal.config import Tenant
from portal.core import SYSTEM, session
from portal.shared.billing.lines import BillLine
from portal.shared.invoicing.items import replace_lines, totals_of
from portal.shared.invoicing.models import Invoice


def billed_for(tenant: Tenant, reservation: Reservation, lines: Sequence[BillLine]) -> Invoice:
    """Its invoice, made or changed so that it is for these lines; the reservation says its total."""
    known = operations.money(reservation)
    total = totals_of(tenant, lines).total
    if known.items:
        replace_lines(known.items[-1], lines)
        known.invoices[-1].total = total
    else:
        draft = use_item(reservation)
        reservation.due_date = operations.BILLING.bill(tenant, draft, lines, by=SYSTEM).due_date
    reservation.total = total
    session().flush()
    return operations.money(reservation).invoices[-1]
