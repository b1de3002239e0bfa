"""Mail as rows: stored in the transaction of what caused it, sent by the worker (COM-80).

The Message-ID is fixed when the mail is stored, so a mail that a killed worker sent twice is one
mail to its reader.

A mail may hold a link that opens an account, and rows end up in backups. So its text is blanked in
the transaction that marks it as sent; who got which subject when stays.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Index, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock, jobs
from portal.core.db import Base, session, tenant_table_args, update_where
from portal.tenancy.orm_guard import ID

log = logging.getLogger(__name__)
KIND = "mail"
"""What `flask worker --kind` calls the sending of mails."""
LEASE = jobs.Lease(timedelta(minutes=3))
"""Longer than a mail server takes that lets each of its answers be waited for."""
_UNSENT_KEPT = timedelta(days=30)
"""How long the text of a mail that was given up waits to be sent again."""


class OutboxMail(jobs.Leased, Base):
    """One mail to one reader. `headers` go with it besides the usual ones.

    `expires_at` is when its link or code dies; the mail is not sent after that. `blanked_at` is
    when `body`, `html` and `headers` were emptied, None while they are there.
    """

    __tablename__ = "outbox_mail"
    event: Mapped[str] = mapped_column(String(60))
    account_id: Mapped[int | None] = mapped_column(ID)
    sender: Mapped[str] = mapped_column(String(254))
    sender_name: Mapped[str] = mapped_column(String(120))
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(120))
    headers: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    expires_at: Mapped[datetime | None]
    blanked_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        Index("ix_outbox_mail_due", "tenant_id", "status", "due_at", "id"),
        Index("ix_outbox_mail_newest", "tenant_id", "created_at", "id"),
    )


def enqueue(event: str, *, sender: str, subject: str, **columns: Any) -> OutboxMail:
    """Store a mail in the running transaction; `columns` are the others that say whose it is and
    what it says.
    """
    now = clock.now()
    message_id = f"<{secrets.token_hex(16)}@{sender.partition('@')[2]}>"
    # A line break in a subject would begin another header.
    subject = " ".join(subject.split())
    mail = OutboxMail(event=event, sender=sender, subject=subject, message_id=message_id, **columns)
    mail.created_at = mail.due_at = now
    session().add(mail)
    return mail


def blank(mail: OutboxMail) -> None:
    """Empty what the mail says; that it was written, to whom and about what, stays."""
    mail.body = ""
    mail.html = ""
    mail.headers = {}
    mail.blanked_at = clock.now()


def blank_unsendable() -> int:
    """Blank given-up mails of the tenant in scope that nobody can send again; returns how many.

    Those are mails whose link is dead, and those that nobody asked for in 30 days. The caller
    commits.
    """
    given_up = OutboxMail.status == jobs.WorkStatus.FAILED, OutboxMail.blanked_at.is_(None)
    now = clock.now()
    # NULL for a mail without a link compares as unknown, so only its age counts.
    past = (OutboxMail.expires_at <= now) | (OutboxMail.created_at < now - _UNSENT_KEPT)
    return update_where(OutboxMail, *given_up, past, body="", html="", headers={}, blanked_at=now)


def deliver(
    send: Callable[[OutboxMail], None], limit: int = 10, *, keep_texts: bool = False
) -> int:
    """Send what is due in the tenant in scope; returns how many were claimed. A failure never stops
    the rest.

    `keep_texts` leaves what was sent readable, for the demo's mailbox.
    """
    for count in range(limit):
        mail = _claim()
        if mail is None:
            return count
        _deliver(mail, send, on_success=jobs.succeed if keep_texts else _settle_sent)
    return limit


def _claim() -> OutboxMail | None:
    """Claim the next mail and take it out of the session: the network is slow, and no transaction
    is open while it talks.
    """
    mail = jobs.claim(OutboxMail, _lease_of)
    if mail is not None:
        session().flush()
        # Detached with all its columns: attributes stay readable after the commit.
        session().expunge(mail)
    session().commit()
    return mail


def _lease_of(_mail: OutboxMail) -> jobs.Lease:
    return LEASE


def _deliver(
    mail: OutboxMail,
    send: Callable[[OutboxMail], None],
    *,
    on_success: Callable[[OutboxMail], None],
) -> None:
    if mail.expires_at is not None and mail.expires_at <= clock.now():
        _give_up_expired(mail.id)
        return

    def do() -> None:
        send(mail)

    trouble = jobs.attempt(mail, do, LEASE, on_success=on_success)
    if trouble is not None:
        log.warning("mail %s was not sent: %s", mail.id, type(trouble).__name__)


def _settle_sent(mail: OutboxMail) -> None:
    jobs.succeed(mail)
    blank(mail)


def _give_up_expired(mail_id: int) -> None:
    """A dead link helps nobody: whoever asked for it asks again, or an operator sends a new one."""
    mail = session().get_one(OutboxMail, mail_id)
    jobs.give_up(mail, "its link expired before it could be sent")
    blank(mail)
    session().commit()


def newest(limit: int = 50) -> list[OutboxMail]:
    """The newest mails of the tenant in scope, for operators and the demo's mailbox (COM-82)."""
    order = (OutboxMail.created_at.desc(), OutboxMail.id.desc())
    return list(session().scalars(select(OutboxMail).order_by(*order).limit(limit)))
