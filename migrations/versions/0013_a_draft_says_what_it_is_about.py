"""A draft says what it is about; a form that came when the session was over is kept for an hour.

Revision 0013, after 0012. Drafts of before say nothing of their object and open no form any more:
whoever stands between 入力 and 完了 at that moment types once more. They go when their day is over.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("draft") as table:
        subject = sa.Column("subject", sa.String(length=200), nullable=False, server_default="")
        table.add_column(subject)
    with op.batch_alter_table("draft") as table:
        table.alter_column("subject", server_default=None)
    op.create_table(
        "interrupted_form",
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("owner", sa.String(length=16), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("token", sa.String(length=43), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_interrupted_form"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_interrupted_form_tenant_id_id"),
        sa.UniqueConstraint("tenant_id", "token", name="uq_interrupted_form_tenant_id_token"),
    )
    op.create_index("ix_interrupted_form_owner", "interrupted_form", ["tenant_id", "owner", "id"])
    op.create_index("ix_interrupted_form_created", "interrupted_form", ["tenant_id", "created_at"])
    raise_walls(op.get_bind(), ("interrupted_form",))


def downgrade() -> None:
    op.drop_table("interrupted_form")
    with op.batch_alter_table("draft") as table:
        table.drop_column("subject")
