"""Whether an answer's time tells what it must not (security.md §4.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from statistics import median

from flask import Flask
from sqlalchemy import event

from portal.core.db import db

TURNS, ROUNDS = 35, 4


def assert_alike(kinds: Iterable[str], answer: Callable[[str, int], None], ratio: float) -> int:
    """Fail when the kinds' medians of `answer(kind, turn)` differ by `ratio` in each of four rounds; return the turns.

    The kinds are asked in turns. A machine that was busy with other things during one round is measured again.
    """
    usual: list[float] = []
    for done in range(ROUNDS):
        took: dict[str, list[float]] = {kind: [] for kind in kinds}
        for turn in range(done * TURNS, (done + 1) * TURNS):
            for kind, times in took.items():
                start = time.perf_counter()
                answer(kind, turn)
                times.append(time.perf_counter() - start)
        usual = [median(times[5:]) for times in took.values()]
        if max(usual) < min(usual) * ratio:
            return (done + 1) * TURNS
    raise AssertionError(f"the time tells one from the other: {usual}")


def assert_same_work(app: Flask, kinds: Iterable[str], answer: Callable[[str, int], None]) -> None:
    """Fail when one kind asks the database other statements than another; whether a step is kept or undone is equal."""
    asked: list[str] = []
    with app.app_context():
        event.listen(
            db.engine, "before_cursor_execute", lambda *call: asked.append(_kept_or_undone(call[2]))
        )
    work = {}
    for turn, kind in enumerate(kinds):
        asked.clear()
        answer(kind, turn)
        work[kind] = list(asked)
    assert all(work.values())
    assert len({tuple(of) for of in work.values()}) == 1, work


def _kept_or_undone(statement: str) -> str:
    return statement.replace("ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
