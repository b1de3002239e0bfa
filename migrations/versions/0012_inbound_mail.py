"""Mails that came in.

Revision 0012, after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "inbound_mail",
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("sender", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("kept", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbound_mail"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_inbound_mail_tenant_id_id"),
        sa.UniqueConstraint("tenant_id", "digest", name="uq_inbound_mail_tenant_id_digest"),
    )
    op.create_index("ix_inbound_mail_outcome", "inbound_mail", ["tenant_id", "outcome", "id"])
    raise_walls(op.get_bind(), ("inbound_mail",))


def downgrade() -> None:
    op.drop_table("inbound_mail")
