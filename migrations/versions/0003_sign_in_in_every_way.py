"""A second step of signing in, known devices, and what a mailed link carries.

Revision 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OWNED = ("device", "recovery_code", "one_time_code")


def upgrade() -> None:
    op.create_table(
        "device",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trusted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["member.tenant_id", "member.id"],
            name=op.f("fk_device_tenant_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_device_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "token_digest", name=op.f("uq_device_tenant_id_token_digest")
        ),
    )
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.create_index(
            "ix_device_member", ["tenant_id", "member_id", "revoked_at"], unique=False
        )

    op.create_table(
        "recovery_code",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("code_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["member.tenant_id", "member.id"],
            name=op.f("fk_recovery_code_tenant_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_recovery_code_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "member_id",
            "code_digest",
            name=op.f("uq_recovery_code_tenant_id_member_id_code_digest"),
        ),
    )
    op.create_table(
        "one_time_code",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("code_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["member.tenant_id", "member.id"],
            name=op.f("fk_one_time_code_tenant_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "session_id"],
            ["member_session.tenant_id", "member_session.id"],
            name=op.f("fk_one_time_code_tenant_id_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_code")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_one_time_code_tenant_id_id")),
    )
    with op.batch_alter_table("one_time_code", schema=None) as batch_op:
        batch_op.create_index(
            "ix_one_time_code_session", ["tenant_id", "session_id", "used_at"], unique=False
        )

    with op.batch_alter_table("member") as batch_op:
        batch_op.add_column(
            sa.Column("second_factor", sa.String(10), nullable=False, server_default="off")
        )
        batch_op.add_column(
            sa.Column("totp_nonce", sa.String(32), nullable=False, server_default="")
        )
        batch_op.add_column(sa.Column("totp_step", ID, nullable=False, server_default="0"))
    with op.batch_alter_table("member_session") as batch_op:
        batch_op.add_column(sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("is_pending", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("device_id", ID, nullable=True))
    with op.batch_alter_table("one_time_link") as batch_op:
        batch_op.add_column(sa.Column("payload", sa.JSON(), nullable=False, server_default="{}"))
    raise_walls(op.get_bind(), OWNED)


def downgrade() -> None:
    with op.batch_alter_table("one_time_link", schema=None) as batch_op:
        batch_op.drop_column("payload")

    with op.batch_alter_table("member_session", schema=None) as batch_op:
        batch_op.drop_column("device_id")
        batch_op.drop_column("is_pending")
        batch_op.drop_column("proved_at")

    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.drop_column("totp_step")
        batch_op.drop_column("totp_nonce")
        batch_op.drop_column("second_factor")

    with op.batch_alter_table("one_time_code", schema=None) as batch_op:
        batch_op.drop_index("ix_one_time_code_session")

    op.drop_table("one_time_code")
    op.drop_table("recovery_code")
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.drop_index("ix_device_member")

    op.drop_table("device")
