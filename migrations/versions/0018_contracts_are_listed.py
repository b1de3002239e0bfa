"""The list of an account's contracts is read in the order in which they were made.

Revision 0018, after 0017.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

NAME = "ix_contract_account"


def upgrade() -> None:
    op.drop_index(NAME, table_name="contract")
    op.create_index(NAME, "contract", ["tenant_id", "account_id", "created_at", "id"])


def downgrade() -> None:
    op.drop_index(NAME, table_name="contract")
    op.create_index(NAME, "contract", ["tenant_id", "account_id", "id"])
