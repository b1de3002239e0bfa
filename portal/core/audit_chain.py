"""Verifying the audit trail (COM-90): its chain, the marks of its events, and anchors kept
elsewhere.

Three things hold one another: the chain (SHA-256) shows a lost or altered row, the marks (HMAC)
show a chain that was made anew by somebody without the server's secret, and an anchor shows a trail
that was cut back to an earlier end. docs/decisions/audit-chain.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import aliased

from portal.core import clock
from portal.core.audit import GENESIS, AuditEvent, AuditHead
from portal.core.audit_keys import check_mark
from portal.core.db import session

_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ChainFault:
    """A place at which the trail does not hold, and why."""

    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a tenant's trail ended at some moment: a line that is kept outside the database."""

    tenant: str
    sequence: int
    digest: str
    keyed_from: int
    at: str

    def __str__(self) -> str:
        return f"{self.tenant} {self.sequence} {self.digest} {self.keyed_from} {self.at}"

    @classmethod
    def parse(cls, line: str) -> "Anchor":
        """The anchor that `str` wrote. Raises ValueError."""
        try:
            tenant, sequence, digest, keyed_from, at = line.split()
            return cls(tenant, int(sequence), digest, int(keyed_from), at)
        except ValueError:
            raise ValueError(f"no anchor: {line!r}") from None


def make_anchor() -> Anchor:
    """The anchor of the tenant in scope as its trail stands now."""
    head = session().scalars(select(AuditHead)).one_or_none()
    at = clock.now().astimezone(UTC).isoformat(timespec="seconds")
    if head is None:
        return Anchor(session().tenant, 0, GENESIS, 1, at)
    return Anchor(head.tenant_id, head.sequence, head.digest, head.keyed_from, at)


def find_faults(anchors: Sequence[Anchor] = ()) -> Iterator[ChainFault]:
    """Where the trail of the tenant in scope does not hold, in order; nothing when all is well.

    `anchors` are the tenant's own. Events up to the last of them may carry marks of keys that are
    gone by now: the anchor vouches for them.
    """
    head = session().scalars(select(AuditHead)).one_or_none()
    keyed_from = head.keyed_from if head is not None else 1
    anchored = {anchor.sequence: anchor.digest for anchor in anchors if anchor.sequence}
    vouched_until = max(anchored, default=0)
    previous = GENESIS
    expected = 1
    last_fault = 0
    # Each event is compared with the one before it as it stands, so that one altered row is one
    # fault and not the beginning of thousands.
    for event in _events():
        reason = _fault_of(event, previous, expected, keyed_from, vouched_until)
        if not reason and anchored.get(event.sequence, event.digest) != event.digest:
            reason = "the anchor says otherwise"
        if reason:
            last_fault = event.sequence
            yield ChainFault(event.sequence, reason)
        previous = event.digest
        expected = event.sequence + 1
    # A trail whose newest events were cut off still verifies, but its head says how far it went. A
    # fault in the last event has been reported already.
    end = (head.sequence, head.digest) if head is not None else (0, GENESIS)
    if end != (expected - 1, previous) and (end[0] or expected - 1) != last_fault:
        yield ChainFault(end[0] or expected - 1, "the trail does not end where it did")
    yield from _anchor_faults(anchors, expected - 1, keyed_from)


def _events() -> Iterable[AuditEvent]:
    # A trail may have millions of rows: some hundreds of them are in memory at a time.
    in_order = select(AuditEvent).order_by(AuditEvent.sequence)
    return session().scalars(in_order.execution_options(yield_per=_ROWS_AT_ONCE))


def _fault_of(
    event: AuditEvent, previous: str, expected: int, keyed_from: int, vouched_until: int
) -> str:
    """What is wrong with one event behind `previous`; empty when nothing is."""
    if event.sequence != expected or event.digest != event.expected_digest(previous):
        return "altered, or something before it is gone"
    # From before events were marked. Triggers keep anybody from moving `keyed_from`.
    if event.sequence < keyed_from and not event.mac:
        return ""
    verdict = check_mark(event.digest, key_id=event.key_id, mark=event.mac)
    if verdict == "wrong":
        return "not marked by this server"
    # Once the server's secret has changed for good, old marks cannot be checked any more; an anchor
    # from before stands in for them.
    if verdict == "unknown key" and event.sequence > vouched_until:
        return f"marked by an unknown key ({event.key_id or 'none'}); an anchor could vouch for it"
    return ""


def _anchor_faults(anchors: Sequence[Anchor], end: int, keyed_from: int) -> Iterator[ChainFault]:
    for anchor in anchors:
        if anchor.sequence > end:
            yield ChainFault(anchor.sequence, "the anchor knows later events than the trail")
        # Whoever got past the triggers could strip marks by moving `keyed_from`; an anchor kept
        # elsewhere remembers where it was.
        elif anchor.keyed_from < keyed_from:
            yield ChainFault(keyed_from, "more events are without a mark than the anchor knows")


def export_events(subjects: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The events about these subjects as plain values, in order: for whoever has no database.

    Each has all that its digest is made of, and `previous`, the digest of the event before it.
    """
    before = aliased(AuditEvent)
    chained = before.sequence == AuditEvent.sequence - 1
    statement = (
        select(AuditEvent, before.digest)
        .outerjoin(before, and_(before.tenant_id == AuditEvent.tenant_id, chained))
        .where(AuditEvent.subject.in_(subjects))
        .order_by(AuditEvent.sequence)
    )
    for event, previous in session().execute(statement):
        yield {**event.as_plain(), "previous": previous or GENESIS}


def count_unmarked() -> int:
    """How many events of the tenant in scope are from before they were marked."""
    unmarked = select(func.count(AuditEvent.id)).where(AuditEvent.mac == "")
    return session().scalars(unmarked).one()
