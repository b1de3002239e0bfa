"""Registrations, passkeys, and when an account left.

Revision 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OWNED = ("registration", "passkey", "passkey_challenge")


def _owned(table: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(
        table,
        *parts,
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f(f"uq_{table}_tenant_id_id")),
    )


def _of_member(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "member_id"],
        ["member.tenant_id", "member.id"],
        name=op.f(f"fk_{table}_tenant_id_member_id"),
    )


def upgrade() -> None:
    _owned(
        "registration",
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("handle", sa.String(length=43), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("code_digest", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("tenant_id", "handle", name=op.f("uq_registration_tenant_id_handle")),
        sa.UniqueConstraint(
            "tenant_id", "token_digest", name=op.f("uq_registration_tenant_id_token_digest")
        ),
    )
    op.create_index("ix_registration_expires", "registration", ["tenant_id", "expires_at"])
    _owned(
        "passkey",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("credential_id", sa.String(length=1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", ID, nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        _of_member("passkey"),
        sa.UniqueConstraint(
            "tenant_id", "credential_id", name=op.f("uq_passkey_tenant_id_credential_id")
        ),
    )
    op.create_index("ix_passkey_member", "passkey", ["tenant_id", "member_id"])
    _owned(
        "passkey_challenge",
        sa.Column("member_id", ID, nullable=True),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("challenge", sa.String(length=100), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _of_member("passkey_challenge"),
        sa.UniqueConstraint(
            "tenant_id", "challenge", name=op.f("uq_passkey_challenge_tenant_id_challenge")
        ),
    )
    op.create_index(
        "ix_passkey_challenge_expires", "passkey_challenge", ["tenant_id", "expires_at"]
    )
    with op.batch_alter_table("account") as batch_op:
        batch_op.add_column(sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_audit_event_account", "audit_event")
    op.create_index(
        "ix_audit_event_account", "audit_event", ["tenant_id", "account_id", "at", "id"]
    )
    raise_walls(op.get_bind(), OWNED)


def downgrade() -> None:
    op.drop_index("ix_audit_event_account", "audit_event")
    op.create_index(
        "ix_audit_event_account", "audit_event", ["tenant_id", "account_id", "sequence"]
    )
    with op.batch_alter_table("account") as batch_op:
        batch_op.drop_column("erased_at")
        batch_op.drop_column("withdrawn_at")
    for table in reversed(OWNED):
        op.drop_table(table)
