"""When a reservation was used, as operators recorded it; by which document another one is replaced.

Revision 0019, after 0018.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Until now the moment at which an operator recorded the end of a use stood for the end itself. A
# use began early where it was started early, and ended no later than it was booked for.
_BEGAN = """
UPDATE reservation
SET used_from = CASE WHEN started_at < starts_at THEN started_at ELSE starts_at END
WHERE started_at IS NOT NULL
"""
_ENDED = """
UPDATE reservation
SET used_until = CASE
  WHEN finished_at >= ends_at THEN ends_at
  WHEN finished_at < COALESCE(used_from, starts_at) THEN COALESCE(used_from, starts_at)
  ELSE finished_at
END
WHERE finished_at IS NOT NULL
"""
_REPLACED = """
UPDATE document SET replaced_by = COALESCE((
  SELECT newer.number FROM document AS newer
  WHERE newer.tenant_id = document.tenant_id AND newer.account_id = document.account_id
    AND newer.about = document.about AND newer.kind = document.kind
    AND {corrects} = document.number
), '')
"""
_CORRECTS = {
    "postgresql": "newer.content -> 'corrects' ->> 'number'",
    "sqlite": "json_extract(newer.content, '$.corrects.number')",
}
_WALLED = ("reservation", "document")


def upgrade() -> None:
    for name in ("used_from", "used_until"):
        op.add_column("reservation", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "document", sa.Column("replaced_by", sa.String(30), nullable=False, server_default="")
    )
    dialect = op.get_bind().dialect.name
    # The owner too is held to row-level security, and no tenant is in scope here.
    for table in _WALLED if dialect == "postgresql" else ():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(_BEGAN)
    op.execute(_ENDED)
    op.execute(_REPLACED.format(corrects=_CORRECTS[dialect]))
    for table in _WALLED if dialect == "postgresql" else ():
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_column("document", "replaced_by")
    op.drop_column("reservation", "used_until")
    op.drop_column("reservation", "used_from")
