"""The digest of what a document says, which the audit trail keeps from its issue on (COM-72)."""

import hashlib
import json

from portal.shared.documents.models import Document


def canonical_facts(document: Document) -> bytes:
    """What a document says and is filed by, as one line of JSON that is always written alike.

    Without its account, which a merge changes, and without what corrects it later.
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
    return plain.encode()


def content_digest(document: Document) -> str:
    """SHA-256 of what a document says and is filed by, as it was issued."""
    return hashlib.sha256(canonical_facts(document)).hexdigest()
