"""A support contract's contacts can be edited: each save has a version.

Revision 0016, after 0015. Contacts of before begin with version 1.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("contract_contact") as table:
        version = sa.Column("version", sa.Integer(), nullable=False, server_default="1")
        table.add_column(version)
    with op.batch_alter_table("contract_contact") as table:
        table.alter_column("version", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("contract_contact") as table:
        table.drop_column("version")
