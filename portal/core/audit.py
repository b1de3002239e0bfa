"""Audit trail (COM-90): append-only by triggers, hash-chained so that a lost or altered row shows, secrets masked."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.actor import Actor
from portal.core.db import Base, insert_missing, owned, session
from portal.core.tenancy.guard import ID, TenantOwned

_SECRET = re.compile(r"password|token|secret|hash|(?<!postal_)code", re.IGNORECASE)
_GENESIS = "0" * 64
LONGEST_SUBJECT = 80
"""A longer one (a member's long address) is cut."""


class AuditHead(TenantOwned, Base):
    """The end of a tenant's chain; its row lock puts writers in order."""

    __tablename__ = "audit_head"
    sequence: Mapped[int] = mapped_column(ID, default=0)
    digest: Mapped[str] = mapped_column(String(64), default=_GENESIS)
    __table_args__ = owned(UniqueConstraint("tenant_id"))


class AuditEvent(TenantOwned, Base):
    """One thing that was done. Never changed, never removed."""

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
    insert_missing(AuditHead, {"sequence": 0, "digest": _GENESIS}, unique=("tenant_id",))
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
    head.sequence, head.digest = event.sequence, event.digest
    current.add(event)
    current.flush()
    return event


def broken_links() -> Iterator[int]:
    """The sequence numbers at which the chain of the tenant in scope does not hold; none when all is well."""
    previous, expected, told = _GENESIS, 1, 0
    for event in session().scalars(
        select(AuditEvent).order_by(AuditEvent.sequence).execution_options(yield_per=500)
    ):
        if event.sequence != expected or event.digest != event.expected_digest(previous):
            yield (told := event.sequence)
        previous, expected = event.digest, event.sequence + 1
    head = session().scalars(select(AuditHead)).one_or_none()
    end = (head.sequence, head.digest) if head else (0, _GENESIS)
    if end != (expected - 1, previous) and (end[0] or expected - 1) != told:
        yield end[0] or expected - 1
