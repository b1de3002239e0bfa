"""Booking without doubles, reminders, calendars.

Revision 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import raise_walls

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = "('requested', 'confirmed', 'in_use')"
# What is open holds its facility, the older one where two met before meeting was forbidden.
_HOLD = f"""
UPDATE reservation SET held_until = ends_at WHERE status IN {_OPEN} AND NOT EXISTS (
  SELECT 1 FROM reservation AS other WHERE other.tenant_id = reservation.tenant_id
  AND other.facility_id = reservation.facility_id AND other.id < reservation.id
  AND other.status IN {_OPEN}
  AND other.starts_at < reservation.ends_at AND reservation.starts_at < other.ends_at)
"""  # noqa: S608 - constants


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for name in ("held_until", "reminded_at"):
        op.add_column("reservation", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_reservation_slot", "reservation")
    op.create_index(
        "ix_reservation_slot", "reservation", ["tenant_id", "facility_id", "held_until"]
    )
    op.add_column("reservation", sa.Column("price", ID, nullable=True))
    op.add_column("facility", sa.Column("place", sa.String(100), nullable=False, server_default=""))
    op.add_column("facility", sa.Column("capacity", sa.Integer(), nullable=True))
    op.add_column("facility", sa.Column("photo", sa.String(64), nullable=False, server_default=""))
    if on_postgresql:  # the owner too is held to the wall; no tenant is in scope here
        op.execute("ALTER TABLE reservation NO FORCE ROW LEVEL SECURITY")
    op.execute(_HOLD)
    if on_postgresql:
        op.execute("ALTER TABLE reservation FORCE ROW LEVEL SECURITY")
        op.execute(
            "ALTER TABLE reservation ADD CONSTRAINT ex_reservation_slot EXCLUDE USING gist "
            "(int8range(facility_id, facility_id, '[]') WITH &&, "
            "tstzrange(starts_at, held_until) WITH &&) "
            "WHERE (held_until IS NOT NULL)"
        )
    op.create_table(
        "calendar_feed",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["member.tenant_id", "member.id"],
            name=op.f("fk_calendar_feed_tenant_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_calendar_feed_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "member_id", name=op.f("uq_calendar_feed_tenant_id_member_id")
        ),
        sa.UniqueConstraint(
            "tenant_id", "token_digest", name=op.f("uq_calendar_feed_tenant_id_token_digest")
        ),
    )
    raise_walls(op.get_bind(), ("calendar_feed",))
    op.create_index("ix_document_mine", "document", ["tenant_id", "account_id", "issued_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_document_mine", "document")
    op.drop_table("calendar_feed")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE reservation DROP CONSTRAINT ex_reservation_slot")
    op.drop_index("ix_reservation_slot", "reservation")
    op.create_index("ix_reservation_slot", "reservation", ["tenant_id", "facility_id", "starts_at"])
    for name in ("place", "capacity", "photo"):
        op.drop_column("facility", name)
    for name in ("held_until", "reminded_at", "price"):
        op.drop_column("reservation", name)
