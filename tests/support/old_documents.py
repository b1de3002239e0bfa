"""Documents as versions issued them that put no digest of what they say into the trail."""

from __future__ import annotations

from datetime import date

from portal.core import SYSTEM, audit, clock, numbering, session
from portal.shared.documents import operations
from portal.shared.documents.models import Document, DocumentKind


def issue_as_before(
    number: str, kind: DocumentKind, content: dict, on: date = date(2026, 10, 14)
) -> Document:
    """Issue and draw a document of the tenant in scope, as it was done then; committed."""
    document = Document(
        kind=kind,
        number=number,
        account_id=1,
        about="FR000001",
        counterparty="株式会社一番",
        transaction_date=on,
        total=49_238,
        content=content | {"number": number},
        issued_at=clock.now(),
    )
    numbering.next_value(kind.value)
    session().add(document)
    session().flush()
    audit.record("document.issue", document, by=SYSTEM, total=document.total)
    session().commit()
    operations.draw({"document": document.id})
    return document
