"""Audit trail (COM-90): append-only by triggers, hash-chained so that a lost or altered row shows, secrets masked.

Each event also carries a mark that only the server's secret makes, so that a chain made anew shows as well.
`portal.core.audit_chain` verifies.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.actor import Actor
from portal.core.audit_keys import current_key
from portal.core.db import Base, insert_missing, owned, session
from portal.core.tenancy.guard import ID, TenantOwned

_SECRET = re.compile(r"password|token|secret|hash|(?<!postal_)code", re.IGNORECASE)
GENESIS = "0" * 64
LONGEST_SUBJECT = 80
"""A longer one (a member's long address) is cut."""


class AuditHead(TenantOwned, Base):
    """The end of a tenant's chain; its row lock puts writers in order.

    Triggers let it move on by one event that is there, and nothing else. `keyed_from` is the first
    event that has to carry a mark: earlier ones are from before there were any.
    """

    __tablename__ = "audit_head"
    sequence: Mapped[int] = mapped_column(ID, default=0)
    digest: Mapped[str] = mapped_column(String(64), default=GENESIS)
    keyed_from: Mapped[int] = mapped_column(ID, default=1)
    __table_args__ = owned(UniqueConstraint("tenant_id"))


class AuditEvent(TenantOwned, Base):
    """One thing that was done. Never changed, never removed.

    `digest` chains it to the event before; `mac` is the mark for that digest, by the key `key_id`.
    """

    __tablename__ = "audit_event"
    sequence: Mapped[int] = mapped_column(ID)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_name: Mapped[str] = mapped_column(String(120))
    address: Mapped[str] = mapped_column(String(45))
    account_id: Mapped[int | None] = mapped_column(ID)
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(LONGEST_SUBJECT))
    changes: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(8), default="")
    mac: Mapped[str] = mapped_column(String(64), default="")
    __table_args__ = owned(
        UniqueConstraint("tenant_id", "sequence"),
        Index("ix_audit_event_subject", "tenant_id", "subject", "sequence"),
        Index("ix_audit_event_account", "tenant_id", "account_id", "at", "id"),
    )

    def expected_digest(self, previous: str) -> str:
        """The digest this row must have behind a row with digest `previous`."""
        who = (self.actor_kind, self.actor_name, self.address, self.account_id)
        at = self.at.astimezone(UTC).isoformat()
        body = (self.tenant_id, self.sequence, at, *who, self.action, self.subject, self.changes)
        text = json.dumps([previous, body], ensure_ascii=False, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def masked(changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` fit to be kept: secrets replaced, instants as text."""
    return {key: "***" if _SECRET.search(key) else _plain(value) for key, value in changes.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return masked({str(key): item for key, item in value.items()})
    return value if isinstance(value, str | int | None) else str(value)


def record(action: str, what: Any, *, by: Actor, **changes: Any) -> AuditEvent:
    """Write one event: `action` ("reservation.confirm") on a record that has a `subject`, or on that subject itself."""
    current = session()
    beginning = {"sequence": 0, "digest": GENESIS, "keyed_from": 1}
    insert_missing(AuditHead, beginning, unique=("tenant_id",))
    head = current.scalars(
        select(AuditHead).with_for_update().execution_options(populate_existing=True)
    ).one()
    event = AuditEvent(
        tenant_id=current.tenant,
        sequence=head.sequence + 1,
        at=clock.now(),
        actor_kind=by.kind,
        actor_name=by.name,
        address=by.address,
        account_id=getattr(what, "account_id", None) or by.account_id,
        action=action,
        subject=getattr(what, "subject", what)[:LONGEST_SUBJECT],
        changes=masked(changes),
    )
    event.digest = event.expected_digest(head.digest)
    key = current_key()
    event.key_id = key.key_id
    event.mac = key.mark(event.digest)
    current.add(event)
    current.flush()  # a trigger lets the head move on only to an event that is there
    head.sequence = event.sequence
    head.digest = event.digest
    current.flush()
    return event
