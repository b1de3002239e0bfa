"""COM-23: what comes from outside is read in few places, within bounds.

Ruff's rules S (those of bandit) know no Flask; these do. Each looks at the source, and is tried on a line that
breaks it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.settings import ROOT

READERS = {"int", "float", "Decimal", "fromisoformat", "strptime", "fromtimestamp", "loads"}
"""What raises over some texts, or takes more than any database."""
IN_QUERY = ROOT / "portal" / "web" / "query.py"
TAKES_FILES = {
    ROOT / "portal" / "web" / "forms.py",
    ROOT / "portal" / "web" / "uploads.py",
    ROOT / "portal" / "web" / "interrupted.py",  # whether there were any, never what is in them
}
NO_FORM = {"json", "get_json", "is_json", "data", "get_data", "stream", "input_stream"}
"""How a body is read that is no form."""
Broken = Iterator[tuple[int, str]]
Rule = Callable[[ast.AST, Path], Broken]


def _name(node: ast.AST) -> str:
    """The last name of what is called or looked at."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_request(node: ast.AST) -> bool:
    """Whether this is Flask's request, under its usual name."""
    return isinstance(node, ast.Name) and node.id == "request"


def _reads_request(node: ast.AST) -> bool:
    """Whether something of the request is read in here."""
    return any(isinstance(one, ast.Attribute) and _is_request(one.value) for one in ast.walk(node))


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _parts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every part of the request that is looked at."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_request(node.value):
            yield node.lineno, node.attr


def numbers_and_days_are_read_within_bounds(tree: ast.AST, path: Path) -> Broken:
    """`int(request.args["n"])` takes 5,000 digits; portal/web/query.py does not."""
    if path == IN_QUERY:
        return
    for call in _calls(tree):
        reads_it = any(_reads_request(argument) for argument in call.args)
        if reads_it and _name(call.func) in READERS:
            yield call.lineno, f"{_name(call.func)}() of request data: see portal/web/query.py"


def nothing_is_read_by_type(tree: ast.AST, path: Path) -> Broken:
    """`request.args.get("week", type=…)` swallows a ValueError alone, and no bounds."""
    for call in _calls(tree):
        is_typed = any(keyword.arg == "type" for keyword in call.keywords)
        if is_typed and _reads_request(call.func):
            yield call.lineno, "request data by type=: see portal/web/query.py"


def bodies_are_forms(tree: ast.AST, path: Path) -> Broken:
    """What is sent is a form; nobody parses a body by hand."""
    for line, part in _parts(tree):
        if part in NO_FORM:
            yield line, f"request.{part}: what is sent is a form"


def files_are_read_by_forms(tree: ast.AST, path: Path) -> Broken:
    """Files are counted, measured and looked into where they come in."""
    for line, part in _parts(tree):
        if part == "files" and path not in TAKES_FILES:
            yield line, "request.files: see portal/web/uploads.py"


def the_host_is_not_the_requests(tree: ast.AST, path: Path) -> Broken:
    """Links are made from the settings: whoever asks chooses the Host header (security.md §4.8)."""
    for line, part in _parts(tree):
        if part in ("url", "base_url", "host_url", "url_root", "root_url"):
            yield line, f"request.{part}: see Tenant.base_url"


RULES: dict[Rule, str] = {
    numbers_and_days_are_read_within_bounds: 'n = int(request.args.get("n", "0"))',
    nothing_is_read_by_type: 'n = request.form.get("n", 0, type=int)',
    bodies_are_forms: "n = request.get_json()",
    files_are_read_by_forms: 'n = request.files["n"]',
    the_host_is_not_the_requests: 'n = request.host_url + "x"',
}
"""Each rule, with a line that breaks it."""
SOURCES = sorted(path for folder in ("portal", "demo") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    """COM-23"""
    broken = [
        f"{path.relative_to(ROOT)}:{line}: {why}"
        for path in SOURCES
        for line, why in rule(ast.parse(path.read_text()), path)
    ]
    assert broken == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_sees_a_line_that_breaks_it(rule: Rule) -> None:
    """Each is worth something, and says nothing of what keeps it."""
    assert [line for line, _why in rule(ast.parse(RULES[rule]), Path("x.py"))] == [1]
    for kept in ('n = int("3")', 'n = request.args.get("n", "")', 'n = values.get("n", type=int)'):
        assert list(rule(ast.parse(kept), Path("x.py"))) == []
