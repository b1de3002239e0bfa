"""Alembic's entry: one history for SQLite and PostgreSQL, run by `flask db …` with a connection of
the owner.
"""

from __future__ import annotations

from typing import Any

from alembic import context

from portal import blueprints  # noqa: F401 - imports every model
from portal.core.db import Base, EnumType, UTCDateTime
from portal.core.files import FileKey, FileKeysJSON


def _render(kind: str, item: Any, _context: Any) -> Any:
    """Write our instants as what the database sees."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, EnumType):
        return f"sa.String({item.impl_instance.length})"
    if kind == "type" and isinstance(item, FileKey):
        return "sa.String(64)"
    if kind == "type" and isinstance(item, FileKeysJSON):
        return "sa.JSON()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
