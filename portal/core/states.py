"""The one mover of states.

A status changes by a conditional UPDATE and an audit row, or not at all.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Protocol, TypeVar

from sqlalchemy import FromClause

from portal.core import audit
from portal.core.actor import Actor
from portal.core.db import session, update_where
from portal.core.errors import RuleBroken, Stale
from portal.tenancy.orm_guard import TenantOwned

S = TypeVar("S", bound=StrEnum)
Moves = Mapping[S, frozenset[S]]


class HasStatus(Protocol):
    """A mapped row with a status."""

    __tablename__: str
    __table__: ClassVar[FromClause]

    @property
    def id(self) -> int:
        """Its id within the tenant."""

    @property
    def subject(self) -> str:
        """How the audit trail names it."""

    @property
    def status(self) -> StrEnum:
        """Where it stands."""


def allowed(moves: Moves[S], present: StrEnum, to: S) -> bool:
    """Whether the table of moves has this move."""
    return any(to in targets for state, targets in moves.items() if state == present)


def move(row: HasStatus, to: S, moves: Moves[S], *, by: Actor, **changes: object) -> None:
    """Move `row` to the state `to`, together with `changes` of its other columns, and write the
    audit row.

    Raises RuleBroken where the table has no such move, and Stale when somebody was faster.
    """
    present = row.status
    if not allowed(moves, present, to):
        raise RuleBroken("現在の状態では、この操作はできません。")
    model = type(row)
    assert issubclass(model, TenantOwned)  # noqa: S101 - a row without a tenant has no status
    columns = row.__table__.c
    # The state stands in the WHERE: of two who move the row at once, one finds it moved already.
    is_where_it_was = (columns.id == row.id, columns.status == present)
    if not update_where(model, *is_where_it_was, status=to, **changes):
        raise Stale("別の画面またはほかの方が先に更新しました。画面を読み込み直してください。")
    session().refresh(row)
    status = [present.value, to.value]
    audit.record(f"{row.__tablename__}.{to.value}", row, by=by, status=status, **changes)
