"""Which test proves which rule. `python -m tests.meta.rules` writes docs/rules.md.

A test names its rule (as in "COM-71") in its docstring, or as `com_71` in its name; an id in a module's docstring holds
for every test of that module.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.meta.counts import ROOT, files

HERE = Path(__file__).parent
TABLE = ROOT / "docs" / "rules.md"
_SYSTEMS = "COM|FAC|MOLD|SUP|RENT|SHOP|OPS"
_CITED = re.compile(rf"\b({_SYSTEMS})-(\d\d)\b")
_IN_NAME = re.compile(rf"_({_SYSTEMS.lower()})_(\d\d)(?=_|$)")


def delivered() -> dict[str, str]:
    """The rules of what is delivered, each in a few words."""
    lines = (HERE / "delivered.txt").read_text("utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def known() -> set[str]:
    """Every rule id there is."""
    ids = set()
    for line in (HERE / "known.txt").read_text("utf-8").splitlines():
        system, *spans = line.split()
        for first, last in (span.split("-") for span in spans):
            ids |= {f"{system}-{number:02}" for number in range(int(first), int(last) + 1)}
    return ids


def cited(text: str | None) -> set[str]:
    """The rule ids in a docstring."""
    return {"-".join(found) for found in _CITED.findall(text or "")}


def rules_of(source: str) -> Iterator[tuple[str, set[str]]]:
    """Each test function of a module with the rules it proves."""
    module = ast.parse(source)
    everywhere = cited(ast.get_docstring(module))
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            named = {f"{system.upper()}-{number}" for system, number in _IN_NAME.findall(node.name)}
            yield node.name, everywhere | named | cited(ast.get_docstring(node))


def proofs() -> dict[str, list[str]]:
    """Rule id → the tests that prove it, as `path::name`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in files("tests", "test_*.py"):
        for name, rules in rules_of(path.read_text("utf-8")):
            for rule in rules:
                found[rule].append(f"{path.relative_to(ROOT)}::{name}")
    return {rule: sorted(tests) for rule, tests in sorted(found.items())}


def _by_file(tests: list[str]) -> str:
    names: dict[str, int] = defaultdict(int)
    for test in tests:
        names[test.split("::")[0]] += 1
    return "<br>".join(f"`{path}` ({count})" for path, count in names.items())


def table() -> str:
    """The table as it should stand in docs/rules.md."""
    found, promised = proofs(), delivered()
    rows = [
        f"| {rule} | {title} | {_by_file(found.get(rule, []))} |"
        for rule, title in promised.items()
    ]
    later = [rule for rule in found if rule not in promised]
    lines = [
        "# Rule → tests",
        "",
        "Written by `make rules` from the tests' docstrings and names. The build fails when a delivered rule has",
        "no test. In brackets: how many tests of the file name the rule.",
        "",
        "| rule | in a few words | tests |",
        "|---|---|---|",
        *rows,
    ]
    if later:
        lines += [
            "",
            "## Named by tests, not delivered as a whole yet",
            "",
            "| rule | tests |",
            "|---|---|",
        ]
        lines += [f"| {rule} | {_by_file(found[rule])} |" for rule in later]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), "utf-8")
