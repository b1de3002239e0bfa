"""Live chats; a message that says which line of its sender it is.

Revision 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "chat",
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("inquiry_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("pulse", sa.Integer(), nullable=False),
        sa.Column("operator", sa.String(length=120), nullable=False),
        sa.Column("member_typing_at", AT, nullable=True),
        sa.Column("operator_typing_at", AT, nullable=True),
        sa.Column("active_at", AT, nullable=False),
        sa.Column("ended_at", AT, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inquiry_id"],
            ["inquiry.tenant_id", "inquiry.id"],
            name="fk_chat_tenant_id_inquiry_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_chat_tenant_id_account_id",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_chat"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_chat_tenant_id_id"),
        sa.UniqueConstraint("tenant_id", "inquiry_id", name="uq_chat_tenant_id_inquiry_id"),
    )
    going_on = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_chat_open",
        "chat",
        ["tenant_id", "account_id", "id"],
        sqlite_where=going_on,
        postgresql_where=going_on,
    )
    op.add_column("inquiry_message", sa.Column("key", sa.String(length=32), nullable=True))
    op.create_index(
        "uq_inquiry_message_key", "inquiry_message", ["tenant_id", "inquiry_id", "key"], unique=True
    )
    raise_walls(op.get_bind(), ("chat",))


def downgrade() -> None:
    op.drop_index("uq_inquiry_message_key", "inquiry_message")
    with op.batch_alter_table("inquiry_message") as batch:
        batch.drop_column("key")
    op.drop_table("chat")
