"""Mail as rows: stored in the transaction of what caused it, sent by the worker (COM-80).

The Message-ID is fixed when the mail is stored, so a mail that a killed worker sent twice is one mail to its reader.
"""

import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import JSON, Index, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock, jobs
from portal.core.db import Base, owned, session
from portal.core.tenancy.guard import ID, TenantOwned

log = logging.getLogger(__name__)


class OutboxMail(jobs.Leased, TenantOwned, Base):
    """One mail to one reader. `headers` go with it besides the usual ones."""

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
    __table_args__ = owned(
        Index("ix_outbox_mail_due", "tenant_id", "status", "due_at", "id"),
        Index("ix_outbox_mail_newest", "tenant_id", "created_at", "id"),
    )


def enqueue(event: str, *, sender: str, subject: str, **columns: Any) -> OutboxMail:
    """Store a mail in the running transaction; `columns` are the others that say whose it is and what it says."""
    now = clock.now()
    message_id = f"<{secrets.token_hex(16)}@{sender.partition('@')[2]}>"
    subject = " ".join(subject.split())
    mail = OutboxMail(event=event, sender=sender, subject=subject, message_id=message_id, **columns)
    mail.created_at = mail.due_at = now
    session().add(mail)
    return mail


def deliver(send: Callable[[OutboxMail], None], limit: int = 10) -> int:
    """Send what is due in the tenant in scope; returns how many were claimed. A failure never stops the rest."""
    claimed = [(mail.id, mail.due_at) for mail in jobs.claim(OutboxMail, limit)]
    session().commit()
    for mail_id, until in claimed:
        mail = session().get_one(OutboxMail, mail_id)
        session().expunge(mail)
        session().rollback()  # the network is slow: hold no transaction while it talks
        if mail.status != jobs.WorkStatus.WAITING or not mail.due_at == until > clock.now():
            continue  # a slow batch lost its lease to another worker
        trouble = jobs.attempt(mail, partial(send, mail))
        if trouble is not None:
            log.warning("mail %s was not sent: %s", mail_id, type(trouble).__name__)
    return len(claimed)


def newest(limit: int = 50) -> list[OutboxMail]:
    """The newest mails of the tenant in scope, for operators and the demo's mailbox (COM-82)."""
    order = (OutboxMail.created_at.desc(), OutboxMail.id.desc())
    return list(session().scalars(select(OutboxMail).order_by(*order).limit(limit)))
