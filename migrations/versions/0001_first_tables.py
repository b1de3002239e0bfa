"""The first tables, and both walls round them.

Revision 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.core.migrate import ensure_app_role, forbid_changes, grant, raise_walls

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OWNED = (
    "account",
    "audit_event",
    "audit_head",
    "facility",
    "job",
    "notice",
    "number_sequence",
    "outbox_mail",
    "throttle",
    "document",
    "member",
    "reservation",
    "draft",
    "member_session",
    "notice_read",
    "one_time_link",
)


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_kana", sa.String(length=100), nullable=False),
        sa.Column("postal_code", sa.String(length=7), nullable=False),
        sa.Column("prefecture", sa.String(length=4), nullable=False),
        sa.Column("city", sa.String(length=60), nullable=False),
        sa.Column("street", sa.String(length=100), nullable=False),
        sa.Column("building", sa.String(length=100), nullable=False),
        sa.Column("telephone", sa.String(length=11), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_account_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_account_tenant_id_number")),
    )
    op.create_table(
        "audit_event",
        sa.Column("sequence", ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_name", sa.String(length=120), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_audit_event_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "sequence", name=op.f("uq_audit_event_tenant_id_sequence")
        ),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index(
            "ix_audit_event_account", ["tenant_id", "account_id", "sequence"], unique=False
        )
        batch_op.create_index(
            "ix_audit_event_subject", ["tenant_id", "subject", "sequence"], unique=False
        )

    op.create_table(
        "audit_head",
        sa.Column("sequence", ID, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_audit_head_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_audit_head_tenant_id")),
    )
    op.create_table(
        "facility",
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("hourly_price", sa.Integer(), nullable=False),
        sa.Column("daily_price", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.CheckConstraint(
            "hourly_price >= 0 AND daily_price >= 0", name=op.f("ck_facility_prices")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facility")),
        sa.UniqueConstraint("tenant_id", "code", name=op.f("uq_facility_tenant_id_code")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_facility_tenant_id_id")),
    )
    op.create_table(
        "job",
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_job_tenant_id_id")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index("ix_job_due", ["tenant_id", "status", "due_at", "id"], unique=False)

    op.create_table(
        "notice",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=False),
        sa.Column("is_important", sa.Boolean(), nullable=False),
        sa.Column("publish_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_notice_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_notice_tenant_id_number")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index("ix_notice_newest", ["tenant_id", "publish_at", "id"], unique=False)

    op.create_table(
        "number_sequence",
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("value", ID, nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_sequence")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_number_sequence_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "kind", name=op.f("uq_number_sequence_tenant_id_kind")),
    )
    op.create_table(
        "outbox_mail",
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("sender", sa.String(length=254), nullable=False),
        sa.Column("sender_name", sa.String(length=120), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("message_id", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_mail")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_outbox_mail_tenant_id_id")),
    )
    with op.batch_alter_table("outbox_mail", schema=None) as batch_op:
        batch_op.create_index(
            "ix_outbox_mail_due", ["tenant_id", "status", "due_at", "id"], unique=False
        )
        batch_op.create_index(
            "ix_outbox_mail_newest", ["tenant_id", "created_at", "id"], unique=False
        )

    op.create_table(
        "system_access",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_access")),
    )
    op.create_table(
        "throttle",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_throttle")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_throttle_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("uq_throttle_tenant_id_key")),
    )
    op.create_table(
        "document",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("about", sa.String(length=60), nullable=False),
        sa.Column("counterparty", sa.String(length=100), nullable=False),
        sa.Column("transaction_date", sa.Date(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_document_tenant_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_document_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "kind", "number", name=op.f("uq_document_tenant_id_kind_number")
        ),
    )
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.create_index(
            "ix_document_about", ["tenant_id", "account_id", "about", "kind"], unique=False
        )
        batch_op.create_index(
            "ix_document_date", ["tenant_id", "transaction_date", "id"], unique=False
        )

    op.create_table(
        "member",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("login_id", sa.String(length=60), nullable=False),
        sa.Column("login_key", sa.String(length=330), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("family_name", sa.String(length=40), nullable=False),
        sa.Column("given_name", sa.String(length=40), nullable=False),
        sa.Column("family_kana", sa.String(length=60), nullable=False),
        sa.Column("given_kana", sa.String(length=60), nullable=False),
        sa.Column("department", sa.String(length=80), nullable=False),
        sa.Column("telephone", sa.String(length=11), nullable=False),
        sa.Column("is_representative", sa.Boolean(), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("locale", sa.String(length=5), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_member_tenant_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_member_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "login_key", name=op.f("uq_member_tenant_id_login_key")),
    )
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.create_index("ix_member_account", ["tenant_id", "account_id", "id"], unique=False)
        batch_op.create_index("ix_member_email", ["tenant_id", "email"], unique=False)

    op.create_table(
        "reservation",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("facility_id", ID, nullable=False),
        sa.Column("facility_name", sa.String(length=100), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("headcount", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("contact", sa.JSON(), nullable=False),
        sa.Column("billing", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("billed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_method", sa.String(length=20), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("work_report", sa.JSON(), nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_reservation_times")),
        sa.CheckConstraint("headcount > 0", name=op.f("ck_reservation_headcount")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_reservation_tenant_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "facility_id"],
            ["facility.tenant_id", "facility.id"],
            name=op.f("fk_reservation_tenant_id_facility_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_reservation_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_reservation_tenant_id_number")),
    )
    with op.batch_alter_table("reservation", schema=None) as batch_op:
        batch_op.create_index(
            "ix_reservation_mine", ["tenant_id", "account_id", "booked_at", "id"], unique=False
        )
        batch_op.create_index(
            "ix_reservation_slot", ["tenant_id", "facility_id", "starts_at"], unique=False
        )
        batch_op.create_index(
            "ix_reservation_worklist", ["tenant_id", "status", "starts_at", "id"], unique=False
        )

    op.create_table(
        "draft",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("token", sa.String(length=43), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["member.tenant_id", "member.id"],
            name=op.f("fk_draft_tenant_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_draft_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "token", name=op.f("uq_draft_tenant_id_token")),
    )
    with op.batch_alter_table("draft", schema=None) as batch_op:
        batch_op.create_index("ix_draft_created", ["tenant_id", "created_at"], unique=False)

    op.create_table(
        "member_session",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["member.tenant_id", "member.id"],
            name=op.f("fk_member_session_tenant_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_session")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_member_session_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "token_digest", name=op.f("uq_member_session_tenant_id_token_digest")
        ),
    )
    with op.batch_alter_table("member_session", schema=None) as batch_op:
        batch_op.create_index(
            "ix_member_session_member", ["tenant_id", "member_id", "ended_at"], unique=False
        )

    op.create_table(
        "notice_read",
        sa.Column("notice_id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["member.tenant_id", "member.id"],
            name=op.f("fk_notice_read_tenant_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "notice_id"],
            ["notice.tenant_id", "notice.id"],
            name=op.f("fk_notice_read_tenant_id_notice_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_read")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_notice_read_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "member_id",
            "notice_id",
            name=op.f("uq_notice_read_tenant_id_member_id_notice_id"),
        ),
    )
    op.create_table(
        "one_time_link",
        sa.Column("member_id", ID, nullable=False),
        sa.Column("purpose", sa.String(length=30), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["member.tenant_id", "member.id"],
            name=op.f("fk_one_time_link_tenant_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_link")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_one_time_link_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "token_digest", name=op.f("uq_one_time_link_tenant_id_token_digest")
        ),
    )
    with op.batch_alter_table("one_time_link", schema=None) as batch_op:
        batch_op.create_index(
            "ix_one_time_link_member",
            ["tenant_id", "member_id", "purpose", "used_at"],
            unique=False,
        )
    walls()


def walls() -> None:
    """Row-level security and rights on PostgreSQL; an append-only audit trail on both."""
    connection = op.get_bind()
    ensure_app_role(connection)
    raise_walls(connection, OWNED)
    grant(connection, "system_access")
    grant(connection, "alembic_version", "SELECT")
    forbid_changes(connection, "audit_event")


def downgrade() -> None:
    for table in reversed((*OWNED, "system_access")):
        op.drop_table(table)
