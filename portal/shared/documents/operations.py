"""Issuing documents, drawing them once, and reading them back (COM-70 … COM-74)."""

import itertools
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import IO, Any

from sqlalchemy import ColumnElement, ScalarResult, and_, func, select

from portal.config import NumberFormat
from portal.core import SYSTEM, Actor, audit, clock, csvio, file_store, jobs, numbering
from portal.core.db import Query, session, update_where
from portal.core.errors import NotFound, RuleBroken
from portal.core.files import digest_of
from portal.core.zips import Entry, write_zip
from portal.shared.billing.terms import months_after
from portal.shared.documents.content import Content
from portal.shared.documents.digest import content_digest
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.documents.process import draw_document
from portal.shared.documents.typefaces import drawable
from portal.shared.searching import Search, has_words, own, part_of_number, same, since, until

DRAW = "documents.draw"
_MOST = 500  # documents in one ZIP
INDEX = (
    "番号",
    "種類",
    "取引日",
    "取引先",
    "金額（税込）",
    "ファイル名",
    "SHA-256",
    "訂正後の番号",
)
"""The columns of an index of documents; `index_row` gives the cells."""
_D: Any = Document.__table__
ISSUED = _D.c.issued_at
TIE = _D.c.id
_DRAWN = Document.sha256 != ""
_BEARS_AMOUNT = Document.kind.in_([kind for kind in DocumentKind if kind.bears_amount])
SEARCHED: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "since": lambda day: Document.transaction_date >= day,
    "until": lambda day: Document.transaction_date <= day,
    # A credit note's total is negative, but who looks for 4,950 yen means that one too.
    "least": lambda yen: and_(_BEARS_AMOUNT, func.abs(Document.total) >= yen),
    "most": lambda yen: and_(_BEARS_AMOUNT, func.abs(Document.total) <= yen),
    "counterparty": lambda words: has_words(words, _D.c.counterparty),
    "number": lambda number: Document.number == number,
    "kind": lambda kind: Document.kind == kind,
    "account_id": lambda account_id: Document.account_id == account_id,
}
_SHOWN = (
    "id",
    "number",
    "kind",
    "transaction_date",
    "total",
    "about",
    "issued_at",
    "sha256",
    "replaced_by",
)
_MINE = Search(
    own(_D, _SHOWN),
    {
        "number": part_of_number(_D.c.number),
        "about": part_of_number(_D.c.about),
        "kind": same(_D.c.kind),
        "since": since(_D.c.issued_at),
        "until": until(_D.c.issued_at),
    },
)
"""What a member may search their documents by."""


def issue(
    kind: DocumentKind,
    content: Content,
    *,
    style: NumberFormat,
    account_id: int,
    counterparty: str,
    about: str,
    transaction_date: date,
    total: int,
    by: Actor,
) -> tuple[Document, jobs.Job]:
    """Give a document its number and its content, and ask for it to be drawn, in the running
    transaction.

    `total` is in yen, tax included. The number is written into the content. Returns the document
    and the job.
    """
    number = numbering.next_number(kind.value, style)
    document = Document(
        kind=kind,
        number=number,
        account_id=account_id,
        issued_at=clock.now(),
        about=about,
        counterparty=counterparty,
        transaction_date=transaction_date,
        total=total,
    )
    # Whoever made the content could not know the number yet.
    document.content = content.to_json() | {"number": number}
    session().add(document)
    session().flush()
    digest = content_digest(document)
    audit.record("document.issue", document, by=by, kind=kind.value, total=total, digest=digest)
    return document, jobs.enqueue(DRAW, {"document": document.id})


def draw(payload: dict[str, Any]) -> None:
    """Draw a document that has no bytes yet. Drawing happens outside any transaction; the first
    result stays.

    Characters that no typeface has come out as 〓: copies from before they were refused may have
    some (COM-70).
    """
    document = session().get_one(Document, payload["document"])
    kind = document.kind
    content = drawable(document.content)
    created = document.issued_at
    drawn = document.sha256
    session().rollback()
    if drawn:
        return
    # Seconds of work: no transaction is open meanwhile.
    data = draw_document(kind, content, created)
    key = file_store().put(data)
    # Two workers may draw the same document. The first result stays, and the file of the other,
    # which nothing points at, is swept.
    undrawn = Document.id == payload["document"], Document.sha256 == ""
    if update_where(Document, *undrawn, sha256=key, size=len(data), drawn_at=clock.now()):
        subject = f"document:{content['number']}"
        audit.record("document.draw", subject, by=SYSTEM, kind=kind.value, digest_of_bytes=key)
    session().commit()


DRAW_JOB = jobs.JobKind(DRAW, draw, jobs.Lease(timedelta(minutes=2)))
"""The process that draws is killed after `RENDER_SECONDS`."""


def of_thing(account_id: int, thing: str) -> list[Document]:
    """All documents about something of this account's, oldest first. Index: ix_document_about."""
    return list(_of(account_id, Document.about == thing))


def about(account_id: int, thing: str) -> dict[DocumentKind, Document]:
    """The newest document of each kind about something of this account's."""
    return {document.kind: document for document in of_thing(account_id, thing)}


def _of(
    account_id: int, *where: ColumnElement[bool], limit: int | None = None
) -> ScalarResult[Document]:
    """What was issued to the account, oldest first."""
    own = select(Document).where(Document.account_id == account_id, *where)
    return session().scalars(own.order_by(Document.id).limit(limit))


def open_file(document: Document | None) -> tuple[IO[bytes], str, str]:
    """The document's file (checked, for the caller to close), its name and its digest.

    Raises NotFound, or RuleBroken while the document is being drawn.
    """
    if document is None:
        raise NotFound("帳票が見つかりません。")
    if not document.sha256:
        raise RuleBroken("帳票を準備しています。しばらくしてから、もう一度お試しください。")
    return file_store().open(document.sha256), document.filename, document.sha256


def search(*, limit: int = 100, **wanted: Any) -> list[Document]:
    """Documents by what `SEARCHED` names, newest first (COM-74).

    None and empty text ask for nothing.
    """
    asked = [SEARCHED[name](value) for name, value in wanted.items() if value not in (None, "")]
    newest = Document.transaction_date.desc(), Document.id.desc()
    return list(session().scalars(select(Document).where(*asked).order_by(*newest).limit(limit)))


def get_document(number: str, kind: DocumentKind | None = None) -> Document:
    """The document of this number, whosever it is, for operators.

    Raises NotFound, and RuleBroken where several kinds have the number and none is named.
    """
    found = search(number=number, kind=kind)
    if not found:
        raise NotFound("帳票が見つかりません。")
    if len(found) > 1:
        kinds = ", ".join(sorted(document.kind.value for document in found))
        raise RuleBroken("同じ番号の帳票が複数あります: %(kinds)s", field="kind", kinds=kinds)
    return found[0]


def issued_on(at: datetime) -> date:
    """The date written on a document issued at `at`: Asia/Tokyo's."""
    return clock.to_local(at).date()


def mine(account_id: int, **asked: Any) -> Query:
    """What was issued to the account, as plain rows. Index: ix_document_mine.

    `asked` narrows it: part of a `number` or of what it is `about`, a `kind`, days of issue `since`
    and `until`.
    """
    return _MINE.find(asked, account=account_id)


def find(account_id: int, kind: str, number: str) -> Document:
    """The account's own document. Raises NotFound for anybody else's."""
    for document in _of(account_id, Document.number == number):
        if document.kind == kind:
            return document
    raise NotFound("帳票が見つかりません。")


def numbered(account_id: int, numbers: Collection[str]) -> list[Document]:
    """The account's documents with these numbers, oldest first."""
    return list(_of(account_id, Document.number.in_(numbers)))


def month_archive(account_id: int, month: str) -> tuple[IO[bytes], str, str]:
    """A ZIP of what was issued to the account in ``2026-11`` (Asia/Tokyo), with an index, open for
    the caller to close; its name; its digest.

    Raises RuleBroken for what is no month, when nothing was issued, or more than fits one file.
    """
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=clock.TOKYO)
        until = datetime.combine(months_after(first.date(), 1), time(), clock.TOKYO)
        since = first.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RuleBroken("年月を選んでください。", field="month") from None
    issued = Document.issued_at >= since, Document.issued_at < until
    # One more than fits, to see that there are more.
    found = _of(account_id, _DRAWN, *issued, limit=_MOST + 1).all()
    if not found:
        raise RuleBroken("この月に発行された帳票はありません。")
    if len(found) > _MOST:
        raise RuleBroken("件数が多すぎます。")
    rows = [index_row(document) for document in found]
    index = "index.csv", b"".join(csvio.write_csv(rows, INDEX))
    # Stored as they are: what is in a PDF is packed already.
    entries = itertools.chain([index], _files_of(found))
    made = write_zip(entries, first, compression=zipfile.ZIP_STORED)
    return made, f"documents-{month}.zip", digest_of(made)


def index_row(document: Document) -> tuple[object, ...]:
    """The cells of a document in an index, in the order of `INDEX`."""
    return (
        document.number,
        document.kind.label,
        document.transaction_date,
        document.counterparty,
        document.amount,
        document.filename,
        document.sha256,
        document.replaced_by,
    )


def all_of(account_id: int) -> Iterator[Entry]:
    """Name and file of everything that was issued to the account and drawn, oldest first."""
    return _files_of(_of(account_id, _DRAWN))


def _files_of(documents: Iterable[Document]) -> Iterator[Entry]:
    """Name and file of each, opened when it is its turn."""
    for document in documents:
        yield document.filename, file_store().open(document.sha256)
