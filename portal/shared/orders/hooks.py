"""The part of a brand's orders in the life of an account (COM-16)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from portal.config import Tenant
from portal.core import PageLink, RuleBroken, csvio, session, update_where
from portal.core.zips import Entry
from portal.shared.accounts.account_hooks import AccountHooks, OpenBusiness
from portal.shared.accounts.models import Account
from portal.shared.documents import operations as documents
from portal.shared.invoicing import account_part
from portal.shared.orders.models import ADDRESS, PERSON, OrderMixin


def _exported(order: OrderMixin, attributes: Iterable[str]) -> list[object]:
    """An order's cells in the account's export; what has a label is told by it."""
    values = [getattr(order, name) for name in attributes]
    return [getattr(value, "label", value) for value in values]


def _erase_persons(model: type[OrderMixin], account: Account, personal: Collection[str]) -> None:
    """Blank who ordered and where the bill went, and the texts in `personal`; what was ordered
    stays.
    """
    emptied: dict[str, Any] = dict.fromkeys(personal, "")
    emptied["remarks"] = ""
    emptied["documents_due_at"] = None  # what is issued later would name nobody
    # The account's number stands for the customer: bills must still be told apart.
    contact = dict.fromkeys(PERSON, "")
    billing = dict.fromkeys(ADDRESS, "") | {"name": account.number}
    update_where(model, model.account_id == account.id, contact=contact, billing=billing, **emptied)
    account_part.erase(account, billing, contact)


@dataclass(frozen=True, slots=True)
class OpenKind:
    """Orders of one kind that keep an account from leaving: those that meet `criterion`.

    `message` is told with their %(count)s and their %(status)s, if they share one (message ids
    all); `link` is the list of just these, `remedy` what the customer does about them.
    """

    criterion: ColumnElement[bool]
    message: str
    remedy: str
    link: PageLink
    status: str = ""


def account_hooks(
    model: type[OrderMixin],
    *,
    open_kinds: Sequence[OpenKind],
    columns: Mapping[str, str],
    personal: Collection[str] = (),
) -> AccountHooks:
    """A brand's part in an account's life as far as its orders go (COM-16).

    Those of `open_kinds` keep it from leaving. Those of the account and their documents are
    exported, `columns` being headings and attributes. What was ordered and billed stays, without
    the persons and without the texts in `personal`.
    """

    def orders_of(account: Account) -> Select[Any]:
        orders = select(model).where(model.account_id == account.id)
        return orders.order_by(model.booked_at, model.id)

    def open_business(_tenant: Tenant, account: Account) -> Iterator[OpenBusiness]:
        for kind in open_kinds:
            filters = (model.account_id == account.id, kind.criterion)
            count = session().scalar(select(func.count(model.id)).where(*filters)) or 0
            if count:
                message = RuleBroken(kind.message, count=count, status=RuleBroken(kind.status))
                yield OpenBusiness(message=message, remedy=kind.remedy, link=kind.link)

    def export_files(_tenant: Tenant, account: Account) -> Iterator[Entry]:
        orders = session().scalars(orders_of(account))
        rows = (_exported(order, columns.values()) for order in orders)
        yield f"{model.__tablename__}s.csv", b"".join(csvio.write_csv(rows, tuple(columns)))
        yield from account_part.export_files(account, model.__tablename__)
        yield from documents.all_of(account.id)

    def erase(account: Account) -> None:
        _erase_persons(model, account, personal)

    return AccountHooks(open_business=open_business, export_files=export_files, erase=erase)
