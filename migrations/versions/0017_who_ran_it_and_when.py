"""The audit trail keeps the login that ran a command and the true time beside the instant it acted
at.

Revision 0017, after 0016. Rows from before have neither, and their digests hold as they are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "audit_event",
        sa.Column("actor_login", sa.String(length=64), nullable=False, server_default=""),
    )
    op.add_column(
        "audit_event", sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("audit_event", "recorded_at")
    op.drop_column("audit_event", "actor_login")
