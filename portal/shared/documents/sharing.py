"""A document for somebody without an account, such as the accountant: a mailed link, for one
address, for some days.
"""

import secrets
from datetime import timedelta
from typing import IO

from sqlalchemy import ColumnElement, select

from portal.config import Tenant
from portal.core import (
    Actor,
    NotFound,
    RuleBroken,
    audit,
    clock,
    delete_where,
    require,
    session,
    signer,
    text,
    update_where,
)
from portal.core.signer import digest
from portal.shared import mailing
from portal.shared.accounts.account_hooks import AccountHooks
from portal.shared.accounts.models import Account, AccountStatus
from portal.shared.auth import throttling
from portal.shared.auth.links import DeadLink
from portal.shared.auth.sessions import SignedIn
from portal.shared.documents import operations
from portal.shared.documents.models import Document, DocumentLink

DAYS = (3, 7, 14, 30)
"""How long a link can live."""
_MOST_MADE = 20
_MOST_TRIES = 5
_HOUR = timedelta(hours=1)


class DeadDocumentLink(DeadLink):
    """A link to a document that opens nothing any more; who follows it is none of the customer's
    people.
    """


def make(
    tenant: Tenant, who: SignedIn, document: Document, recipient: str, days: int, *, by: Actor
) -> DocumentLink:
    """Mail `recipient` a link to the document. The caller commits.

    Raises RuleBroken while the document is being drawn, throttling.TooMany past twenty an hour.
    """
    if not document.sha256:
        raise RuleBroken("帳票を準備しています。しばらくお待ちください。")
    throttling.count("document-link", f"account\n{who.account_id}", limit=_MOST_MADE, window=_HOUR)
    token = secrets.token_urlsafe(32)
    now = clock.now()
    made = DocumentLink(
        account_id=who.account_id, document_id=document.id, recipient=recipient, made_by=who.name
    )
    made.token_digest = digest(token)
    made.created_at = now
    made.expires_at = now + timedelta(days=days)
    session().add(made)
    audit.record("document.share", document, by=by, recipient=recipient, days=days)
    context = {
        "document": document,
        "who": who,
        "until": made.expires_at,
        "link": tenant.url_to("documents.shared", token=token),
    }
    mailing.compose(tenant, "document_shared", recipient, account_id=who.account_id, **context)
    return made


def list_links(document: Document) -> list[DocumentLink]:
    """The document's links, the newest first, with their uses. Index: ix_document_link_document."""
    links = select(DocumentLink).where(DocumentLink.document_id == document.id)
    return list(session().scalars(links.order_by(DocumentLink.id.desc()).limit(100)))


def is_alive(link: DocumentLink) -> bool:
    """Whether it opens its document now."""
    return link.revoked_at is None and link.expires_at > clock.now()


def number_of(link: DocumentLink) -> str:
    """What the link is called in addresses; the token itself is known to its recipient alone."""
    return signer.number("document_link", link.id)


def revoke(document: Document, number: str, *, by: Actor) -> None:
    """無効にする. The caller commits. Raises NotFound."""
    found = next((link for link in list_links(document) if number_of(link) == number), None)
    if found is None:
        raise NotFound("リンクが見つかりません。")
    if update_where(
        DocumentLink,
        DocumentLink.id == found.id,
        DocumentLink.revoked_at.is_(None),
        revoked_at=clock.now(),
    ):
        audit.record("document.revoke_link", document, by=by, recipient=found.recipient)


def peek(token: str) -> DocumentLink:
    """The living link that `token` is; looking opens nothing. Raises DeadDocumentLink."""
    living = (
        select(DocumentLink)
        .join(Account, Account.id == DocumentLink.account_id)
        .where(*_alive(token))
    )
    return require(
        session().scalars(living.where(Account.status == AccountStatus.ACTIVE)).one_or_none(),
        DeadDocumentLink(),
    )


def open_link(token: str, email: str, *, address: str) -> tuple[IO[bytes], str, str]:
    """The file (for the caller to close), its name and digest, for who knows to which address the
    link was mailed. Commits; each use is counted.

    Raises DeadDocumentLink; RuleBroken at ``email``; throttling.TooMany past five tries an hour.
    """
    found = peek(token)
    link_id = found.id
    document_id = found.document_id
    recipient = found.recipient
    # The try is committed whatever follows: a rollback would give it back to whoever guesses.
    try:
        throttling.count("open-document", f"link\n{link_id}", limit=_MOST_TRIES, window=_HOUR)
    finally:
        session().commit()
    if text.normalise(email).casefold() != recipient.casefold():
        raise RuleBroken("このリンクをお送りしたメールアドレスと異なります。", field="email")
    # Whoever knows the address has not guessed, and may open the document as often as they like.
    throttling.take_back("open-document", f"link\n{link_id}")
    uses = {"uses": DocumentLink.uses + 1, "used_at": clock.now()}
    # Asked once more with the count: the link may have been revoked since it was looked at.
    if not update_where(DocumentLink, DocumentLink.id == link_id, *_alive(token), **uses):
        raise DeadDocumentLink
    document = session().get_one(Document, document_id)
    audit.record("document.open_link", document, by=Actor("guest", recipient, address=address))
    session().commit()
    return operations.open_file(document)


def _alive(token: str) -> tuple[ColumnElement[bool], ...]:
    mine = DocumentLink.token_digest == digest(token)
    return mine, DocumentLink.revoked_at.is_(None), DocumentLink.expires_at > clock.now()


def _erase(account: Account) -> None:
    delete_where(DocumentLink, DocumentLink.account_id == account.id)


HOOKS = AccountHooks(erase=_erase)
