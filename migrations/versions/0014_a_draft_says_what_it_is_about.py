"""A draft says what it is about.

Revision 0014, after 0012. Drafts of before say nothing of their object and open no form any more: whoever stands
between 入力 and 完了 at that moment types once more. They go when their day is over.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("draft") as table:
        subject = sa.Column("subject", sa.String(length=200), nullable=False, server_default="")
        table.add_column(subject)
    with op.batch_alter_table("draft") as table:
        table.alter_column("subject", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("draft") as table:
        table.drop_column("subject")
