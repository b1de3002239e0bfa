"""COM-72: public numbers have no gap and no double, whoever takes them at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.core import numbering
from portal.core.db import session

_THREADS, _TAKES = 8, 25


def test_com_72_200_takers_leave_no_gap_and_no_double(together: Callable[..., list[Any]]) -> None:
    """COM-72: a rolled-back number is given to the next taker."""

    def take(turn: int) -> list[int]:
        kept = []
        for round_ in range(_TAKES):
            value = numbering.next_value("race")
            if (turn + round_) % 4 == 0:
                session().rollback()
                continue
            session().commit()
            kept.append(value)
        return kept

    taken = sorted(value for kept in together(_THREADS, take) for value in kept)
    assert taken == list(range(1, len(taken) + 1))
    assert len(taken) == _THREADS * _TAKES * 3 // 4
