"""The orders of a kind, as they are asked for."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from portal.core.db import get_or_404, session
from portal.shared.invoicing.queries import overpaid_orders
from portal.shared.orders.models import OrderMixin

M = TypeVar("M", bound=OrderMixin)


class OrderQueries(Generic[M]):
    """The orders of a kind, as they are asked for.

    `awaiting` are the states in which somebody waits for something, first by `by`. `absent` is what
    members are told of a number that is not there, `absent_for_operators` names it: %(number)s.
    """

    def __init__(
        self,
        model: type[M],
        *,
        awaiting: Collection[StrEnum],
        by: InstrumentedAttribute[Any],
        absent: str,
        absent_for_operators: str,
    ) -> None:
        self._model = model
        self._awaiting = awaiting
        self._by = by
        self._absent = absent
        self._absent_for_operators = absent_for_operators

    def get(self, account_id: int, number: str) -> M:
        """The account's own order. Raises NotFound for anybody else's."""
        # By the account as well: whose it is, is never asked afterwards (COM-02).
        filters = (self._model.account_id == account_id, self._model.number == number)
        return get_or_404(self._model, *filters, absent=self._absent)

    def get_any(self, number: str) -> M:
        """An order of the tenant in scope, for operators. Raises NotFound."""
        return get_or_404(
            self._model,
            self._model.number == number,
            absent=self._absent_for_operators,
            number=number,
        )

    def worklist(self, status: StrEnum | None = None, limit: int = 50) -> Sequence[M]:
        """For operators: in `status`, or all that await somebody, what is owed among them.

        An order that is over for the customer still awaits an operator while money for it is
        outstanding (a cancellation charge), while it was paid too much, and while a document that
        is due has not been issued.
        """
        model = self._model
        if status:
            filters = model.status == status
        else:
            # One statement, since a page of 50 is cut from all kinds together.
            filters = or_(
                model.status.in_(self._awaiting),
                and_(*is_unpaid(model)),
                model.documents_due_at.is_not(None),
                model.number.in_(overpaid_orders(model.__tablename__)),
            )
        found = select(model).where(filters).order_by(self._by, model.id)
        return session().scalars(found.limit(limit)).all()

    def newest_number(self, account_id: int) -> str:
        """The number of the account's newest, or nothing."""
        numbers = select(self._model.number).where(self._model.account_id == account_id)
        newest = numbers.order_by(self._model.booked_at.desc(), self._model.id.desc())
        return session().scalar(newest.limit(1)) or ""


def is_unpaid(columns: Any) -> tuple[ColumnElement[bool], ...]:
    """The criteria of an order (a model, or its table's columns) that is billed and not paid."""
    return (columns.total > 0, columns.paid_at.is_(None))


def is_overdue(columns: Any, today: Any) -> tuple[ColumnElement[bool], ...]:
    """The criteria of an order that is not paid though its due date is before `today` (a day, or
    what binds one).
    """
    return (*is_unpaid(columns), columns.due_date < today)
