"""Where a page lives is written once, at its view: everything else names the page
(docs/decisions/addresses.md).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal.shared.auth.links import Purpose
from tests.meta.counts import ROOT, files

_TYPED = re.compile(r"\0?/[a-z][^\s]*|/\0[^\s]*")
_IN_TEMPLATES = re.compile(r"""["'](/[a-z][^"'>]*)["']""")
_REGISTERING = {"route", "get", "post", "add_url_rule", "register", "register_confirmed_form"}
_NO_PAGES = {
    "portal/cli/chat.py",  # the words that an operator types in a chat
    "portal/web/moved.py",  # what the old addresses were
    "portal/web/submit.py",  # the steps of a form, below where it stands
}
EXAMPLES = {"kind": "billing"}
"""What stands in an address that takes not just anything."""


def typed_in_python(source: str) -> Iterator[str]:
    """The paths that a module types, besides those at which it registers views."""
    tree = ast.parse(source)
    passed = {id(node) for call in ast.walk(tree) for node in _rule_of(call)}
    passed |= {id(part) for node in ast.walk(tree) for part in _parts_of(node)}
    for node in ast.walk(tree):
        text = _text_of(node)
        if text is not None and id(node) not in passed and _TYPED.fullmatch(text):
            yield f"line {getattr(node, 'lineno', 0)}: {text!r}"


def _rule_of(call: ast.AST) -> Iterator[ast.AST]:
    """What stands in a call that registers a view, or makes a blueprint."""
    if not isinstance(call, ast.Call):
        return
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _REGISTERING:
        yield from (node for argument in call.args for node in ast.walk(argument))
    for keyword in call.keywords:
        if keyword.arg in ("url_prefix", "rule"):
            yield from ast.walk(keyword.value)


def _parts_of(node: ast.AST) -> list[ast.expr]:
    """The pieces of an f-string, which is looked at as a whole."""
    return node.values if isinstance(node, ast.JoinedStr) else []


def _text_of(node: ast.AST) -> str | None:
    """A string, with \\0 for what an f-string puts in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values
        )
    return None


def typed_in_template(source: str) -> list[str]:
    """The paths that a template types."""
    return _IN_TEMPLATES.findall(re.sub(r"(?s)\{#.*?#\}", "", source))


def _endpoints_named(source: str) -> set[str]:
    """The views that a template names: pages to `url_for`, mails to `url_to`."""
    return set(re.findall(r"url_(?:for|to)\(\s*[\"']([\w.]+)[\"']", source))


def test_no_python_types_the_path_of_a_page() -> None:
    found = {
        str(path.relative_to(ROOT)): list(typed_in_python(path.read_text("utf-8")))
        for folder in ("portal/web", "portal/pages", "portal/blueprints", "portal/shared", "demo")
        for path in files(folder, "*.py")
    }
    wrong = {path: typed for path, typed in found.items() if typed and path not in _NO_PAGES}
    assert wrong == {}


def test_no_template_types_the_path_of_a_page() -> None:
    found = {
        str(path.relative_to(ROOT)): typed_in_template(path.read_text("utf-8"))
        for path in [*_templates(), *files("portal/templates/emails", "*.txt")]
    }
    assert {path: typed for path, typed in found.items() if typed} == {}


def test_every_view_that_a_template_names_is_there(app: Flask) -> None:
    known = {rule.endpoint for rule in app.url_map.iter_rules()}
    templates = [*_templates(), *files("portal/templates/emails", "*.txt")]
    named = {name for path in templates for name in _endpoints_named(path.read_text("utf-8"))}
    assert {"account.mail_settings", "auth.sign_in"} <= named
    assert named <= known


def test_every_place_of_the_navigation_is_there(app: Flask) -> None:
    """Also of brands that no tenant of the tests has on."""
    for brand in app.extensions["brands"].values():
        for item in brand.navigation:
            assert item.href.startswith("/")


def pages_named(source: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The views that a module names to `url_to`, `path_to`, `url_for` and `PageLink`, each with the
    names of what it puts into the address.
    """
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        called = call.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        endpoint = call.args[0]
        if name not in ("url_to", "path_to", "url_for", "PageLink"):
            continue
        if isinstance(endpoint, ast.Constant) and "." in str(endpoint.value):
            values = [str(keyword.arg) for keyword in call.keywords]
            for given in call.args[1:]:
                if isinstance(given, ast.Dict):
                    values += [
                        str(key.value) for key in given.keys if isinstance(key, ast.Constant)
                    ]
            yield str(endpoint.value), tuple(values)


def test_every_page_that_python_names_is_there(app: Flask) -> None:
    """COM-80, COM-81: of every link in every mail among them, which rules make by `url_to`."""
    named = {
        page for path in files("portal", "*.py") for page in pages_named(path.read_text("utf-8"))
    }
    assert {"inquiries.thread", "registration.activate"} <= {endpoint for endpoint, _ in named}
    build = app.url_map.bind("").build
    for endpoint, values in sorted(named):
        path = build(endpoint, {name: EXAMPLES.get(name, "x1") for name in values})
        assert "?" not in path or values, path


def test_every_link_that_does_one_thing_once_has_its_page(app: Flask) -> None:
    """security.md §4.12"""
    adapter = app.url_map.bind("")
    for purpose in Purpose:
        path = adapter.build(purpose.endpoint, {"token": "t"})
        assert adapter.match(path, method="GET") == (purpose.endpoint, {"token": "t"})


def _templates() -> list[Path]:
    return list(files("portal/templates", "*.html"))


@pytest.mark.parametrize(
    "source",
    [
        'redirect("/account/password", 303)',
        'redirect(f"/chat/{number}", 303)',
        'link = f"{tenant.base_url}/notices/{number}"',
        'NavItem("お知らせ", "bell", "/notices")',
    ],
)
def test_a_typed_path_is_found(source: str) -> None:
    assert len(list(typed_in_python(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        '<a href="/contracts/{{ number }}">',
        "{{ ui.link(label, '/contracts') }}",
        '{{ ui.link(label, "/contracts/" ~ number) }}',
    ],
)
def test_a_typed_path_in_a_template_is_found(source: str) -> None:
    assert len(typed_in_template(source)) == 1


def test_a_views_own_path_is_no_typed_one() -> None:
    source = (
        '@bp.get("/contracts")\ndef contracts(): ...\nBlueprint("a", __name__, url_prefix="/a")'
    )
    assert list(typed_in_python(source)) == []
