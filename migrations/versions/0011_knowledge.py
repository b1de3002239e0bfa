"""Knowledge base, mails with headers of their own, notices for several tags.

Revision 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT = sa.DateTime(timezone=True)
TABLES = ("knowledge_place", "knowledge_article", "knowledge_posting", "knowledge_stance")


def _own(table: str, *keys: tuple[str, ...], **references: str) -> list[sa.SchemaItem]:
    """The columns and keys that every table of a tenant has, unique keys, and references that carry
    the tenant.
    """
    return [
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        *(
            sa.ForeignKeyConstraint(
                ["tenant_id", column],
                [f"{other}.tenant_id", f"{other}.id"],
                name=f"fk_{table}_tenant_id_{column}",
            )
            for column, other in references.items()
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        *(
            sa.UniqueConstraint("tenant_id", *key, name=f"uq_{table}_tenant_id_{'_'.join(key)}")
            for key in (("id",), *keys)
        ),
    ]


def upgrade() -> None:
    op.add_column(
        "outbox_mail", sa.Column("headers", sa.JSON(), nullable=False, server_default="{}")
    )
    _retype(sa.String(length=30), sa.String(length=1000))
    op.create_table(
        "knowledge_place",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("category", sa.String(length=60), nullable=False),
        sa.Column("section", sa.String(length=60), nullable=False),
        *_own("knowledge_place", ("number",), ("category", "section")),
    )
    op.create_table(
        "knowledge_article",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("place_id", ID, nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("products", sa.String(length=1000), nullable=False),
        sa.Column("published_at", AT, nullable=False),
        sa.Column("updated_at", AT, nullable=False),
        sa.Column("withdrawn_at", AT, nullable=True),
        sa.Column("mailed_to", ID, nullable=True),
        sa.Column("title_key", sa.Text(), nullable=False),
        sa.Column("text_key", sa.Text(), nullable=False),
        sa.Column("plain", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        *_own("knowledge_article", ("number",), ("key",), place_id="knowledge_place"),
    )
    op.create_table(
        "knowledge_posting",
        sa.Column("gram", sa.BigInteger(), nullable=False),
        sa.Column("moment", sa.BigInteger(), nullable=False),
        sa.Column("article_id", ID, nullable=False),
        sa.Column("in_title", sa.Boolean(), nullable=False),
        *_own("knowledge_posting", article_id="knowledge_article"),
    )
    op.create_table(
        "knowledge_stance",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("article_id", ID, nullable=True),
        sa.Column("place_id", ID, nullable=True),
        sa.Column("follows", sa.Boolean(), nullable=False),
        sa.Column("is_helpful", sa.Boolean(), nullable=True),
        *_own(
            "knowledge_stance",
            ("article_id", "member_id"),
            ("place_id", "member_id"),
            member_id="member",
            article_id="knowledge_article",
            place_id="knowledge_place",
        ),
    )
    for name, table, columns in (
        ("ix_knowledge_article_newest", "knowledge_article", ["updated_at", "id"]),
        (
            "ix_knowledge_article_place",
            "knowledge_article",
            ["place_id", "withdrawn_at", "products"],
        ),
        (
            "ix_knowledge_posting_gram",
            "knowledge_posting",
            ["gram", "moment", "article_id", "in_title"],
        ),
        ("ix_knowledge_stance_mine", "knowledge_stance", ["member_id"]),
    ):
        op.create_index(name, table, ["tenant_id", *columns])
    raise_walls(op.get_bind(), TABLES)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    _retype(sa.String(length=1000), sa.String(length=30))
    op.drop_column("outbox_mail", "headers")


def _retype(before: sa.String, after: sa.String) -> None:
    with op.batch_alter_table("notice") as notice:
        notice.alter_column("audience", existing_type=before, type_=after, existing_nullable=False)
