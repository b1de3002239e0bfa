"""The JSON Schema of `tenants.toml`, from the types, for editors (OPS-01). For people: scripts/reference.py."""

from typing import Any

from portal.core.tenancy.schema import Tenant
from portal.core.tenancy.schema_base import unwrapped

Schema = dict[str, Any]


def json_schema(kind: type[Tenant]) -> Schema:
    """The JSON Schema (2020-12) of a whole file, which editors use for completion."""
    tenant = kind.model_json_schema(ref_template="#/$defs/{model}")
    definitions = tenant.pop("$defs", {}) | {"Tenant": tenant}
    key = tenant["properties"].pop("key")
    tenant["required"].remove("key")
    for table in definitions.values():
        for meant in table.get("properties", {}).values():
            said = meant.get("description") or definitions[table_in(meant)]["description"]
            meant["description"] = unwrapped(said)
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
        "$defs": definitions,
    }


def table_in(schema: Schema) -> str:
    """The name of the table type that `schema` stands for, or nothing."""
    for option in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if "$ref" in option:
            return str(option["$ref"]).rpartition("/")[2]
    return ""
