"""Whether issued documents are still what was issued (COM-72, COM-74; 電子帳簿保存法).

Each row is compared with what the audit trail says of it, and each file with its digest. The trail
itself is chained and marked with the server's key (`core/audit_chain`): who alters a row, its file
or its number would have to alter that too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

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
_SUBJECT = "document:"
_COUNT = re.compile(r"\d+$")


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

    facts: str = ""
    bytes: str = ""


@dataclass(slots=True)
class _Trail:
    """What the trail says of all documents, by number, and which of them it saw issued."""

    known: dict[str, _Known] = field(default_factory=dict)

    def take(self, event: AuditEvent) -> None:
        """Read one event, the oldest first."""
        number = event.subject.removeprefix(_SUBJECT)
        found = self.known.setdefault(number, _Known())
        if event.action == DRAWN:
            found.bytes = event.changes.get("digest_of_bytes", "")
        else:
            found.facts = event.changes.get("digest", "")


def find_faults() -> Iterator[Fault]:
    """What is wrong with the documents of the tenant in scope: altered, lost or never issued.

    Documents of before digests stood in the trail are compared by their bytes alone; `unsealed`
    counts them.
    """
    trail = _read_trail()
    seen: dict[DocumentKind, set[int]] = {kind: set() for kind in DocumentKind}
    numbers: set[str] = set()
    for document in session().scalars(select(Document).order_by(Document.id)):
        numbers.add(document.number)
        # A prefix may have changed over the years; the count behind it goes on.
        if count := _COUNT.search(document.number):
            seen[document.kind].add(int(count[0]))
        reason = _fault_of(document, trail.known.get(document.number))
        if reason:
            yield Fault(document.number, reason)
    for number in trail.known.keys() - numbers:
        yield Fault(number, "is in the trail, but its row is gone")
    yield from _missing_numbers(seen)


def _read_trail() -> _Trail:
    actions = AuditEvent.action.in_((ISSUED, DRAWN, SEALED))
    statement = select(AuditEvent).where(actions).order_by(AuditEvent.sequence)
    trail = _Trail()
    for event in session().scalars(statement.execution_options(yield_per=1000)):
        trail.take(event)
    return trail


def _fault_of(document: Document, known: _Known | None) -> str:
    """What is wrong with one document, or nothing."""
    if known is None:
        return "is not in the trail: nobody issued it"
    if known.facts and known.facts != content_digest(document):
        return "is not what was issued: total, date, counterparty or content were altered"
    # Also where the file is whole: another file and its digest may have been put into the row.
    if known.bytes != document.sha256:
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


def unsealed() -> list[Document]:
    """The documents of which the trail keeps no digest: issued before it did."""
    trail = _read_trail()
    found = session().scalars(select(Document).order_by(Document.id))
    return [one for one in found if not trail.known.get(one.number, _Known()).facts]


def seal(*, by: Actor) -> int:
    """Put the digest of each document of before into the trail, as it stands now; returns how many.

    The caller commits.
    """
    documents = unsealed()
    for document in documents:
        audit.record(SEALED, document, by=by, digest=content_digest(document))
    return len(documents)
