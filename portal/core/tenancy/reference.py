"""The reference of `tenants.toml`, for people (Markdown) and for editors (JSON Schema), from the types (OPS-04)."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from portal.core.tenancy.schema import Tenant

Schema = dict[str, Any]
_HEAD = """# Reference of tenants.toml

Made from the types in `portal/core/tenancy/schema.py` by `flask tenants reference`; do not edit by hand.

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


def json_schema(kind: type[Tenant]) -> Schema:
    """The JSON Schema (2020-12) of a whole file, which editors use for completion."""
    tenant = kind.model_json_schema(ref_template="#/$defs/{model}")
    definitions = tenant.pop("$defs", {})
    key = tenant["properties"].pop("key")
    tenant["required"].remove("key")
    tables = {
        "type": "object",
        "description": "One table for each brand.",
        "propertyNames": {"pattern": key["pattern"]},
        "additionalProperties": {"$ref": "#/$defs/Tenant"},
        "minProperties": 1,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tenants.toml",
        "type": "object",
        "properties": {"tenants": tables},
        "required": ["tenants"],
        "additionalProperties": False,
        "$defs": {**definitions, "Tenant": _described(tenant, definitions)},
    }


def _described(tenant: Schema, definitions: Schema) -> Schema:
    """The tenant's own table, where keys that say no more than their table's type say at least that."""
    for schema in tenant["properties"].values():
        if "description" not in schema:
            schema["description"] = definitions[_table_in(schema)]["description"]
    return tenant


def reference_markdown(kind: type[Tenant]) -> str:
    """The reference as one Markdown page: each table with its keys, their types, limits, defaults and meaning."""
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
        schema, here = (kinds, f"{heading}.{key}.KIND") if isinstance(kinds, dict) else (found, f"{heading}.{key}")
        if "items" in schema and (inner := _table_in(schema["items"])):
            first, *deeper = _tables(definitions, inner, here)
            yield f"[{first[0]}]", first[1]
            yield from deeper
        elif inner := _table_in(schema):
            yield from _tables(definitions, inner, here)


def _table_in(schema: Schema) -> str:
    """The name of the table type that `schema` stands for, or nothing."""
    for option in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if "$ref" in option:
            return str(option["$ref"]).rpartition("/")[2]
    return ""


def _section(heading: str, table: Schema) -> str:
    lines = [f"## {heading}", "", table.get("description", "").split("\n\n")[0], ""]
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
    if usual in ("", None) or _table_in(schema):
        return "—"
    if isinstance(usual, dict):
        return ", ".join(f"{key} {_json(value)}" for key, value in usual.items()) or "none"
    if "items" in schema and _table_in(schema["items"]):
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
    low, high = schema.get("minimum"), schema.get("maximum")
    return f"{low} to {high}" if low is not None and high is not None else "whole number"


def _text(schema: Schema) -> str:
    if schema.get("format") == "date":
        return "date"
    if schema.get("maxLength"):
        return f"text, up to {schema['maxLength']} characters"
    return f"text like `{schema['pattern']}`" if len(schema.get("pattern", "x" * 99)) < 60 else "text"
