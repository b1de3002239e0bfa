"""Audit trail (COM-90): append-only by triggers, hash-chained so that a lost or altered row shows,
secrets masked.

Each event also carries a mark that only the server's secret makes, so that a chain made anew shows
as well. `portal.core.audit_chain` verifies.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import JSON, Index, String, UniqueConstraint, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.actor import Actor
from portal.core.audit_keys import current_key
from portal.core.db import Base, execute_core, insert_or_ignore, session, tenant_table_args
from portal.tenancy.orm_guard import ID, TenantOwned

# By the name of a value, so that a new field called …_token is masked before anybody thinks of it.
# A postal code is no secret.
_SECRET = re.compile(r"password|token|secret|hash|(?<!postal_)code", re.IGNORECASE)
_MASK = "***"
# What the first event is chained to, in place of the digest of one before it.
GENESIS = "0" * 64
LONGEST_SUBJECT = 80
"""A longer one (a member's long address) is cut."""
LONGEST_LOGIN = 64


class HasSubject(Protocol):
    """A record that the trail has a name for, and that may be an account's (`account_id`)."""

    @property
    def subject(self) -> str:
        """The name, e.g. ``reservation:FR000001``."""


class AuditHead(TenantOwned, Base):
    """The end of a tenant's chain; its row lock puts writers in order.

    Triggers let it move on by one event that is there, and nothing else. `keyed_from` is the first
    event that has to carry a mark: earlier ones are from before there were any.
    """

    __tablename__ = "audit_head"
    sequence: Mapped[int] = mapped_column(ID, default=0)
    digest: Mapped[str] = mapped_column(String(64), default=GENESIS)
    keyed_from: Mapped[int] = mapped_column(ID, default=1)
    __table_args__ = tenant_table_args(UniqueConstraint("tenant_id"))


class AuditEvent(TenantOwned, Base):
    """One thing that was done. Never changed, never removed.

    `at` is the instant it was done as of, `recorded_at` what the machine's clock said (they differ
    in the demo); `actor_login` is the login that ran an operator's command. Rows from before these
    columns have neither. `digest` chains it to the event before; `mac` is the mark for that digest,
    by the key `key_id`.
    """

    __tablename__ = "audit_event"
    sequence: Mapped[int] = mapped_column(ID)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_name: Mapped[str] = mapped_column(String(120))
    actor_login: Mapped[str] = mapped_column(String(LONGEST_LOGIN), default="", server_default="")
    recorded_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(String(45))
    account_id: Mapped[int | None] = mapped_column(ID)
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(LONGEST_SUBJECT))
    changes: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(8), default="")
    mac: Mapped[str] = mapped_column(String(64), default="")
    __table_args__ = tenant_table_args(
        UniqueConstraint("tenant_id", "sequence"),
        Index("ix_audit_event_subject", "tenant_id", "subject", "sequence"),
        Index("ix_audit_event_account", "tenant_id", "account_id", "at", "id"),
    )

    def expected_digest(self, previous: str) -> str:
        """The digest this row must have behind a row with digest `previous`."""
        return _digest({name: getattr(self, name) for name in _COLUMNS}, previous)

    def as_plain(self) -> dict[str, Any]:
        """All columns but the primary key, instants as their digest takes them."""
        return {name: _instant_as_text(getattr(self, name)) for name in _COLUMNS}


_COLUMNS = [column.name for column in AuditEvent.__table__.columns if column.name != "id"]


def _instant_as_text(value: object) -> object:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _digest(event: Mapping[str, Any], previous: str) -> str:
    """The digest of an event, given by its columns.

    What newer rows alone have is left out where it is not there.
    """
    body = [
        event["tenant_id"],
        event["sequence"],
        event["at"].astimezone(UTC).isoformat(),
        event["actor_kind"],
        event["actor_name"],
        event["address"],
        event["account_id"],
        event["action"],
        event["subject"],
        event["changes"],
    ]
    # Rows from before these two columns were digested without them and must verify as they are.
    if event["recorded_at"] is not None:
        body += [event["actor_login"], event["recorded_at"].astimezone(UTC).isoformat()]
    # With sorted keys: a JSON column need not give an object back in the order it was written.
    text = json.dumps([previous, body], ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def masked(changes: Mapping[str, object]) -> dict[str, object]:
    """`changes` fit to be kept: secrets replaced, instants as text."""
    kept: dict[str, object] = {}
    for key, value in changes.items():
        kept[key] = _MASK if _SECRET.search(key) else _plain(value)
    return kept


def _plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return masked({str(key): item for key, item in value.items()})
    if isinstance(value, str | int | None):
        return value
    return str(value)


def record(action: str, what: HasSubject | str, *, by: Actor, **changes: object) -> AuditEvent:
    """Write one event: `action` ("reservation.confirm") on a record that has a `subject`, or on
    that subject itself.
    """
    account_id = getattr(what, "account_id", None)
    subject = what if isinstance(what, str) else what.subject
    made = described(action, subject, by=by, account_id=account_id, **changes)
    head = _locked_head()
    (chained,) = _chained([made], head)
    event = AuditEvent(**chained)
    session().add(event)
    session().flush()  # a trigger lets the head move on only to an event that is there
    _move_on(head, chained)
    return event


def described(
    action: str, subject: str, *, by: Actor, account_id: int | None = None, **changes: object
) -> dict[str, Any]:
    """The columns of an event that is not in the chain yet; `record_all` puts many there at once.

    Takes no lock.
    """
    return {
        "tenant_id": session().tenant,
        "at": clock.now(),
        "recorded_at": clock.true_now(),
        "actor_kind": by.kind,
        "actor_name": by.name,
        "actor_login": by.login[:LONGEST_LOGIN],
        "address": by.address,
        "account_id": account_id or by.account_id,
        "action": action,
        # Cut here: SQLite would take a longer text and PostgreSQL refuse it, and both have to
        # digest the same.
        "subject": subject[:LONGEST_SUBJECT],
        "changes": masked(changes),
    }


def record_all(events: Iterable[dict[str, Any]]) -> None:
    """Write many events as one stretch of the chain, in one statement: for imports."""
    head = _locked_head()
    rows = list(_chained(events, head))
    if rows:
        execute_core(insert(AuditEvent.__table__), rows)  # type: ignore[arg-type]
        _move_on(head, rows[-1])


def _locked_head() -> AuditHead:
    """The end of the chain, made if there is none, locked until the end of the transaction."""
    # Of two first events at the same moment one inserts the row; the other waits and then locks it.
    beginning = {"sequence": 0, "digest": GENESIS, "keyed_from": 1}
    insert_or_ignore(AuditHead, beginning, unique=("tenant_id",))
    # The head may be in the session already, as it was before the lock: it is read anew.
    statement = select(AuditHead).with_for_update().execution_options(populate_existing=True)
    return session().scalars(statement).one()


def _chained(events: Iterable[dict[str, Any]], head: AuditHead) -> Iterator[dict[str, Any]]:
    """The events with their places in the chain behind `head`, and the server's mark on each."""
    key = current_key()
    sequence = head.sequence
    digest = head.digest
    for event in events:
        sequence += 1
        event["sequence"] = sequence
        digest = _digest(event, digest)
        event["digest"] = digest
        event["key_id"] = key.key_id
        event["mac"] = key.mark(digest)
        yield event


def _move_on(head: AuditHead, newest: Mapping[str, Any]) -> None:
    head.sequence = newest["sequence"]
    head.digest = newest["digest"]
    session().flush()
