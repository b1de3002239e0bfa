"""Whether an answer's time tells what it must not (security.md §4.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

TURNS, ROUNDS = 25, 4


def assert_alike(kinds: Iterable[str], answer: Callable[[str, int], None], ratio: float) -> int:
    """Fail when the kinds' quickest `answer(kind, turn)` differ by `ratio` in each of four rounds; return the turns.

    The kinds are asked in turns. What is done for one kind and not for another is in its quickest answer too; what a
    busy machine adds is not. One that was busy all along is measured again.
    """
    quickest: list[float] = []
    for done in range(ROUNDS):
        took: dict[str, list[float]] = {kind: [] for kind in kinds}
        for turn in range(done * TURNS, (done + 1) * TURNS):
            for kind, times in took.items():
                start = time.perf_counter()
                answer(kind, turn)
                times.append(time.perf_counter() - start)
        quickest = [min(times[5:]) for times in took.values()]
        if max(quickest) < min(quickest) * ratio:
            return (done + 1) * TURNS
    raise AssertionError(f"the time tells one from the other: {quickest}")
