"""The checklist of what must hold for safety: each row is named by a test that proves it (security.md §4)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.meta.counts import files

ROWS = range(1, 30)
NOT_YET: dict[int, str] = {}
_CITED = re.compile(r"§4\.(\d+)(?!\d)(?:–(\d+))?")


def cited(docstring: str) -> Iterator[int]:
    """The rows that a docstring names, one by one or as a span."""
    for first, last in _CITED.findall(docstring):
        yield from range(int(first), int(last or first) + 1)


def docstrings() -> Iterator[str]:
    """What each test, and each file of tests, says it proves."""
    for path in files("tests", "test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Module) or (
                isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            ):
                yield ast.get_docstring(node) or ""


def test_every_row_has_a_test_that_names_it() -> None:
    named = {row for docstring in docstrings() for row in cited(docstring)}
    assert sorted(set(ROWS) - named - set(NOT_YET)) == []


def test_what_is_not_there_yet_is_not_named_all_the_same() -> None:
    named = {row for docstring in docstrings() for row in cited(docstring)}
    assert sorted(set(NOT_YET) & named) == [], "take it out of NOT_YET"


def test_a_row_is_not_taken_for_another() -> None:
    assert list(cited("security.md §4.20, §4.5 and §4.13–15")) == [20, 5, 13, 14, 15]
