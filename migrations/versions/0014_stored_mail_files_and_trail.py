"""What mails, files and the audit trail keep: blanked texts, pointers to files, marks, and tighter
rights.

Revision 0014, after 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APP_ROLE = "portal_app"
GENESIS = "0" * 64
TRAIL = ("audit_event", "audit_head", "system_access")

_MOVES_ON = """
    NEW.tenant_id = OLD.tenant_id AND NEW.id = OLD.id AND NEW.keyed_from = OLD.keyed_from
    AND NEW.sequence > OLD.sequence
    AND NEW.sequence - OLD.sequence = (
        SELECT COUNT(*) FROM audit_event
        WHERE tenant_id = NEW.tenant_id
        AND sequence > OLD.sequence AND sequence <= NEW.sequence
    )
    AND EXISTS (
        SELECT 1 FROM audit_event
        WHERE tenant_id = NEW.tenant_id AND sequence = NEW.sequence AND digest = NEW.digest
    )
"""
_BEGINS = f"NEW.sequence = 0 AND NEW.keyed_from = 1 AND NEW.digest = '{GENESIS}'"


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _update_every_tenant(table: str, statement: str) -> None:
    """Row-level security is forced on the owner too: lift it for a statement over all tenants."""
    if _is_postgresql():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    if _is_postgresql():
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def upgrade() -> None:
    _blank_sent_mails()
    _index_files()
    _mark_the_trail()
    if _is_postgresql():
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def _blank_sent_mails() -> None:
    op.add_column("outbox_mail", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.add_column("outbox_mail", sa.Column("blanked_at", sa.DateTime(timezone=True)))
    _update_every_tenant(
        "outbox_mail",
        "UPDATE outbox_mail SET body = '', html = '', headers = '{}', "
        "blanked_at = COALESCE(done_at, created_at) WHERE status = 'done'",
    )


def _index_files() -> None:
    size = sa.Column("size", sa.Integer(), nullable=False, server_default="0")
    op.add_column("inbound_mail", size)
    op.create_index("ix_inbound_mail_received", "inbound_mail", ["tenant_id", "received_at"])
    op.create_index("ix_inbound_mail_sender", "inbound_mail", ["tenant_id", "sender"])
    op.create_index("ix_inbound_mail_kept", "inbound_mail", ["tenant_id", "kept"])
    op.create_index("ix_inquiry_file_sha256", "inquiry_file", ["tenant_id", "sha256"])
    op.create_index("ix_document_sha256", "document", ["tenant_id", "sha256"])


def _mark_the_trail() -> None:
    for name, length in (("key_id", 8), ("mac", 64)):
        column = sa.Column(name, sa.String(length), nullable=False, server_default="")
        op.add_column("audit_event", column)
    op.add_column("audit_head", sa.Column("keyed_from", ID, nullable=False, server_default="1"))
    _update_every_tenant("audit_head", "UPDATE audit_head SET keyed_from = sequence + 1")


def _guard_on_postgresql() -> None:
    op.execute(f"REVOKE UPDATE, DELETE ON system_access FROM {APP_ROLE}")
    op.execute(f"REVOKE UPDATE, DELETE ON audit_head FROM {APP_ROLE}")
    op.execute(f"GRANT UPDATE (sequence, digest) ON audit_head TO {APP_ROLE}")
    op.execute(
        "CREATE FUNCTION guard_audit_head() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'INSERT' AND {_BEGINS} THEN RETURN NEW; END IF; "
        f"IF TG_OP = 'UPDATE' AND {_MOVES_ON} THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION 'audit_head only moves on with its trail'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_head_moves_on BEFORE INSERT OR UPDATE OR DELETE ON audit_head "
        "FOR EACH ROW EXECUTE FUNCTION guard_audit_head()"
    )
    op.execute(
        "CREATE TRIGGER system_access_append_only BEFORE UPDATE OR DELETE ON system_access "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    for table in TRAIL:
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _guard_on_sqlite() -> None:
    refused = "BEGIN SELECT RAISE(ABORT, 'audit_head only moves on with its trail'); END"
    op.execute(
        "CREATE TRIGGER audit_head_begins BEFORE INSERT ON audit_head "
        f"WHEN NOT ({_BEGINS}) {refused}"
    )
    op.execute(
        "CREATE TRIGGER audit_head_moves_on BEFORE UPDATE ON audit_head "
        f"WHEN NOT ({_MOVES_ON}) {refused}"
    )
    op.execute(f"CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head {refused}")
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER system_access_no_{verb.lower()} BEFORE {verb} ON system_access "
            "BEGIN SELECT RAISE(ABORT, 'system_access is append-only'); END"
        )


def downgrade() -> None:
    if _is_postgresql():
        _unguard_on_postgresql()
    else:
        _unguard_on_sqlite()
    op.drop_column("audit_head", "keyed_from")
    op.drop_column("audit_event", "mac")
    op.drop_column("audit_event", "key_id")
    op.drop_index("ix_document_sha256", "document")
    op.drop_index("ix_inquiry_file_sha256", "inquiry_file")
    for name in ("kept", "sender", "received"):
        op.drop_index(f"ix_inbound_mail_{name}", "inbound_mail")
    op.drop_column("inbound_mail", "size")
    op.drop_column("outbox_mail", "blanked_at")
    op.drop_column("outbox_mail", "expires_at")


def _unguard_on_postgresql() -> None:
    for table in TRAIL:
        op.execute(f"DROP TRIGGER {table}_no_truncate ON {table}")
    op.execute("DROP TRIGGER system_access_append_only ON system_access")
    op.execute("DROP TRIGGER audit_head_moves_on ON audit_head")
    op.execute("DROP FUNCTION guard_audit_head()")
    op.execute(f"REVOKE UPDATE (sequence, digest) ON audit_head FROM {APP_ROLE}")
    op.execute(f"GRANT UPDATE, DELETE ON audit_head, system_access TO {APP_ROLE}")


def _unguard_on_sqlite() -> None:
    for trigger in (
        "audit_head_begins",
        "audit_head_moves_on",
        "audit_head_stays",
        "system_access_no_update",
        "system_access_no_delete",
    ):
        op.execute(f"DROP TRIGGER {trigger}")
