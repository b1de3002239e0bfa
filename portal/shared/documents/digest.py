"""The digest of what a document says, which the audit trail keeps from its issue on (COM-72)."""

import hashlib
import json

from portal.shared.documents.models import Document


def content_digest(document: Document) -> str:
    """SHA-256 of what a document says and is filed by, as it was issued.

    Not of its account, which a merge changes, nor of what corrects it later.
    """
    # What a search finds a document by counts too: a row that was filed under another day or amount
    # would be as good as lost.
    facts = {
        "kind": document.kind.value,
        "number": document.number,
        "about": document.about,
        "counterparty": document.counterparty,
        "transaction_date": document.transaction_date.isoformat(),
        "total": document.total,
        "content": document.content,
    }
    # In one order and without blanks: the same facts give the same digest on either database.
    plain = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()
