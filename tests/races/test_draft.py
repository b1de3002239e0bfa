"""COM-22: a form sent twenty times at once counts once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.core.db import session
from portal.shared import drafts
from portal.shared.drafts import DraftKey

RACE = DraftKey(kind="race", subject="new", member_id=1)


def test_com_22_draft_is_consumed_once(
    together: Callable[..., list[Any]], inside: Callable[[str], Any]
) -> None:
    """COM-22: one of twenty gets the draft, the others learn that it is used."""
    with inside("facility"):
        token = drafts.keep(RACE, {"name": "花子"})
        session().commit()

    def take(_turn: int) -> Any:
        found = drafts.consume(RACE, token)
        session().commit()
        return found

    results = together(12, take)
    assert sorted(map(str, results)) == sorted([str({"name": "花子"}), *["None"] * 11])
