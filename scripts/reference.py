"""Write docs/tenants-reference.md: every key of `tenants.toml` from the types, for people (OPS-01)."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from portal.blueprints import BRANDS  # noqa: E402 - behind the path
from portal.config.schema import Tenant, json_schema, table_in, tenant_type  # noqa: E402
from portal.config.schema_base import unwrapped  # noqa: E402
from portal.web.brand import module_configs  # noqa: E402

Schema = dict[str, Any]
_HEAD = """# Reference of tenants.toml

Made from the types in `portal/config/schema.py` by `python scripts/reference.py`; do not edit by hand.

Each brand is one table `[tenants.KEY]`. KEY is 2 to 31 small letters, digits and hyphens, begins with a letter and
never changes: all data hang on it. `name` is the only key that must be there. `flask tenants check` says everything
that is wrong with a file, `flask tenants show KEY` what is in force and why. A changed file is taken up within a second
or two; while it is broken, the last good one stays in force. Passwords and other secrets never stand in it.

```toml
[tenants.atelier]
name = "こもれび工房"
modules = ["facility"]
contact.telephone = "03-0000-0000"
contact.hours = "平日 9:00〜17:00"
```
"""


def reference_markdown(kind: type[Tenant]) -> str:
    """The reference as one Markdown page: each table with its keys, their types, limits, defaults
    and meaning.
    """
    definitions = json_schema(kind)["$defs"]
    parts = [_HEAD]
    for heading, name in _tables(definitions, "Tenant", "tenants.KEY"):
        parts.append(_section(heading, definitions[name]))
    return "\n".join(parts)


def _tables(definitions: Schema, name: str, heading: str) -> Iterator[tuple[str, str]]:
    """Every table with the heading it has in the file, in the order of the types."""
    yield f"[{heading}]", name
    for key, found in definitions[name]["properties"].items():
        kinds = found.get("additionalProperties")
        schema, here = (
            (kinds, f"{heading}.{key}.KIND")
            if isinstance(kinds, dict)
            else (found, f"{heading}.{key}")
        )
        if "items" in schema and (inner := table_in(schema["items"])):
            first, *deeper = _tables(definitions, inner, here)
            yield f"[{first[0]}]", first[1]
            yield from deeper
        elif inner := table_in(schema):
            yield from _tables(definitions, inner, here)


def _section(heading: str, table: Schema) -> str:
    lines = [f"## {heading}", "", unwrapped(table.get("description", "").split("\n\n")[0]), ""]
    if not table.get("properties"):
        return "\n".join([*lines, "No keys yet.", ""])
    lines += ["| key | value | when absent | meaning |", "|---|---|---|---|"]
    for key, schema in table["properties"].items():
        absent = "**must be given**" if key in table.get("required", ()) else _default(schema)
        cells = (f"`{key}`", _value(schema), absent, schema["description"])
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join([*lines, ""])


def _default(schema: Schema) -> str:
    usual = schema.get("default", "")
    if usual in ("", None) or table_in(schema):
        return "—"
    if isinstance(usual, dict):
        return ", ".join(f"{key} {_json(value)}" for key, value in usual.items()) or "none"
    if "items" in schema and table_in(schema["items"]):
        return " ".join(map(_json, usual)) or "none"
    return _json(usual) if usual != [] else "none"


def _json(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _value(schema: Schema) -> str:
    """What may stand there, in words."""
    if "anyOf" in schema:
        return _value(next(option for option in schema["anyOf"] if option.get("type") != "null"))
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(word)}`" for word in schema["enum"])
    words: dict[str, Callable[[Schema], str]] = {
        "array": lambda array: f"list of: {_value(array['items'])}",
        "object": lambda table: f"table of: {_value(table['additionalProperties'])}",
        "integer": _range,
        "boolean": lambda _: "`true` or `false`",
        "string": _text,
    }
    return "table" if "$ref" in schema else words[schema["type"]](schema)


def _range(schema: Schema) -> str:
    low = schema.get("minimum")
    high = schema.get("maximum")
    return f"{low} to {high}" if low is not None and high is not None else "whole number"


def _text(schema: Schema) -> str:
    if schema.get("format") == "date":
        return "date"
    if schema.get("maxLength"):
        return f"text, up to {schema['maxLength']} characters"
    return (
        f"text like `{schema['pattern']}`" if len(schema.get("pattern", "x" * 99)) < 60 else "text"
    )


if __name__ == "__main__":
    page = reference_markdown(tenant_type(module_configs(BRANDS)))
    (ROOT / "docs" / "tenants-reference.md").write_text(page, "utf-8")
