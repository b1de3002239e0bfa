"""The one mover of states. A status changes by a conditional UPDATE and an audit row, or not at all."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar, cast

from portal.core import audit
from portal.core.actor import Actor
from portal.core.db import session, update_where
from portal.core.errors import RuleBroken, Stale

S = TypeVar("S", bound=StrEnum)
Moves = Mapping[S, frozenset[S]]


def allowed(moves: Moves[S], present: S, to: S) -> bool:
    """Whether the table of moves has this move."""
    return to in moves.get(present, frozenset())


def move(row: Any, to: S, moves: Moves[S], *, by: Actor, **changes: Any) -> None:
    """Move `row`, which has a status, to `to`. Raises RuleBroken for no such move, Stale when somebody was faster."""
    present = cast(S, row.status)
    if not allowed(moves, present, to):
        raise RuleBroken("現在の状態では、この操作はできません。")
    model: Any = type(row)
    if not update_where(model, model.id == row.id, model.status == present, status=to, **changes):
        raise Stale("別の画面またはほかの方が先に更新しました。画面を読み込み直してください。")
    session().refresh(row)
    audit.record(
        f"{model.__tablename__}.{to.value}", row, by=by, status=[present.value, to.value], **changes
    )
