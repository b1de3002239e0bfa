"""Addresses, inquiries.

Revision 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OWNED = ("postal_address", "inquiry", "inquiry_message", "inquiry_file", "inquiry_read")


def _owned(table: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(
        table,
        *parts,
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f(f"uq_{table}_tenant_id_id")),
    )


def _of(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{other}.tenant_id", f"{other}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
    )


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False)


def _at(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    _owned(
        "postal_address",
        sa.Column("account_id", ID, nullable=False),
        _text("kind", 10),
        _text("name", 100),
        _text("department", 80),
        _text("person", 80),
        _text("postal_code", 7),
        _text("prefecture", 4),
        _text("city", 60),
        _text("street", 100),
        _text("building", 100),
        _text("telephone", 11),
        _text("fax", 11),
        sa.Column("is_usual", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _at("created_at"),
        _at("removed_at", nullable=True),
        _of("postal_address", "account_id", "account"),
    )
    columns = ["tenant_id", "account_id", "kind", "removed_at", "id"]
    op.create_index("ix_postal_address_account", "postal_address", columns)
    _owned(
        "inquiry",
        _text("number", 20),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("member_id", ID, nullable=True),
        _text("name", 100),
        _text("email", 254),
        _text("category", 30),
        _text("label", 100),
        _text("about", 40),
        sa.Column("fields", sa.JSON(), nullable=False),
        _text("channel", 10),
        _text("status", 12),
        _text("assigned_to", 120),
        _text("consent", 64),
        _at("created_at"),
        _at("updated_at"),
        _at("answered_at", nullable=True),
        _of("inquiry", "account_id", "account"),
        _of("inquiry", "member_id", "member"),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_inquiry_tenant_id_number")),
    )
    op.create_index("ix_inquiry_mine", "inquiry", ["tenant_id", "account_id", "updated_at", "id"])
    op.create_index("ix_inquiry_worklist", "inquiry", ["tenant_id", "status", "updated_at", "id"])
    op.create_index("ix_inquiry_about", "inquiry", ["tenant_id", "account_id", "about"])
    _owned(
        "inquiry_message",
        sa.Column("inquiry_id", ID, nullable=False),
        _text("by_kind", 10),
        _text("by_name", 120),
        sa.Column("body", sa.Text(), nullable=False),
        _at("created_at"),
        _of("inquiry_message", "inquiry_id", "inquiry"),
    )
    op.create_index(
        "ix_inquiry_message_thread", "inquiry_message", ["tenant_id", "inquiry_id", "id"]
    )
    _owned(
        "inquiry_file",
        sa.Column("message_id", ID, nullable=False),
        _text("name", 150),
        _text("media_type", 80),
        sa.Column("size", sa.Integer(), nullable=False),
        _text("sha256", 64),
        _of("inquiry_file", "message_id", "inquiry_message"),
    )
    op.create_index("ix_inquiry_file_message", "inquiry_file", ["tenant_id", "message_id"])
    _owned(
        "inquiry_read",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("inquiry_id", ID, nullable=False),
        _at("read_at"),
        _of("inquiry_read", "member_id", "member"),
        _of("inquiry_read", "inquiry_id", "inquiry"),
        sa.UniqueConstraint(
            "tenant_id",
            "member_id",
            "inquiry_id",
            name=op.f("uq_inquiry_read_tenant_id_member_id_inquiry_id"),
        ),
    )
    raise_walls(op.get_bind(), OWNED)


def downgrade() -> None:
    for table in reversed(OWNED):
        op.drop_table(table)
