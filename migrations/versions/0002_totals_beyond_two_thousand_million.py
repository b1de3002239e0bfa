"""Totals beyond 2,147,483,647 yen (PostgreSQL; SQLite's integers are large enough).

Revision 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the totals 64 bits wide."""
    _retype(sa.Integer(), sa.BigInteger())


def downgrade() -> None:
    """Make them 32 bits wide again; fails while there is a larger one."""
    _retype(sa.BigInteger(), sa.Integer())


def _retype(before: sa.types.TypeEngine[int], after: sa.types.TypeEngine[int]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in ("document", "reservation"):
            op.alter_column(table, "total", existing_type=before, type_=after)
