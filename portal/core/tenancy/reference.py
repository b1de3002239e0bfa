"""The JSON Schema of `tenants.toml`, from the types, for editors (OPS-01). For people: scripts/reference.py."""

from typing import Any

from portal.core.tenancy.schema import Tenant

Schema = dict[str, Any]


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
            schema["description"] = definitions[table_in(schema)]["description"]
    return tenant


def table_in(schema: Schema) -> str:
    """The name of the table type that `schema` stands for, or nothing."""
    for option in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if "$ref" in option:
            return str(option["$ref"]).rpartition("/")[2]
    return ""
