"""Invoices on a closing day (締め日): one for all that an account ordered until then (COM-71)."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import select

from portal.config import Tenant
from portal.core import ALLOWED, Actor, Decision, RuleBroken, clock, gettext_noop, session
from portal.shared import notifications
from portal.shared.accounts.models import Account
from portal.shared.billing.terms import closing_date
from portal.shared.invoicing import issuing, operations, queries
from portal.shared.invoicing.models import Invoice, InvoiceItem
from portal.shared.orders.billing import OrderBilling

_NO_CLOSING_DAY = gettext_noop("%(day)sは締め日ではありません。次の締め日は%(next)sです。")
_NOT_YET = gettext_noop("%(day)sはまだ来ていません。")


def last_closing(tenant: Tenant, day: date) -> date:
    """The last closing date before `day`."""
    closing_day = tenant.terms.closing_day
    found = closing_date(day.replace(day=1), closing_day)
    if found < day:
        return found
    # The closing day of this month is still to come: it is last month's.
    before = day.replace(day=1).toordinal() - 1
    return closing_date(date.fromordinal(before).replace(day=1), closing_day)


def can_close(tenant: Tenant, day: date) -> Decision:
    """Whether `day` is a closing date of the tenant's that has come."""
    following = closing_date(day, tenant.terms.closing_day)
    if following != day:
        refusal = RuleBroken(_NO_CLOSING_DAY, day=day.isoformat(), next=following.isoformat())
        return Decision(str(refusal))
    if day > clock.today():
        return Decision(str(RuleBroken(_NOT_YET, day=day.isoformat())))
    return ALLOWED


def close(
    billing: OrderBilling[Any], tenant: Tenant, day: date, *, by: Actor, is_dry_run: bool = False
) -> Iterator[Invoice]:
    """Bill and issue what is pending up to `day`: an invoice for each account and billing address.

    Each is a transaction of its own, rolled back in a dry run: what is done stays done when a later
    one fails, and the same day again finds nothing. Raises RuleBroken for a day that is none.
    """
    can_close(tenant, day).require()
    kind = billing.model.__tablename__
    pending = [item for item in queries.pending_items(day) if item.order_kind == kind]
    # Only the keys are kept: every account is a transaction of its own, with items read under its
    # lock.
    keys = sorted({_key(item) for item in pending})
    session().rollback()
    for account_id, address in keys:
        # Whoever closes the same account at the same moment waits here, and then finds nothing.
        session().execute(select(Account.id).where(Account.id == account_id).with_for_update())
        items = [
            item
            for item in queries.pending_items(day, account_id=account_id)
            if item.order_kind == kind and _key(item) == (account_id, address)
        ]
        if not items:
            session().rollback()
            continue
        yield _close_one(billing, tenant, items, day, by=by)
        if is_dry_run:
            session().rollback()
        else:
            session().commit()


def _key(item: InvoiceItem) -> tuple[int, str]:
    """What has the same is billed together."""
    # As text with sorted keys, since a dict can neither be sorted nor stand in a set.
    return item.account_id, json.dumps(item.billing, sort_keys=True, ensure_ascii=False)


def _close_one(
    billing: OrderBilling[Any], tenant: Tenant, items: list[InvoiceItem], day: date, *, by: Actor
) -> Invoice:
    invoice = operations.make_invoice(tenant, items, by=by, closed_on=day)
    issuing.issue_invoice(tenant, invoice, by=by)
    billing.take_due_date(invoice)
    notifications.send(
        tenant,
        notifications.Kind.STATUS,
        "invoice_closed",
        invoice.contact["email"],
        account_id=invoice.account_id,
        invoice=invoice,
        link=tenant.url_to("documents.index"),
    )
    return invoice


def close_due(billing: OrderBilling[Any], tenant: Tenant, *, by: Actor) -> int:
    """Close the last closing date once it is over, for the worker; returns how many invoices."""
    # Also where orders are billed one by one by now: what waited for a closing date still does.
    return sum(1 for _invoice in close(billing, tenant, last_closing(tenant, clock.today()), by=by))
