"""A tenant with everything resolved, and where each value came from (OPS-04)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from portal.core.tenancy.locate import KeyPath, dotted, within
from portal.core.tenancy.reading import Reading


@dataclass(frozen=True)
class Value:
    """One key of a tenant: its value in force, and the line that says so (None: the default)."""

    key: str
    value: Any
    line: int | None


def resolved(reading: Reading, key: str) -> list[Value]:
    """Every key of the tenant called `key`. Raises KeyError when there is none."""
    tenant = reading.tenants.by_key[key]
    return [_value(reading, ("tenants", key), path, value) for path, value in _flat(tenant, ()) if path != ("key",)]


def _value(reading: Reading, table: KeyPath, path: KeyPath, value: Any) -> Value:
    stands = within(reading.raw, (*table, *path))
    return Value(dotted(path), value, reading.lines.of((*table, *path)) if stands else None)


def _flat(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Tables opened up; lists stay whole; tables of modules that are off are left out."""
    if isinstance(value, BaseModel):
        value = {name: part for name, part in value if not _is_off(value, name, part)}
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _flat(part, (*path, name))
    else:
        yield path, _plain(value)


def _is_off(model: BaseModel, name: str, part: Any) -> bool:
    return part is None and name in getattr(model, "known_modules", ())


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [item.model_dump(mode="json") if isinstance(item, BaseModel) else item for item in value]
    return value
