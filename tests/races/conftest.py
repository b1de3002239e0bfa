"""Work done at the same moment from many threads, each with an application context and session of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from portal.core.db import tenant_scope

Together = Callable[..., list[Any]]


@pytest.fixture
def together(app: Flask) -> Together:
    """`together(count, work)`: `work(turn)` in that many threads at once, in the scope of "facility"; what they gave.

    An exception is given in place of a result. Each thread stands at the test's instant.
    """

    def run(count: int, work: Callable[[int], Any]) -> list[Any]:
        start = Barrier(count)

        def one(turn: int) -> Any:
            start.wait(10)
            try:
                with app.app_context(), tenant_scope("facility"):
                    return work(turn)
            except Exception as error:
                return error

        contexts = [copy_context() for _turn in range(count)]
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda turn: contexts[turn].run(one, turn), range(count)))

    return run
