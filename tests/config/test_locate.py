"""Where each key of a TOML file stands (OPS-02)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.config.config_errors import KeyPath, LineNumbers, dotted
from portal.settings import ROOT

TEXT = '''\
# a comment with [brackets] and key = "value"
title = "one"   # not = this

[a.b]
"quoted key" = 1
'literal.key' = 2
c . d = 3
text = """
[not.a.table]
e = 4
""""
raw = \'\'\'
"it's" = 5\'\'\'
f = 6
list = [
  1,  # ]
  "x]",
  [ 2,
    3 ],
  { g = 7, h = { i = "}" } },
]

[a]
j = 8

[[a.items]]
k = 9
[[a.items]]
k = 10
[a.items.sub]
l = 11
[[a.items.deep]]
m = 12
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("title",), 2),
        (("a", "b"), 4),
        (("a", "b", "quoted key"), 5),
        (("a", "b", "literal.key"), 6),
        (("a", "b", "c"), 7),
        (("a", "b", "c", "d"), 7),
        (("a", "b", "text"), 8),
        (("a", "b", "raw"), 12),
        (("a", "b", "f"), 14),
        (("a", "b", "list", 0), 16),
        (("a", "b", "list", 1), 17),
        (("a", "b", "list", 2, 1), 19),
        (("a", "b", "list", 3, "h", "i"), 20),
        (("a",), 23),
        (("a", "j"), 24),
        (("a", "items"), 26),
        (("a", "items", 0, "k"), 27),
        (("a", "items", 1), 28),
        (("a", "items", 1, "k"), 29),
        (("a", "items", 1, "sub", "l"), 31),
        (("a", "items", 1, "deep", 0, "m"), 33),
    ],
)
def test_every_key_is_found_on_its_line(path: KeyPath, line: int) -> None:
    assert LineNumbers(TEXT).nearest(path) == line
    assert LineNumbers(TEXT).get(path) == line


@pytest.mark.parametrize(
    ("path", "line"),
    [(("a", "b", "missing"), 4), (("a", "items", 1, "none", "x"), 28), (("else",), 1)],
)
def test_a_key_that_does_not_stand_there_is_placed_at_its_nearest_ancestor(
    path: KeyPath, line: int
) -> None:
    assert LineNumbers(TEXT).nearest(path) == line
    assert LineNumbers(TEXT).get(path) is None


def test_windows_line_ends_count_the_same() -> None:
    assert LineNumbers(TEXT.replace("\n", "\r\n")).nearest(("a", "items", 1, "k")) == 29


def test_paths_read_as_an_admin_writes_them() -> None:
    assert (
        dotted(("tenants", "x", "calendar", "closed", 0, "first"))
        == "tenants.x.calendar.closed[0].first"
    )


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*path, index))


@pytest.mark.parametrize("file", ["tenants.toml", "tests/tenants.toml"])
def test_in_a_real_file_each_line_names_the_key_it_is_given_for(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    lines, located = text.split("\n"), LineNumbers(text)
    for path in _paths(tomllib.loads(text)):
        name = next(part for part in reversed(path) if isinstance(part, str))
        assert name in lines[located.nearest(path) - 1], path


@given(st.text(alphabet="ab[]{}=.,\"'\\#\n \t1", max_size=60))
def test_the_scanner_ends_on_any_text(text: str) -> None:
    assert 1 <= LineNumbers(text).nearest(("a", "b")) <= text.count("\n") + 1
