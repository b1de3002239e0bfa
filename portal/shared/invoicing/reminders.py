"""What is owed and overdue is reminded once (COM-80)."""

from datetime import timedelta

from sqlalchemy import select

from portal.config import Tenant
from portal.core import clock, session, update_where
from portal.shared import notifications
from portal.shared.invoicing import issuing, queries
from portal.shared.invoicing.models import Invoice

_AT_ONCE = 500  # invoices in one transaction; the next round takes the others


def remind_overdue(tenant: Tenant) -> int:
    """Mail a reminder of each invoice that is overdue by the tenant's days; returns how many.

    The caller commits. Index: ix_invoice_open.
    """
    days = tenant.terms.remind_after_days
    if not days:
        return 0
    last = clock.today() - timedelta(days=days)
    overdue = (queries.IS_OPEN, Invoice.due_on <= last, Invoice.reminded_at.is_(None))
    found = select(Invoice).where(*overdue).order_by(Invoice.due_on, Invoice.id)
    return sum(_remind(tenant, invoice) for invoice in session().scalars(found.limit(_AT_ONCE)))


def _remind(tenant: Tenant, invoice: Invoice) -> bool:
    """Of two workers one reminds; whether it was this one, and there is somebody to remind."""
    # Marked in the transaction that stores the mail: a crash loses both or neither.
    is_first = (Invoice.id == invoice.id, Invoice.reminded_at.is_(None))
    if not update_where(Invoice, *is_first, reminded_at=clock.now()):
        return False
    if not invoice.contact["email"]:  # the account is erased: nobody is left to be told
        return False
    notifications.send(
        tenant,
        notifications.Kind.REMINDERS,
        "invoice_overdue",
        invoice.contact["email"],
        account_id=invoice.account_id,
        invoice=invoice,
        about=issuing.about(queries.items_on(invoice)),
        link=tenant.url_to("documents.index"),
    )
    return True
