"""security.md §4.5 (COM-10): every try counts, also those made at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from portal.core.db import session
from portal.shared.auth import throttling


def test_com_10_tries_are_counted_exactly(together: Callable[..., list[Any]]) -> None:
    """COM-10: of twelve tries at once with a limit of ten, two are refused."""

    def attempt(_turn: int) -> str:
        try:
            throttling.count("race", "hanako", limit=10, window=timedelta(minutes=5))
        except throttling.TooMany:
            return "refused"
        finally:
            session().commit()
        return "let through"

    results = together(12, attempt)
    assert (results.count("let through"), results.count("refused")) == (10, 2)
