"""What the orders of all brands have in common, whatever they are called there: columns, copies,
states, leaving.

An order keeps names, addresses and prices as they were when it was made (COM-33); each step of its
life is one conditional UPDATE, an audit row and a mail to its contact person.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    JSON,
    ColumnElement,
    Select,
    String,
    Text,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from portal.config import Tenant
from portal.core import (
    ALLOWED,
    ID,
    Actor,
    Decision,
    PageLink,
    Row,
    RuleBroken,
    clock,
    csvio,
    gettext_noop,
    states,
)
from portal.core.db import Numbered, get_or_404, session, tenant_fk, tenant_table_args, update_where
from portal.shared import imports, notifications
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.account_hooks import AccountHooks, OpenBusiness
from portal.shared.accounts.models import Account, Member
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Address
from portal.shared.contacts.models import Kind as AddressKind
from portal.shared.documents import operations as documents
from portal.shared.notifications import Kind

_PERSON = ("name", "department", "telephone", "email")
_ADDRESS = ("name", "department", "person", "postal_code")


class OrderMixin(Numbered):
    """The columns of what an account orders and is billed for; the brand adds `status` and what is
    ordered.

    `lines` are bill_lines.to_json's, `total` is in yen with tax, both as billed; `contact` and `billing` are copies.
    `documents_due_at` is since when (UTC) documents are due that are not issued yet; None when none are.
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
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    total: Mapped[int | None] = mapped_column(ID)
    documents_due_at: Mapped[datetime | None]


M = TypeVar("M", bound=OrderMixin)


def order_table_args(*constraints: Any) -> tuple[Any, ...]:
    """`__table_args__` of a table of orders."""
    return tenant_table_args(
        tenant_fk("account_id", "account"), UniqueConstraint("tenant_id", "number"), *constraints
    )


class OrderQueries(Generic[M]):
    """The orders of a kind, as they are asked for.

    `awaiting` are the states in which somebody waits for something, first by `by`. `absent` is what
    members and operators are told of a number that is not there; the latter with %(number)s.
    """

    def __init__(
        self, model: type[M], awaiting: Collection[Any], by: Any, absent: tuple[str, str]
    ) -> None:
        self._model = model
        self._awaiting = awaiting
        self._by = by
        self._absent = absent

    def get(self, account_id: int, number: str) -> M:
        """The account's own order. Raises NotFound for anybody else's."""
        own = self._model.account_id == account_id, self._model.number == number
        return get_or_404(self._model, *own, absent=self._absent[0])

    def get_any(self, number: str) -> M:
        """An order of the tenant in scope, for operators. Raises NotFound."""
        return get_or_404(
            self._model, self._model.number == number, absent=self._absent[1], number=number
        )

    def worklist(self, status: Any = None, limit: int = 50) -> Sequence[M]:
        """For operators: in `status`, or all that await somebody, what is owed among them.

        An order that is over for the customer still awaits an operator while money for it is
        outstanding (a cancellation charge) or a document that is due has not been issued.
        """
        model: Any = self._model
        if status:
            filters = model.status == status
        else:
            filters = or_(
                model.status.in_(self._awaiting),
                and_(*is_unpaid(model)),
                model.documents_due_at.is_not(None),
            )
        found = select(self._model).where(filters).order_by(self._by, self._model.id)
        return session().scalars(found.limit(limit)).all()

    def newest_number(self, account_id: int) -> str:
        """The number of the account's newest, or nothing."""
        own = select(self._model.number).where(self._model.account_id == account_id)
        return (
            session().scalar(
                own.order_by(self._model.booked_at.desc(), self._model.id.desc()).limit(1)
            )
            or ""
        )


def is_unpaid(columns: Any) -> tuple[ColumnElement[bool], ...]:
    """The criteria of an order (a model, or its table's columns) that is billed and not paid."""
    return (columns.total > 0, columns.paid_at.is_(None))


def is_overdue(columns: Any, today: Any) -> tuple[ColumnElement[bool], ...]:
    """The criteria of an order that is not paid though its due date is before `today` (a day, or
    what binds one).
    """
    return (*is_unpaid(columns), columns.due_date < today)


@dataclass(frozen=True)
class OrderWorkflow:
    """How the orders of a kind go on: their `moves`, and of each state the instant it sets and the
    sentence it mails.

    `mail` is the template, which knows the order by its table's name.
    """

    moves: Mapping[Any, frozenset[Any]]
    steps: Mapping[Any, tuple[str, str]]
    mail: str

    def can(self, order: Any, to: Any) -> Decision:
        """Whether the order can go to `to` now."""
        if states.allowed(self.moves, order.status, to):
            return ALLOWED
        return Decision(f"状態が「{order.status.label}」のため、「{to.label}」にはできません。")

    def move(self, tenant: Tenant, order: Any, to: StrEnum, *, by: Actor, **changes: Any) -> None:
        """Take the order to `to` and tell the customer.

        The caller commits. Raises RuleBroken, Stale.
        """
        self.can(order, to).require()
        states.move(order, to, self.moves, by=by, **{self.steps[to][0]: clock.now()}, **changes)
        self.notify(tenant, order)

    def transition(self, to: StrEnum) -> Callable[..., None]:
        """The operation that does no more than that."""

        def operation(tenant: Tenant, order: Any, *, by: Actor) -> None:
            self.move(tenant, order, to, by=by)

        return operation

    def notify(
        self,
        tenant: Tenant,
        order: Any,
        sentence: str = "",
        *,
        label: str = "",
        kind: Kind = Kind.STATUS,
    ) -> None:
        """Mail the contact person what became of their order, in the same transaction."""
        said = {
            "sentence": sentence or self.steps[order.status][1],
            "label": label or order.status.label,
        }
        facts = {order.__tablename__: order, **said}
        notifications.send(
            tenant, kind, self.mail, order.contact["email"], account_id=order.account_id, **facts
        )

    def remind(
        self, tenant: Tenant, due: Select[Any], instant: str, sentence: str, label: str
    ) -> int:
        """Mail a reminder of each order in `due` whose `instant` is not set yet; returns how many.

        No commit.
        """
        found = [order for order in session().scalars(due.limit(500)) if set_once(order, instant)]
        for order in found:
            self.notify(tenant, order, sentence, label=label, kind=Kind.REMINDERS)
        return len(found)


def set_once(order: Any, instant: str) -> bool:
    """Set an instant that is set once; False when somebody was quicker."""
    model = type(order)
    was_first = (
        update_where(
            model, model.id == order.id, getattr(model, instant).is_(None), **{instant: clock.now()}
        )
        == 1
    )
    session().refresh(order)
    return was_first


def contact_copy(member: Member) -> dict[str, str]:
    """The contact person as they are today; later changes do not reach the order."""
    return {name: getattr(member, name) for name in _PERSON}


def billing_copy(account: Account, member: Member) -> dict[str, str]:
    """The billing address as it is today: the usual one of the book, else the account's own
    (COM-31, COM-33).
    """
    usual = contacts.usual(account.id, AddressKind.BILLING)
    if usual:
        return address_copy(usual)
    own = {"name": account.name, "department": member.department, "person": member.name}
    return own | {"postal_code": account.postal_code, "address": account.address}


class Customers:
    """Whose the imported orders of one file are, by 会員番号; each is looked up once for all its rows."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any] | str] = {}

    def of(self, row: Row) -> dict[str, Any]:
        """The account's id, and copies of its contact person and billing address as of today.

        Raises RuleBroken.
        """
        number = row.text("会員番号", imports.KEY, required=True)
        if number not in self._known:
            self._known[number] = _customer(number)
        found = self._known[number]
        if isinstance(found, str):
            raise RuleBroken(found, field="会員番号")
        return found


def _customer(number: str) -> dict[str, Any] | str:
    """What an order of this customer copies, or why there can be none."""
    try:
        account = accounts.find_account(number)
        contact = accounts.representative(account)
    except RuleBroken as error:
        return str(error)
    return {
        "account_id": account.id,
        "contact": contact_copy(contact),
        "billing": billing_copy(account, contact),
    }


def address_copy(address: Address) -> dict[str, str]:
    """An address of the book as it is today."""
    return {name: getattr(address, name) for name in (*_ADDRESS, "address")}


def _exported(order: Any, attributes: Iterable[str]) -> list[Any]:
    """An order's cells in the account's export; what has a label is told by it."""
    values = [getattr(order, name) for name in attributes]
    return [getattr(value, "label", value) for value in values]


def _erase_persons(model: Any, account: Account, personal: Collection[str]) -> None:
    """Blank who ordered and where the bill went, and the texts in `personal`; what was ordered
    stays.
    """
    emptied: dict[str, Any] = dict.fromkeys(personal, "")
    emptied["remarks"] = ""
    emptied["documents_due_at"] = None  # what is issued later would name nobody
    emptied["contact"] = dict.fromkeys(_PERSON, "")
    emptied["billing"] = dict.fromkeys((*_ADDRESS, "address"), "") | {"name": account.number}
    update_where(model, model.account_id == account.id, **emptied)


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
    model: Any,
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

    def own(account: Account) -> Select[Any]:
        mine = select(model).where(model.account_id == account.id)
        return mine.order_by(model.booked_at, model.id)

    def open_business(_tenant: Tenant, account: Account) -> Iterator[OpenBusiness]:
        for kind in open_kinds:
            filters = (model.account_id == account.id, kind.criterion)
            count = session().scalar(select(func.count(model.id)).where(*filters)) or 0
            if count:
                message = RuleBroken(kind.message, count=count, status=RuleBroken(kind.status))
                yield OpenBusiness(message=message, remedy=kind.remedy, link=kind.link)

    def papers(_tenant: Tenant, account: Account) -> Iterator[tuple[str, bytes]]:
        rows = (_exported(order, columns.values()) for order in session().scalars(own(account)))
        yield f"{model.__tablename__}s.csv", b"".join(csvio.write_csv(rows, tuple(columns)))
        yield from documents.all_of(account.id)

    def erase(account: Account) -> None:
        _erase_persons(model, account, personal)

    return AccountHooks(open_business=open_business, export_files=papers, erase=erase)
