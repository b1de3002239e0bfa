"""COM-20: a card of the top page is made by the list that it leads to, so that its number is that list's."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.meta.counts import ROOT

MAKER = Path("portal/web/lists.py")


def makers_of_cards() -> set[Path]:
    """The files in which an `Attention` is made."""
    found: set[Path] = set()
    for path in sorted((ROOT / "portal").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) == "Attention":
                found.add(path.relative_to(ROOT))
    return found


def _name(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def test_a_number_on_a_card_is_counted_by_its_list_alone() -> None:
    """COM-20: nobody counts in one way and lists in another."""
    assert makers_of_cards() == {MAKER}
