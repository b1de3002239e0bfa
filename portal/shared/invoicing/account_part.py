"""What an account takes along of its money, and what is erased of it (COM-16)."""

from collections.abc import Iterator

from sqlalchemy import select

from portal.core import csvio, session, update_where
from portal.shared.accounts.models import Account
from portal.shared.invoicing.models import Invoice, InvoiceItem, Payment
from portal.shared.invoicing.queries import payments_of

_INVOICES = ("請求書番号", "取引日", "お支払期限", "ご請求金額", "減額", "ご入金", "未入金")
_PAYMENTS = ("入金番号", "入金日", "金額", "お支払方法", "ご返金", "領収書番号")


def export_files(account: Account, order_kind: str) -> Iterator[tuple[str, bytes]]:
    """The account's invoices of orders of a kind, and what was paid of them, as CSV."""
    filters = (Invoice.account_id == account.id, Invoice.order_kind == order_kind)
    invoices = session().scalars(select(Invoice).where(*filters).order_by(Invoice.id)).all()
    rows = [
        (
            invoice.number,
            invoice.traded_on,
            invoice.due_on,
            invoice.total,
            invoice.credited,
            invoice.received,
            invoice.balance,
        )
        for invoice in invoices
    ]
    yield f"{order_kind}_invoices.csv", b"".join(csvio.write_csv(rows, _INVOICES))
    payments = payments_of({invoice.id for invoice in invoices})
    paid = [_payment_row(payment) for payment in payments]
    yield f"{order_kind}_payments.csv", b"".join(csvio.write_csv(paid, _PAYMENTS))


def _payment_row(payment: Payment) -> tuple[object, ...]:
    return (
        payment.number,
        payment.received_on,
        payment.amount,
        payment.method,
        payment.refunded,
        payment.receipt_number,
    )


def erase(account: Account, billing: dict[str, str], contact: dict[str, str]) -> None:
    """Put `billing` and `contact`, which name nobody, in place of the copies of an account's bills.

    Amounts and dates stay: the law asks for them.
    """
    # The rows stay for as long as tax law keeps books (法人税法); only whom they name goes.
    # Documents are kept as issued, for the same reason.
    for model in (Invoice, InvoiceItem):
        update_where(model, model.account_id == account.id, billing=billing, contact=contact)
    update_where(Payment, Payment.account_id == account.id, note="")
