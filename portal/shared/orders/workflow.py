"""How orders go on: states, instants, mails, reminders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select

from portal.config import Tenant
from portal.core import ALLOWED, Actor, Decision, LabelledEnum, clock, session, states, update_where
from portal.shared import notifications
from portal.shared.notifications import Kind
from portal.shared.orders.models import OrderMixin

S = TypeVar("S", bound=LabelledEnum)


@dataclass(frozen=True, slots=True)
class Step:
    """What comes with a state: the column that keeps when it was reached, and the mail's words."""

    instant: str
    subject: str
    sentence: str


@dataclass(frozen=True)
class OrderWorkflow(Generic[S]):
    """How the orders of a kind go on: their `moves`, and what comes with each state.

    `mail` is the template, which knows the order by its table's name; `endpoint` is the view of one
    order, by its number.
    """

    moves: Mapping[S, frozenset[S]]
    steps: Mapping[S, Step]
    mail: str
    endpoint: str

    def can(self, order: OrderMixin, to: S) -> Decision:
        """Whether the order can go to `to` now."""
        if states.allowed(self.moves, order.status, to):
            return ALLOWED
        return Decision(f"現在「{order.status.label}」のため、「{to.label}」にはできません。")

    def move(
        self, tenant: Tenant, order: OrderMixin, to: S, *, by: Actor, **changes: object
    ) -> None:
        """Take the order to `to`, with `changes` of its other columns, and tell the customer.

        The caller commits. Raises RuleBroken, Stale.
        """
        self.can(order, to).require()
        # With the state in one UPDATE: there is no moment in which one is set without the other.
        changes[self.steps[to].instant] = clock.now()
        states.move(order, to, self.moves, by=by, **changes)
        self.notify(tenant, order)

    def notify(
        self,
        tenant: Tenant,
        order: OrderMixin,
        sentence: str = "",
        *,
        subject: str = "",
        kind: Kind = Kind.STATUS,
    ) -> None:
        """Mail the contact person what became of their order, in the same transaction."""
        facts: dict[str, object] = {
            order.__tablename__: order,
            "sentence": sentence or self.steps[order.status].sentence,
            "subject": subject or self.steps[order.status].subject,
            "link": tenant.url_to(self.endpoint, number=order.number),
        }
        notifications.send(
            tenant, kind, self.mail, order.contact["email"], account_id=order.account_id, **facts
        )

    def remind(
        self, tenant: Tenant, due: Select[Any], instant: str, sentence: str, subject: str
    ) -> int:
        """Mail a reminder of each order in `due` whose `instant` is not set yet; returns how many.

        No commit.
        """
        # Marked before it is mailed: of two workers at once, one finds the instant set. 500 at a
        # time; the next round takes the others.
        found = [order for order in session().scalars(due.limit(500)) if set_once(order, instant)]
        for order in found:
            self.notify(tenant, order, sentence, subject=subject, kind=Kind.REMINDERS)
        return len(found)


def set_once(order: OrderMixin, instant: str) -> bool:
    """Set an instant that is set once; False when somebody was quicker."""
    model = type(order)
    is_unset = getattr(model, instant).is_(None)
    changed = update_where(model, model.id == order.id, is_unset, **{instant: clock.now()})
    session().refresh(order)
    return changed == 1
