"""Contracts of a support desk, what they have, who may ask.

Revision 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT = sa.DateTime(timezone=True)
_THERE = sa.text("removed_at IS NULL")
_MAIN = sa.text("role = 'main' AND removed_at IS NULL")


def _own(table: str, *references: str) -> list[sa.SchemaItem]:
    """The columns and keys that every table of a tenant has, with references that carry it."""
    return [
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        *(
            sa.ForeignKeyConstraint(
                ["tenant_id", f"{name}_id"],
                [f"{name}.tenant_id", f"{name}.id"],
                name=f"fk_{table}_tenant_id_{name}_id",
            )
            for name in references
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("tenant_id", "id", name=f"uq_{table}_tenant_id_id"),
    ]


def upgrade() -> None:
    op.create_table(
        "contract",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("product", sa.String(length=30), nullable=False),
        sa.Column("product_label", sa.String(length=60), nullable=False),
        sa.Column("form_on", sa.Date(), nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("registered_at", AT, nullable=True),
        sa.UniqueConstraint("tenant_id", "number", name="uq_contract_tenant_id_number"),
        *_own("contract", "account"),
    )
    op.create_index("ix_contract_account", "contract", ["tenant_id", "account_id", "id"])
    op.create_table(
        "contract_unit",
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("removed_at", AT, nullable=True),
        *_own("contract_unit", "contract"),
    )
    op.create_table(
        "contract_contact",
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("duty", sa.String(length=60), nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("removed_at", AT, nullable=True),
        *_own("contract_contact", "contract", "account", "member"),
    )
    for name, table, columns, where in (
        ("uq_contract_unit_there", "contract_unit", ["contract_id", "kind", "name"], _THERE),
        ("uq_contract_contact_main", "contract_contact", ["contract_id"], _MAIN),
        (
            "uq_contract_contact_person",
            "contract_contact",
            ["contract_id", "member_id", "person"],
            _THERE,
        ),
    ):
        op.create_index(
            name,
            table,
            ["tenant_id", *columns],
            unique=True,
            sqlite_where=where,
            postgresql_where=where,
        )
    raise_walls(op.get_bind(), ("contract", "contract_unit", "contract_contact"))


def downgrade() -> None:
    for table in ("contract_contact", "contract_unit", "contract"):
        op.drop_table(table)
