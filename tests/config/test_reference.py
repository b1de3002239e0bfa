"""The reference of tenants.toml is made from the types, for people and for editors (OPS-01, OPS-04)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

import pytest
from pydantic import Field

from portal.blueprints import BRANDS
from portal.config.config_errors import walk
from portal.config.module_config import ModuleConfig
from portal.config.registry import read_bytes
from portal.config.schema import Tenant, json_schema, tenant_type
from portal.config.schema_base import Flag, Section, Whole
from portal.settings import ROOT
from portal.web.brand import module_configs
from scripts.reference import reference_markdown

KIND = tenant_type(module_configs(BRANDS))


class Part(Section):
    """One part of a press.

    This paragraph is for programmers.
    """

    size: Whole = Field(ge=1, le=9, description="How large.")


class Press(Section):
    """The press."""

    tons: Whole = Field(description="Tons.")
    colour: Literal["red", "blue"] = Field(default="red", description="Red | blue.")
    since: date | None = Field(default=None, description="Since when.")
    code: str = Field(default="A", pattern=r"^[A-Z]$", description="Code.")
    note: str = Field(default="", max_length=20, description="Note.")
    name: str = Field(default="無名", description="Any text.")
    is_on: Flag = Field(default=True, description="Whether.")
    days: tuple[Whole, ...] = Field(default=(), description="Days.")
    first: tuple[Part, ...] = Field(default=(), description="Parts, in order.")
    by_name: dict[str, Part] = Field(default={}, description="Parts, by name.")
    amounts: dict[str, Whole] = Field(default={"a": 1}, description="Amounts.")
    part: Part = Field(default=Part(size=3), description="The one part.")


@pytest.fixture(scope="module")
def page() -> str:
    return reference_markdown(tenant_type([ModuleConfig(key="press", section=Press)]))


def section(page: str, heading: str) -> list[str]:
    found = [part.splitlines() for part in page.split("\n## ") if part.startswith(f"{heading}\n")]
    assert len(found) == 1, heading
    return found[0]


def test_every_key_of_every_table_is_on_the_page() -> None:
    """OPS-01: each under its own table."""
    page = reference_markdown(KIND)
    missing = []
    for table, name, field in walk(KIND):
        heading = ".".join(("tenants.KEY", *table))
        tables = [
            part
            for part in page.split("\n## ")
            if part.startswith((f"[{heading}]\n", f"[[{heading}]]\n"))
        ]
        if name != "key" and not any(f"| `{name}` |" in part for part in tables):
            missing.append((heading, name, field))
    assert missing == []


@pytest.mark.parametrize(
    "row",
    [
        "| `tons` | whole number | **must be given** | Tons. |",
        '| `colour` | `"red"` or `"blue"` | `"red"` | Red &#124; blue. |',
        "| `since` | date | — | Since when. |",
        '| `code` | text like `^[A-Z]$` | `"A"` | Code. |',
        "| `note` | text, up to 20 characters | — | Note. |",
        '| `name` | text | `"無名"` | Any text. |',
        "| `is_on` | `true` or `false` | `true` | Whether. |",
        "| `days` | list of: whole number | none | Days. |",
        "| `first` | list of: table | none | Parts, in order. |",
        "| `by_name` | table of: table | none | Parts, by name. |",
        "| `amounts` | table of: whole number | a `1` | Amounts. |",
        "| `part` | table | — | The one part. |",
    ],
)
def test_a_key_is_told_with_its_values_its_default_and_its_meaning(page: str, row: str) -> None:
    """OPS-01."""
    assert row in section(page, "[tenants.KEY.press]")


@pytest.mark.parametrize(
    "heading",
    ["[[tenants.KEY.press.first]]", "[tenants.KEY.press.by_name.KIND]", "[tenants.KEY.press.part]"],
)
def test_a_table_within_a_table_has_the_heading_it_has_in_the_file(page: str, heading: str) -> None:
    """OPS-01: and of its description only what is meant for admins."""
    lines = section(page, heading)
    assert lines[2] == "One part of a press."
    assert "| `size` | 1 to 9 | **must be given** | How large. |" in lines
    assert "programmers" not in page


def test_a_module_without_keys_says_so() -> None:
    class Bare(Section):
        """Nothing yet."""

    assert "No keys yet." in section(
        reference_markdown(tenant_type([ModuleConfig(key="bare", section=Bare)])),
        "[tenants.KEY.bare]",
    )


def test_each_row_has_four_cells(page: str) -> None:
    """A bar inside a cell would break the table."""
    rows = [line for line in (page + reference_markdown(KIND)).splitlines() if line.startswith("|")]
    assert len(rows) > 100
    assert {row.count("|") for row in rows} == {5}


def test_the_example_on_the_page_is_a_file_without_mistakes(page: str) -> None:
    """OPS-01: whoever copies it has a working brand."""
    example = page.split("```toml\n")[1].split("```", maxsplit=1)[0]
    reading = read_bytes(example.encode(), "tenants.toml", "portal.example", KIND)
    assert (reading.mistakes, reading.warnings, list(reading.tenants.by_key)) == (
        (),
        (),
        ["atelier"],
    )


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (str(value) for key, value in schema.items() if key == "$ref")
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)


@pytest.mark.parametrize("kind", [KIND, tenant_type([])], ids=["all modules", "none"])
def test_the_schema_for_editors_hangs_together(kind: type[Tenant]) -> None:
    """OPS-04: every reference leads somewhere, tables are closed, names are offered for completion."""
    schema = json_schema(kind)
    assert {f"#/$defs/{name}" for name in schema["$defs"]} >= set(_references(schema))
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Tenant"]["additionalProperties"] is False
    keys = schema["$defs"]["Tenant"]["properties"]
    assert keys["limits"]["propertyNames"]["enum"] == list(kind.declared.limits)
    assert keys["numbers"]["propertyNames"]["enum"] == list(kind.declared.numbers)
    assert all(key.get("description") for key in keys.values())


def test_the_schema_knows_every_key_that_the_demo_brands_use() -> None:
    """OPS-04: an editor underlines nothing in a right file."""
    used = tomllib.loads((ROOT / "tenants.toml").read_text(encoding="utf-8"))["tenants"]
    known = json_schema(KIND)["$defs"]["Tenant"]["properties"].keys()
    assert {key for brand in used.values() for key in brand} <= known
