"""Whether issued documents are still what was issued (COM-72, COM-74; 電子帳簿保存法).

Each row is compared with what the audit trail says of it, and each file with its digest. The trail
itself is chained and marked with the server's key (`core/audit_chain`): who alters a row, its file
or its number would have to alter that too.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import select

from portal.core import Actor, AuditEvent, audit, session
from portal.core.files import FileDamaged
from portal.core.numbering import NumberSequence
from portal.shared.documents.digest import content_digest
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.documents.operations import open_file

ISSUED = "document.issue"
DRAWN = "document.draw"
SEALED = "document.seal"
ACTIONS = (ISSUED, DRAWN, SEALED)
"""What the trail keeps digests with."""
COUNT = re.compile(r"\d+$")
"""The place in its sequence, in a document's number."""
_SUBJECT = "document:"
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the document of a number."""

    number: str
    reason: str

    def __str__(self) -> str:
        return f"{self.number}: {self.reason}"


@dataclass(slots=True)
class _Known:
    """What the trail says of one document: digests of its facts and of its bytes, if it does."""

    facts: set[str] = field(default_factory=set)
    bytes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Trail:
    """What the trail says of all documents, by kind and number.

    Events of before name no kind: they count for every document that has their number.
    """

    known: dict[tuple[str, str], _Known] = field(default_factory=dict)

    def take(self, event: AuditEvent) -> None:
        """Read one event."""
        number = event.subject.removeprefix(_SUBJECT)
        found = self.known.setdefault((event.changes.get("kind", ""), number), _Known())
        name = "digest_of_bytes" if event.action == DRAWN else "digest"
        digests = found.bytes if event.action == DRAWN else found.facts
        if name in event.changes:
            digests.add(event.changes[name])

    def about(self, document: Document) -> _Known | None:
        """What it says of one document; None where it knows nothing of it."""
        keys = (document.kind.value, document.number), ("", document.number)
        found = [self.known[key] for key in keys if key in self.known]
        if not found:
            return None
        return _Known(
            facts={digest for known in found for digest in known.facts},
            bytes={digest for known in found for digest in known.bytes},
        )

    def lost(self, seen: set[tuple[str, str]]) -> list[str]:
        """The numbers that it knows of kinds and numbers of which no document was seen."""
        numbers = {number for _kind, number in seen}
        gone = {
            number
            for kind, number in self.known
            if number not in numbers or (kind and (kind, number) not in seen)
        }
        return sorted(gone)


def find_faults() -> Iterator[Fault]:
    """What is wrong with the documents of the tenant in scope: altered, lost or never issued.

    Documents of before digests stood in the trail are compared by their bytes alone; `unsealed`
    counts them.
    """
    trail = _read_trail()
    counts: dict[DocumentKind, set[int]] = {kind: set() for kind in DocumentKind}
    seen: set[tuple[str, str]] = set()
    for document in _documents():
        seen.add((document.kind.value, document.number))
        # A prefix may have changed over the years; the count behind it goes on.
        if count := COUNT.search(document.number):
            counts[document.kind].add(int(count[0]))
        reason = _fault_of(document, trail.about(document))
        if reason:
            yield Fault(document.number, reason)
    for number in trail.lost(seen):
        yield Fault(number, "is in the trail, but its row is gone")
    yield from _missing_numbers(counts)


def _documents() -> Iterable[Document]:
    in_order = select(Document).order_by(Document.id)
    return session().scalars(in_order.execution_options(yield_per=_ROWS_AT_ONCE))


def _read_trail() -> _Trail:
    statement = select(AuditEvent).where(AuditEvent.action.in_(ACTIONS))
    in_order = statement.order_by(AuditEvent.sequence)
    trail = _Trail()
    for event in session().scalars(in_order.execution_options(yield_per=_ROWS_AT_ONCE)):
        trail.take(event)
    return trail


def _fault_of(document: Document, known: _Known | None) -> str:
    """What is wrong with one document, or nothing."""
    if known is None:
        return "is not in the trail: nobody issued it"
    if known.facts and content_digest(document) not in known.facts:
        return "is not what was issued: total, date, counterparty or content were altered"
    # Also where the file is whole: another file and its digest may have been put into the row.
    if document.sha256 not in (known.bytes or {""}):
        return "its file is not the one that was drawn"
    return _fault_of_file(document) if document.sha256 else ""


def _fault_of_file(document: Document) -> str:
    """What is wrong with the bytes of a document that is drawn, or nothing."""
    try:
        open_file(document)[0].close()
    except FileNotFoundError:
        return "file is missing"
    except FileDamaged:
        return "bytes do not match the digest"
    return ""


def _missing_numbers(seen: dict[DocumentKind, set[int]]) -> Iterator[Fault]:
    """Numbers that were given out and that no document has: sequences have no gaps (COM-72)."""
    for kind, counts in seen.items():
        given = select(NumberSequence.value).where(NumberSequence.kind == kind.value)
        last = session().scalar(given) or 0
        for count in sorted(set(range(1, last + 1)) - counts):
            yield Fault(f"{kind.value} {count}", "number was given out, but no document has it")


def unsealed() -> Iterator[Document]:
    """The documents that were issued before the trail kept digests of what is issued.

    One that the trail knows nothing of is none of them: nobody issued it, and to seal it would hide
    that.
    """
    trail = _read_trail()
    for document in _documents():
        known = trail.about(document)
        if known is not None and not known.facts:
            yield document


def count_unsealed() -> int:
    """How many documents have no digest in the trail that would show a change."""
    return sum(1 for _document in unsealed())


def seal(*, by: Actor) -> int:
    """Put the digest of each document of before into the trail, as it stands now; returns how many.

    The caller commits.
    """
    count = 0
    events = (_sealing(document, by) for document in unsealed())
    # In stretches: an archive of many years has more events than memory ought to hold at once.
    while stretch := list(islice(events, _ROWS_AT_ONCE)):
        audit.record_all(stretch)
        count += len(stretch)
    return count


def _sealing(document: Document, by: Actor) -> dict[str, Any]:
    """The event that seals a document; it is not in the chain yet."""
    return audit.described(
        SEALED,
        document.subject,
        by=by,
        account_id=document.account_id,
        kind=document.kind.value,
        digest=content_digest(document),
    )
