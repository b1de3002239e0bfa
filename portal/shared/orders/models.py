"""The columns of an order, and the copies that it keeps (COM-33)."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import JSON, FromClause, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import SchemaItem

from portal.core import ID, gettext_noop
from portal.core.db import Numbered, tenant_fk, tenant_table_args
from portal.shared.accounts.models import Account, Member
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Address
from portal.shared.contacts.models import Kind as AddressKind

PERSON = ("name", "department", "telephone", "email")
ADDRESS = ("name", "department", "person", "postal_code", "address")


class OrderMixin(Numbered):
    """The columns of what an account orders and is billed for; the brand adds what is ordered.

    `contact` and `billing` are copies. The lines that are billed, what was received and what is
    owed are rows of `shared/invoicing`; `total` (yen with tax), `due_date` and `paid_at` repeat for
    lists what follows from them: `paid_at` is when (UTC) the last of what was owed came in, None
    while anything is. `documents_due_at` is since when documents are due that are not issued yet.
    """

    account_id: Mapped[int] = mapped_column(ID)
    remarks: Mapped[str] = mapped_column(Text, default="")
    contact: Mapped[dict[str, str]] = mapped_column(JSON)
    billing: Mapped[dict[str, str]] = mapped_column(JSON)
    booked_at: Mapped[datetime]
    billed_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    payment_method: Mapped[str] = mapped_column(String(20), default=gettext_noop("銀行振込"))
    due_date: Mapped[date | None]
    total: Mapped[int | None] = mapped_column(ID)
    documents_due_at: Mapped[datetime | None]

    if TYPE_CHECKING:
        # Each brand maps its own states; only the type checker is told that there are some.
        status: Mapped[Any]
        __table__: ClassVar[FromClause]


def order_table_args(*constraints: SchemaItem) -> tuple[SchemaItem, ...]:
    """`__table_args__` of a table of orders."""
    return tenant_table_args(
        tenant_fk("account_id", "account"), UniqueConstraint("tenant_id", "number"), *constraints
    )


def contact_copy(member: Member) -> dict[str, str]:
    """The contact person as they are today; later changes do not reach the order."""
    return {name: getattr(member, name) for name in PERSON}


def billing_copy(account: Account, member: Member) -> dict[str, str]:
    """The billing address as it is today: the usual one of the book, else the account's own
    (COM-31, COM-33).
    """
    # Copied, not referred to: an address that changes later must not change what was ordered.
    usual = contacts.usual(account.id, AddressKind.BILLING)
    if usual:
        return address_copy(usual)
    return {
        "name": account.name,
        "department": member.department,
        "person": member.name,
        "postal_code": account.postal_code,
        "address": account.address,
    }


def address_copy(address: Address) -> dict[str, str]:
    """An address of the book as it is today."""
    return {name: getattr(address, name) for name in ADDRESS}
