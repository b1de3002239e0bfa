"""Documents to hand over: a ZIP that whoever gets it can check without the portal (COM-72, COM-74;
電子帳簿保存法).

`check_bundle` checks it. It goes into the ZIP as it is and imports nothing of the portal; what it
reads is written here.
"""

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from sqlalchemy import Select, select

from portal.config import Tenant
from portal.core import Actor, audit, audit_chain, clock, csvio, file_store, session
from portal.core.files import FileDamaged, digest_of
from portal.core.zips import Entry, write_zip
from portal.shared.documents.digest import canonical_facts, content_digest
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.documents.operations import INDEX, index_row
from portal.shared.documents.verification import COUNT

_HERE = Path(__file__).parent
_CONTENT_DIGEST = "内容のSHA-256"
_FILE_COLUMN = INDEX.index("ファイル名")
_ROWS_AT_ONCE = 200
_SUBJECTS_AT_ONCE = 200
_FOLDER = "pdf"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which documents are handed over: by transaction date, both days included, and by account."""

    since: date
    until: date
    account_id: int | None = None
    account_number: str = ""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A ZIP for the caller to close, its SHA-256, how many documents it tells of, and the numbers
    of those whose file is not in it: not drawn yet, lost or damaged.
    """

    file: IO[bytes]
    digest: str
    count: int
    absent: tuple[str, ...]


@dataclass(slots=True)
class _Listed:
    """What was written of the documents: how many, their subjects in the trail, and the places of
    their numbers in the sequences.
    """

    count: int = 0
    subjects: dict[str, None] = field(default_factory=dict)
    places: dict[DocumentKind, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, document: Document) -> None:
        """Take note of one document."""
        self.count += 1
        self.subjects[document.subject] = None
        if place := COUNT.search(document.number):
            self.places[document.kind].add(int(place[0]))


def make_bundle(tenant: Tenant, wanted: Selection) -> Bundle:
    """Write the documents of a selection, and what proves them, into a ZIP.

    Run it in a transaction that holds one snapshot: the trail must tell of the documents as they
    are read.
    """
    absent: list[str] = []
    with ExitStack() as opened:
        index, facts, trail = (opened.enter_context(TemporaryFile()) for _each in range(3))
        listed = _write_lists(wanted, index, facts)
        _write_trail(listed, trail)
        described = json.dumps(_describe(tenant, wanted, listed), ensure_ascii=False, indent=1)
        lists: list[Entry] = [
            ("README.txt", (_HERE / "bundle_readme.txt").read_bytes()),
            ("check.py", (_HERE / "check_bundle.py").read_bytes()),
            ("anchor.txt", f"{audit_chain.make_anchor()}\n".encode()),
            ("bundle.json", described.encode()),
            ("index.csv", index),
            ("documents.jsonl", facts),
            ("trail.jsonl", trail),
        ]
        # Stored as they are: what is in a PDF is packed already.
        entries = chain(lists, _files(wanted, absent))
        made = write_zip(entries, clock.now(), compression=zipfile.ZIP_STORED)
    return Bundle(made, digest_of(made), listed.count, tuple(absent))


def record(wanted: Selection, bundle: Bundle, *, by: Actor) -> None:
    """Tell the audit trail who took which documents out, and the digest of the ZIP.

    The caller commits.
    """
    audit.record(
        "document.bundle",
        f"documents:{wanted.since}..{wanted.until}",
        by=by,
        account=wanted.account_number,
        count=bundle.count,
        digest=bundle.digest,
        absent=bundle.absent,
    )


def _documents(wanted: Selection) -> Iterable[Document]:
    statement: Select[Document] = select(Document).where(
        Document.transaction_date >= wanted.since, Document.transaction_date <= wanted.until
    )
    if wanted.account_id is not None:
        statement = statement.where(Document.account_id == wanted.account_id)
    in_order = statement.order_by(Document.id).execution_options(yield_per=_ROWS_AT_ONCE)
    return session().scalars(in_order)


def _place(document: Document) -> str:
    """Where its file stands in the ZIP: two kinds may have a number in common."""
    return f"{_FOLDER}/{document.kind.value}/{document.filename}"


def _write_lists(wanted: Selection, index: IO[bytes], facts: IO[bytes]) -> _Listed:
    """Write the index, and the facts of each document as the line that its digest is of."""
    listed = _Listed()

    def rows() -> Iterator[tuple[object, ...]]:
        for document in _documents(wanted):
            listed.add(document)
            facts.write(canonical_facts(document) + b"\n")
            cells = list(index_row(document))
            cells[_FILE_COLUMN] = _place(document) if document.sha256 else ""
            yield (*cells, content_digest(document))

    for part in csvio.write_csv(rows(), (*INDEX, _CONTENT_DIGEST)):
        index.write(part)
    return listed


def _write_trail(listed: _Listed, trail: IO[bytes]) -> None:
    """Write every event of the audit trail about these documents, a line of JSON each."""
    left = iter(listed.subjects)
    while subjects := list(islice(left, _SUBJECTS_AT_ONCE)):
        for event in audit_chain.export_events(subjects):
            trail.write(json.dumps(event, ensure_ascii=False).encode() + b"\n")


def _describe(tenant: Tenant, wanted: Selection, listed: _Listed) -> dict[str, object]:
    """What the bundle is of, and which numbers between its own are documents outside of it."""
    elsewhere = {
        kind.value: list(_spans(_between(listed.places[kind]) & _taken(kind)))
        for kind in list(listed.places)
    }
    return {
        "company": tenant.company,
        "brand": tenant.name,
        "tenant": tenant.key,
        "since": wanted.since.isoformat(),
        "until": wanted.until.isoformat(),
        "account": wanted.account_number,
        "made_at": clock.to_local(clock.now()).isoformat(timespec="seconds"),
        "count": listed.count,
        "kinds": {kind.value: str(kind.label) for kind in DocumentKind},
        "elsewhere": elsewhere,
    }


def _between(places: set[int]) -> set[int]:
    """The places in a sequence that lie among these and are none of them."""
    return set(range(min(places), max(places))) - places


def _taken(kind: DocumentKind) -> set[int]:
    """The places of all documents of a kind, whatever their date and account."""
    numbers = select(Document.number).where(Document.kind == kind)
    found = map(COUNT.search, session().scalars(numbers))
    return {int(place[0]) for place in found if place}


def _spans(places: set[int]) -> Iterator[tuple[int, int]]:
    """First and last of each stretch of places without a gap."""
    first = last = -1
    for place in sorted(places):
        if place != last + 1:
            if first >= 0:
                yield first, last
            first = place
        last = place
    if first >= 0:
        yield first, last


def _files(wanted: Selection, absent: list[str]) -> Iterator[Entry]:
    """The files, opened when it is their turn; the numbers of those that are not there are added to
    `absent`.

    One lost file must not keep the others from being handed over: the check names it.
    """
    for document in _documents(wanted):
        try:
            file = file_store().open(document.sha256)
        except (FileNotFoundError, FileDamaged):
            absent.append(document.number)
        else:
            yield _place(document), file
