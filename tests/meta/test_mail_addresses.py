"""Addresses in mails that come in are parsed in one place, by the strict parser (SUP-12)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meta.counts import ROOT

LENIENT = {"parseaddr", "getaddresses"}
"""From email.utils: they make one address out of what holds two."""


def lenient_uses(source: str) -> Iterator[int]:
    """The lines on which a lenient parser is imported or called."""
    for node in ast.walk(ast.parse(source)):
        imported = isinstance(node, ast.ImportFrom) and any(
            name.name in LENIENT for name in node.names
        )
        named = isinstance(node, ast.Attribute) and node.attr in LENIENT
        called = isinstance(node, ast.Name) and node.id in LENIENT
        if imported or named or called:
            yield int(getattr(node, "lineno", 0))


def programs() -> list[Path]:
    folders = ("portal", "demo", "scripts", "migrations")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_address_is_parsed_leniently() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in programs()
        for line in lenient_uses(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "from email.utils import parseaddr",
        "import email.utils\nemail.utils.getaddresses([])",
        "from email.utils import getaddresses as read",
    ],
)
def test_the_check_sees_a_lenient_parser(source: str) -> None:
    assert list(lenient_uses(source))
