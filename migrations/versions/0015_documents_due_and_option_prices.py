"""Documents that are due and not issued; the prices of options as they were quoted.

Revision 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# What was billed before documents were issued by themselves. Orders that came from an older
# system have no lines: nothing can be issued from them.
_DUE = """
UPDATE reservation SET documents_due_at = COALESCE(billed_at, cancelled_at, booked_at)
WHERE (status IN ('billed', 'paid') OR (status = 'cancelled' AND total > 0))
  AND CAST(lines AS TEXT) NOT IN ('[]', 'null')
  AND (
    NOT EXISTS ({invoice})
    OR (status <> 'cancelled' AND NOT EXISTS ({work_report}))
    OR (paid_at IS NOT NULL AND NOT EXISTS ({receipt}))
  )
"""
_ISSUED = """
SELECT 1 FROM document WHERE document.tenant_id = reservation.tenant_id
  AND document.account_id = reservation.account_id
  AND document.about = reservation.number AND document.kind = '{kind}'
"""
_WALLED = ("reservation", "document")


def _statement() -> str:
    kinds = ("invoice", "work_report", "receipt")
    return _DUE.format(**{kind: _ISSUED.format(kind=kind) for kind in kinds})


def upgrade() -> None:
    op.add_column(
        "reservation", sa.Column("documents_due_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "reservation", sa.Column("option_prices", sa.JSON(), nullable=False, server_default="{}")
    )
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    # The owner too is held to row-level security, and no tenant is in scope here.
    for table in _WALLED if on_postgresql else ():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(_statement())
    for table in _WALLED if on_postgresql else ():
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    _create_partial_index("ix_reservation_unpaid", "starts_at", "total > 0 AND paid_at IS NULL")
    _create_partial_index(
        "ix_reservation_documents_due", "documents_due_at", "documents_due_at IS NOT NULL"
    )


def _create_partial_index(name: str, column: str, where: str) -> None:
    only = sa.text(where)
    op.create_index(
        name, "reservation", ["tenant_id", column, "id"], sqlite_where=only, postgresql_where=only
    )


def downgrade() -> None:
    op.drop_index("ix_reservation_documents_due", "reservation")
    op.drop_index("ix_reservation_unpaid", "reservation")
    op.drop_column("reservation", "option_prices")
    op.drop_column("reservation", "documents_due_at")
