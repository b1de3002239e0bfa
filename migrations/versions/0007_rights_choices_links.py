"""What members may do, which mails they want, notices for some accounts, documents for an
accountant.

Revision 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT = sa.DateTime(timezone=True)
_NEW_COLUMNS = (
    (
        "member",
        sa.Column(
            "rights", sa.String(60), nullable=False, server_default="quotes,orders,billing,support"
        ),
    ),
    ("member", sa.Column("mail_choices", sa.JSON(), nullable=False, server_default="{}")),
    ("account", sa.Column("tags", sa.String(300), nullable=False, server_default=",")),
    ("notice", sa.Column("audience", sa.String(30), nullable=False, server_default="")),
)


def upgrade() -> None:
    for table, column in _NEW_COLUMNS:
        op.add_column(table, column)
    op.create_table(
        "digest_line",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("said", sa.String(length=300), nullable=False),
        sa.Column("link", sa.String(length=300), nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["member.tenant_id", "member.id"],
            name="fk_digest_line_tenant_id_member_id",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_digest_line"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_digest_line_tenant_id_id"),
    )
    op.create_index("ix_digest_line_due", "digest_line", ["tenant_id", "created_at", "id"])
    op.create_table(
        "document_link",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("document_id", ID, nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("made_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("expires_at", AT, nullable=False),
        sa.Column("revoked_at", AT, nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("used_at", AT, nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_document_link_tenant_id_account_id",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "document_id"],
            ["document.tenant_id", "document.id"],
            name="fk_document_link_tenant_id_document_id",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_document_link"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_document_link_tenant_id_id"),
        sa.UniqueConstraint(
            "tenant_id", "token_digest", name="uq_document_link_tenant_id_token_digest"
        ),
    )
    op.create_index(
        "ix_document_link_document", "document_link", ["tenant_id", "document_id", "id"]
    )
    raise_walls(op.get_bind(), ("digest_line", "document_link"))


def downgrade() -> None:
    op.drop_table("document_link")
    op.drop_table("digest_line")
    for table, column in reversed(_NEW_COLUMNS):
        op.drop_column(table, column.name)
