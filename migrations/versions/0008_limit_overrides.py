"""Limits that operators lift for one owner.

Revision 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "limit_override",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_limit_override_tenant_id_account_id",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_limit_override"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_limit_override_tenant_id_id"),
    )
    op.create_index(
        "ix_limit_override_owner", "limit_override", ["tenant_id", "owner", "name", "id"]
    )
    raise_walls(op.get_bind(), ("limit_override",))


def downgrade() -> None:
    op.drop_table("limit_override")
