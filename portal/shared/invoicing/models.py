"""The rows of money: what is to be billed, what was billed, what was received and given back.

Amounts are whole yen. A balance is never stored as such: `Invoice.balance` and `Payment.rest` are
differences of columns that change by guarded UPDATEs, and the database refuses those below zero.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import JSON, CheckConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import ID, Base, TenantOwned, index_where, tenant_fk, tenant_table_args
from portal.core.db import Quantity
from portal.shared.billing.lines import BillLine


class Invoice(TenantOwned, Base):
    """One claim on an account, over one order or many (請求).

    `number` is that of the newest document about it, empty before the first one and for what an
    earlier system billed. `billing` and `contact` are copies, as the orders had them (COM-33).
    `total` contains the tax, `credited` is the sum of its credit notes, `received` that of its
    allocations.
    """

    __tablename__ = "invoice"
    account_id: Mapped[int] = mapped_column(ID)
    order_kind: Mapped[str] = mapped_column(String(30))
    number: Mapped[str] = mapped_column(String(30), default="")
    billing: Mapped[dict[str, str]] = mapped_column(JSON)
    contact: Mapped[dict[str, str]] = mapped_column(JSON)
    traded_on: Mapped[date]
    closed_on: Mapped[date | None]
    due_on: Mapped[date | None]
    total: Mapped[int] = mapped_column(ID)
    credited: Mapped[int] = mapped_column(ID, default=0)
    received: Mapped[int] = mapped_column(ID, default=0)
    billed_at: Mapped[datetime]
    reminded_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        CheckConstraint("credited >= 0 AND received >= 0", name="parts"),
        # The last defence: whatever a program does, more than was billed cannot be received.
        CheckConstraint("credited + received <= total", name="balance"),
        # Those that are not issued yet have no number, and there may be many.
        index_where("uq_invoice_number", "number", where="number <> ''"),
        Index("ix_invoice_mine", "tenant_id", "account_id", "billed_at", "id"),
        index_where(
            "ix_invoice_open", "due_on", "id", where="credited + received < total", unique=False
        ),
    )

    @property
    def balance(self) -> int:
        """What is still owed of it, in yen; never below zero."""
        return self.total - self.credited - self.received

    @property
    def subject(self) -> str:
        """How the audit trail names this invoice."""
        return f"invoice:{self.number or self.id}"


class InvoiceItem(TenantOwned, Base):
    """What one order is to be billed for, pending while it is on no invoice.

    `about` is the order's number, `order_kind` its table; `title` says what it is for, `day_label`
    heads the days of its lines, `facts` (label and value) stand beside the dates.
    """

    __tablename__ = "invoice_item"
    account_id: Mapped[int] = mapped_column(ID)
    invoice_id: Mapped[int | None] = mapped_column(ID)
    order_kind: Mapped[str] = mapped_column(String(30))
    about: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(200), default="")
    day_label: Mapped[str] = mapped_column(String(20), default="")
    facts: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    traded_on: Mapped[date]
    billing: Mapped[dict[str, str]] = mapped_column(JSON)
    contact: Mapped[dict[str, str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        tenant_fk("invoice_id", "invoice"),
        Index("ix_invoice_item_about", "tenant_id", "order_kind", "about", "id"),
        Index("ix_invoice_item_invoice", "tenant_id", "invoice_id", "id"),
        index_where(
            "ix_invoice_item_pending",
            "traded_on",
            "account_id",
            "id",
            where="invoice_id IS NULL",
            unique=False,
        ),
    )


class CreditNote(TenantOwned, Base):
    """What was given back of an invoice after it was issued: 適格返還請求書 (COM-71).

    `total` is a positive amount of yen with tax.
    """

    __tablename__ = "credit_note"
    account_id: Mapped[int] = mapped_column(ID)
    invoice_id: Mapped[int] = mapped_column(ID)
    number: Mapped[str] = mapped_column(String(30))
    reason: Mapped[str] = mapped_column(Text)
    total: Mapped[int] = mapped_column(ID)
    credited_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        tenant_fk("invoice_id", "invoice"),
        CheckConstraint("total > 0", name="total"),
        UniqueConstraint("tenant_id", "number"),
        Index("ix_credit_note_invoice", "tenant_id", "invoice_id", "id"),
    )


class InvoiceLine(TenantOwned, Base):
    """One line of an item, or of a credit note: a `BillLine` as a row."""

    __tablename__ = "invoice_line"
    item_id: Mapped[int | None] = mapped_column(ID)
    credit_note_id: Mapped[int | None] = mapped_column(ID)
    position: Mapped[int]
    description: Mapped[str] = mapped_column(Text)
    quantity: Mapped[Decimal] = mapped_column(Quantity())
    unit: Mapped[str] = mapped_column(String(40))
    unit_price: Mapped[int] = mapped_column(ID)
    rate: Mapped[int]
    is_reduced: Mapped[bool] = mapped_column(default=False)
    day: Mapped[date | None]
    __table_args__ = tenant_table_args(
        tenant_fk("item_id", "invoice_item"),
        tenant_fk("credit_note_id", "credit_note"),
        CheckConstraint("(item_id IS NULL) <> (credit_note_id IS NULL)", name="one_owner"),
        Index("ix_invoice_line_item", "tenant_id", "item_id", "position"),
        Index("ix_invoice_line_credit_note", "tenant_id", "credit_note_id", "position"),
    )

    @property
    def bill_line(self) -> BillLine:
        """The line as it is reckoned with and printed."""
        # Whole numbers as int, since normalize() makes 1E+2 of 100; of others it drops the zeros
        # that thousandths bring along.
        whole = self.quantity == self.quantity.to_integral_value()
        quantity = int(self.quantity) if whole else self.quantity.normalize()
        return BillLine(
            self.description,
            quantity,
            self.unit,
            self.unit_price,
            self.rate,
            reduced=self.is_reduced,
            day=self.day,
        )


class Payment(TenantOwned, Base):
    """Money that was received from an account on a day (Asia/Tokyo).

    `allocated` is the sum of what invoices got of it, `refunded` what was paid back. What is left
    is the account's: it was paid too much, or before its invoice.
    """

    __tablename__ = "payment"
    account_id: Mapped[int] = mapped_column(ID)
    number: Mapped[str] = mapped_column(String(30))
    amount: Mapped[int] = mapped_column(ID)
    received_on: Mapped[date]
    method: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(String(200), default="")
    allocated: Mapped[int] = mapped_column(ID, default=0)
    refunded: Mapped[int] = mapped_column(ID, default=0)
    receipt_number: Mapped[str] = mapped_column(String(30), default="")
    recorded_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        UniqueConstraint("tenant_id", "number"),
        CheckConstraint("amount > 0 AND allocated >= 0 AND refunded >= 0", name="parts"),
        CheckConstraint("allocated + refunded <= amount", name="rest"),
        Index("ix_payment_mine", "tenant_id", "account_id", "received_on", "id"),
        index_where(
            "ix_payment_rest",
            "received_on",
            "id",
            where="allocated + refunded < amount",
            unique=False,
        ),
    )

    @property
    def rest(self) -> int:
        """What is neither allocated nor paid back, in yen; never below zero."""
        return self.amount - self.allocated - self.refunded

    @property
    def subject(self) -> str:
        """How the audit trail names this payment."""
        return f"payment:{self.number}"


class PaymentAllocation(TenantOwned, Base):
    """A part of a payment that an invoice got; a negative one takes it away again.

    Rows are only added: the sum is what counts, and how it came about can be read.
    """

    __tablename__ = "payment_allocation"
    payment_id: Mapped[int] = mapped_column(ID)
    invoice_id: Mapped[int] = mapped_column(ID)
    amount: Mapped[int] = mapped_column(ID)
    allocated_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("payment_id", "payment"),
        tenant_fk("invoice_id", "invoice"),
        # Negative ones take back, so that rows are only ever added (see the grants in migrate.py).
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_payment_allocation_invoice", "tenant_id", "invoice_id", "payment_id"),
        Index("ix_payment_allocation_payment", "tenant_id", "payment_id", "invoice_id"),
    )


class PaymentRefund(TenantOwned, Base):
    """Money of a payment that was paid back to the account on a day (Asia/Tokyo)."""

    __tablename__ = "payment_refund"
    payment_id: Mapped[int] = mapped_column(ID)
    amount: Mapped[int] = mapped_column(ID)
    refunded_on: Mapped[date]
    method: Mapped[str] = mapped_column(String(20))
    recorded_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("payment_id", "payment"),
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_payment_refund_payment", "tenant_id", "payment_id", "id"),
    )
