"""Mail that comes in: from a registered address it begins or continues an inquiry, from any other it is answered once
a day and never becomes one (SUP-12). No loop can arise: what no person wrote is never answered.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Index, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import (
    Actor,
    Labelled,
    OutboxMail,
    RuleBroken,
    Shelf,
    Tenant,
    TenantOwned,
    clock,
    letters,
    msgid,
)
from portal.core.db import Base, change, insert_missing, owned, session
from portal.core.letters import Letter
from portal.shared import mailing
from portal.shared.auth import throttling
from portal.shared.auth.models import Account, AccountStatus, Member, MemberStatus, Right
from portal.shared.inquiries import asking, files, operations
from portal.shared.inquiries.models import Inquiry
from portal.shared.inquiries.operations import Asked, Writer

ONCE, LONGEST = timedelta(days=1), 20_000


class Outcome(Labelled):
    """What became of a mail."""

    NEW = "new", msgid("受信")
    BEGUN = "begun", msgid("お問い合わせの受付")
    CONTINUED = "continued", msgid("お問い合わせへの追加")
    REFUSED = "refused", msgid("登録のないアドレス")
    AUTOMATIC = "automatic", msgid("自動応答")
    KNOWN = "known", msgid("受信済み")


class InboundMail(TenantOwned, Base):
    """A mail that came, known by a digest so that it counts once; the bytes of what became no inquiry are `kept`."""

    __tablename__ = "inbound_mail"
    digest: Mapped[str] = mapped_column(String(64))
    sender: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    outcome: Mapped[str] = mapped_column(String(12))
    kept: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime]
    __table_args__ = owned(
        UniqueConstraint("tenant_id", "digest"),
        Index("ix_inbound_mail_outcome", "tenant_id", "outcome", "id"),
    )


def receive(tenant: Tenant, raw: bytes, *, envelope_from: str | None, link_base: str) -> Outcome:
    """Take one mail in; the same one again is known. The caller commits. Raises letters.Unreadable."""
    letter = letters.read(raw, envelope_from)
    known_by = f"{letter.sender} {letter.message_id}".encode() if letter.message_id else raw
    digest = hashlib.sha256(known_by).hexdigest()
    came = {
        "digest": digest,
        "sender": letter.sender,
        "subject": letter.subject,
        "received_at": clock.now(),
    }
    insert_missing(
        InboundMail, {**came, "outcome": Outcome.NEW, "kept": ""}, unique=("tenant_id", "digest")
    )
    if not change(
        InboundMail,
        InboundMail.digest == digest,
        InboundMail.outcome == Outcome.NEW,
        outcome=Outcome.KNOWN,
    ):
        return Outcome.KNOWN
    member = _registered(tenant, letter.sender)
    if member and not letter.is_automatic:
        outcome = _take(tenant, letter, member, link_base)
    else:
        outcome = Outcome.AUTOMATIC if member else Outcome.REFUSED
        change(InboundMail, InboundMail.digest == digest, kept=Shelf.files.put(raw))
        if outcome is Outcome.REFUSED and not letter.is_automatic:
            _decline(tenant, letter)
    change(InboundMail, InboundMail.digest == digest, outcome=outcome)
    return outcome


def _registered(tenant: Tenant, address: str) -> Member | None:
    """Who has this address and may ask (SUP-01); of several the first."""
    own = (
        select(Member).join(Account, Account.id == Member.account_id).where(Member.email == address)
    )
    active = own.where(Member.status == MemberStatus.ACTIVE, Account.status == AccountStatus.ACTIVE)
    several = session().scalars(active.order_by(Member.id))
    return next(
        (
            one
            for one in several
            if (one.is_representative or Right.SUPPORT in one.rights.split(","))
            and asking.can_ask(tenant, one.account_id, one.id)
        ),
        None,
    )


def _take(tenant: Tenant, letter: Letter, member: Member, link_base: str) -> Outcome:
    taken, left = _files(tenant, letter.files)
    body = "\n".join([letter.body or "（本文なし）", *left])[:LONGEST]
    by = Actor("member", member.name, member.id, member.account_id)
    thread = _continues(tenant, letter, member)
    if thread:
        operations.write(tenant, thread, body, taken, by=by)
        return Outcome.CONTINUED
    asked = Asked(
        tenant.inquiries.categories[-1].key, f"{letter.subject}\n\n{body}".strip(), files=taken
    )
    writer = Writer(member.name, member.email, member.account_id, member.id)
    operations.ask(tenant, writer, asked, by=by, link_base=link_base, channel="mail")
    return Outcome.BEGUN


def _files(tenant: Tenant, sent: Iterable[tuple[str, bytes]]) -> tuple[list[files.Kept], list[str]]:
    """The files that may be kept, and a line for each that may not: a file that is refused never loses the mail."""
    taken: list[tuple[str, bytes]] = []
    kept: list[files.Kept] = []
    left: list[str] = []
    for one in sent:
        try:
            kept, taken = files.keep(tenant.inquiries, [*taken, one]), [*taken, one]
        except RuleBroken as error:
            left.append(f"（添付できなかったファイル: {one[0]} {error}）")
    return kept, left[:20]


def _continues(tenant: Tenant, letter: Letter, member: Member) -> Inquiry | None:
    """The member's own thread that it answers: by the mail of ours that it refers to, or the number in its subject.

    None for a thread about a contract whose contact they are no more: it begins one of its own (SUP-01).
    """
    ours = OutboxMail.message_id.in_(letter.answers), OutboxMail.account_id == member.account_id
    subjects = [*session().scalars(select(OutboxMail.subject).where(*ours)), letter.subject]
    style = tenant.numbers["inquiry"]
    numbers = [
        number
        for one in subjects
        for number in re.findall(rf"{re.escape(style.prefix)}[0-9]+", one)
    ]
    own = select(Inquiry).where(
        Inquiry.number.in_(numbers), Inquiry.account_id == member.account_id
    )
    if tenant.inquiries.visible_to == "member":
        own = own.where(Inquiry.member_id == member.id)
    found = session().scalars(own.order_by(Inquiry.id).limit(1)).first()
    may_write = found and asking.can_ask(tenant, member.account_id, member.id, found.about)
    return found if may_write else None


def _decline(tenant: Tenant, letter: Letter) -> None:
    """One polite answer to an address and day."""
    if letter.sender in (tenant.mail.address, tenant.mail.inbound):
        return
    try:
        throttling.count("mail-declined", letter.sender, limit=1, window=ONCE)
    except throttling.TooMany:
        return
    mail = mailing.compose(tenant, "mail_declined", letter.sender)
    refers = {"In-Reply-To": letter.message_id} if letter.message_id else {}
    mail.headers = {"Auto-Submitted": "auto-replied", **refers}


def refused(limit: int) -> Iterable[InboundMail]:
    """For operators: what became no inquiry, the newest first. Index: ix_inbound_mail_outcome."""
    of = InboundMail.outcome.in_((Outcome.REFUSED, Outcome.AUTOMATIC))
    return session().scalars(
        select(InboundMail).where(of).order_by(InboundMail.id.desc()).limit(limit)
    )
