"""COM-22: no draft without the object that it is about, and nobody keeps one past the flow."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.meta.counts import ROOT, files

_BOUND = {"ConfirmFlow": {"kind", "subject", "form"}, "DraftKey": {"kind", "subject"}}
_KEEPERS = {"portal/shared/drafts.py", "portal/web/submit.py", "portal/web/interrupted.py"}
"""Where drafts are kept and recalled; everything else goes through a flow."""


def mistakes(source: str) -> Iterator[str]:
    """What is wrong with each call that says what a draft is about."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = _name(call.func)
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if name not in _BOUND:
            continue
        if missing := _BOUND[name] - set(given):
            yield f"line {call.lineno}: {name} without {', '.join(sorted(missing))}"
        elif isinstance(given["subject"], ast.Constant) and _names_an_object(given.get("form")):
            yield f"line {call.lineno}: the address names an object, the subject does not"


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _names_an_object(page: ast.expr | None) -> bool:
    """Whether a `PageLink` has values beside its endpoint."""
    return isinstance(page, ast.Call) and len(page.args) + len(page.keywords) > 1


def uses_of_drafts(source: str) -> Iterator[str]:
    """The functions of `portal.shared.drafts` that a module calls by itself, besides removing old ones."""
    keeping = {"keep", "recall", "consume", "is_unused", "DraftKey"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and _name(node.value) == "drafts":
            yield from {node.attr} & keeping


def test_every_draft_says_its_kind_and_its_object() -> None:
    found = {
        str(path.relative_to(ROOT)): list(mistakes(path.read_text("utf-8")))
        for folder in ("portal", "demo")
        for path in files(folder, "*.py")
    }
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_drafts_are_kept_by_flows_alone() -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in files("portal", "*.py")
        if list(uses_of_drafts(path.read_text("utf-8")))
    }
    assert users <= _KEEPERS


@pytest.mark.parametrize(
    "source",
    [
        'ConfirmFlow("member", number, PageLink("account.member_form", {"number": number}))',
        'ConfirmFlow(kind="member", form=PageLink("account.member_form", {"number": number}))',
        'submit.ConfirmFlow(kind="m", subject="m", form=PageLink("account.m", {"number": number}))',
        'drafts.DraftKey(kind="member", member_id=1)',
    ],
)
def test_a_flow_without_its_object_is_found(source: str) -> None:
    assert len(list(mistakes(source))) == 1


def test_a_draft_kept_past_the_flow_is_found() -> None:
    assert list(uses_of_drafts("drafts.keep(key, {}); drafts.expire()")) == ["keep"]
