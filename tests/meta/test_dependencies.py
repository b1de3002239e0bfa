"""Every dependency is wanted: pinned by hash, and each with its reason in docs/dependencies.md."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.meta.counts import ROOT


def direct(name: str) -> list[str]:
    """The packages that a requirements*.in names."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return [re.split(r"[\[<>=~ ]", line)[0] for line in lines if line and line[0] not in "#-"]


def test_the_package_names_what_is_pinned() -> None:
    """`pip install .` and `make run` bring the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (ROOT / "requirements.in").read_text("utf-8").splitlines()
    assert project["dependencies"] == [line for line in lines if line and line[0] != "#"]


@pytest.mark.parametrize("name", [*direct("requirements.in"), *direct("requirements-dev.in")])
def test_each_has_its_reason(name: str) -> None:
    rows = [
        line
        for line in (ROOT / "docs/dependencies.md").read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    assert any(name in re.split(r", | ", row.split("|")[1].strip()) for row in rows)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_all_are_pinned_by_hash_and_by_no_address(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    pins = re.findall(r"^[a-zA-Z0-9].*?(?=^[a-zA-Z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert pins
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)
    assert "://" not in text
