"""Mail that comes in: from a registered address it begins or continues an inquiry, from any other
it is answered once a day and never becomes one (SUP-12). No loop can arise: what no person wrote is
never answered.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Index, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.config import Tenant
from portal.core import (
    Actor,
    LabelledEnum,
    OutboxMail,
    RuleBroken,
    TenantOwned,
    clock,
    file_store,
    gettext_noop,
    inbound_email,
)
from portal.core.db import (
    Base,
    delete_where,
    insert_or_ignore,
    session,
    tenant_table_args,
    update_where,
)
from portal.core.files import FileKey
from portal.core.inbound_email import InboundEmail
from portal.shared import mailing
from portal.shared.accounts.account_hooks import AccountHooks
from portal.shared.accounts.models import Account, AccountStatus, Member, MemberStatus, Right
from portal.shared.auth import throttling
from portal.shared.inquiries import asking, files, operations
from portal.shared.inquiries.models import Inquiry
from portal.shared.inquiries.operations import Asked, Writer

ONCE = timedelta(days=1)
LONGEST = 20_000
_MEBIBYTE = 1024 * 1024
_MAXIMUM_DECLINED_A_DAY = 200
"""Answers to strangers of a brand within a day: senders are easily invented."""


class Outcome(LabelledEnum):
    """What became of a mail."""

    NEW = "new", gettext_noop("受信")
    BEGUN = "begun", gettext_noop("お問い合わせの受付")
    CONTINUED = "continued", gettext_noop("お問い合わせへの追加")
    REFUSED = "refused", gettext_noop("登録のないアドレス")
    AUTOMATIC = "automatic", gettext_noop("自動応答")
    UNVERIFIED = "unverified", gettext_noop("送信元を確認できないメール")
    KNOWN = "known", gettext_noop("受信済み")


BECAME_NO_INQUIRY = (Outcome.REFUSED, Outcome.AUTOMATIC, Outcome.UNVERIFIED)


class InboundMail(TenantOwned, Base):
    """A mail that came, known by a digest so that it counts once.

    The bytes of what became no inquiry are `kept`, `size` of them, as far as the tenant has room
    for them (`mail.refused_megabytes`, `mail.refused_per_sender`).
    """

    __tablename__ = "inbound_mail"
    digest: Mapped[str] = mapped_column(String(64))
    sender: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    outcome: Mapped[str] = mapped_column(String(12))
    kept: Mapped[str] = mapped_column(FileKey())
    size: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        UniqueConstraint("tenant_id", "digest"),
        Index("ix_inbound_mail_outcome", "tenant_id", "outcome", "id"),
        Index("ix_inbound_mail_received", "tenant_id", "received_at"),
        Index("ix_inbound_mail_sender", "tenant_id", "sender"),
        Index("ix_inbound_mail_kept", "tenant_id", "kept"),
    )


def receive(tenant: Tenant, raw: bytes, *, envelope_from: str | None) -> Outcome:
    """Take one mail in; the same one again is known.

    The caller commits. Raises inbound_email.Unreadable.
    """
    # Without a host whose word counts, nothing is said of whether the sender is who it says.
    host = tenant.mail.authentication_host if tenant.mail.require_authenticated else ""
    letter = inbound_email.parse_email(raw, envelope_from, authentication_host=host)
    digest = hashlib.sha256(_identity_of(letter, raw)).hexdigest()
    if not _is_first(letter, digest):
        return Outcome.KNOWN
    member = _registered(tenant, letter.sender)
    outcome = _outcome_for(letter, member)
    if member is not None and outcome is Outcome.NEW:
        outcome = _take(tenant, letter, member)
    elif _has_room(tenant, letter.sender, len(raw)):
        update_where(
            InboundMail, InboundMail.digest == digest, kept=file_store().put(raw), size=len(raw)
        )
    if outcome is Outcome.REFUSED and not letter.is_automatic:
        _decline(tenant, letter)
    update_where(InboundMail, InboundMail.digest == digest, outcome=outcome)
    return outcome


def _is_first(letter: InboundEmail, digest: str) -> bool:
    """Note that the mail came; False when it had come before."""
    values = {
        "digest": digest,
        "sender": letter.sender,
        "subject": letter.subject,
        "received_at": clock.now(),
        "outcome": Outcome.NEW,
        "kept": "",
        "size": 0,
    }
    insert_or_ignore(InboundMail, values, unique=("tenant_id", "digest"))
    # The row is NEW for one of those who deliver the same mail at the same moment: the others wait
    # for its transaction, and then find it KNOWN. What it became is written at the end of that.
    is_new = (InboundMail.digest == digest, InboundMail.outcome == Outcome.NEW)
    return update_where(InboundMail, *is_new, outcome=Outcome.KNOWN) == 1


def _identity_of(letter: InboundEmail, raw: bytes) -> bytes:
    """What makes a mail the same one again.

    Where nobody vouches for the sender all of its bytes do: a forged mail must not be able to stand
    in the way of a real one by its Message-ID.
    """
    if letter.message_id and letter.is_authenticated is not False:
        return f"{letter.sender} {letter.message_id}".encode()
    return raw


def _outcome_for(letter: InboundEmail, member: Member | None) -> Outcome:
    """Why the mail becomes no inquiry, or NEW when it does.

    A sender that nobody vouches for is never answered: the answer would reach whose name was used.
    """
    if letter.is_authenticated is False:
        return Outcome.UNVERIFIED
    if member is None:
        return Outcome.REFUSED
    if letter.is_automatic:
        return Outcome.AUTOMATIC
    return Outcome.NEW


def _has_room(tenant: Tenant, sender: str, size: int) -> bool:
    """Whether the bytes of one more mail that becomes no inquiry are kept."""
    rules = tenant.mail
    refused = InboundMail.outcome.in_(BECAME_NO_INQUIRY)
    stored = select(func.coalesce(func.sum(InboundMail.size), 0)).where(refused)
    if int(session().scalars(stored).one()) + size > rules.refused_megabytes * _MEBIBYTE:
        return False
    # Senders are easily invented, so that both are bounded: one sender's share, and all together.
    recent = (InboundMail.sender == sender, InboundMail.received_at > clock.now() - ONCE)
    kept_today = select(func.count(InboundMail.id)).where(refused, *recent, InboundMail.size > 0)
    return int(session().scalars(kept_today).one()) < rules.refused_per_sender


def _registered(tenant: Tenant, address: str) -> Member | None:
    """Who has this address and may ask (SUP-01); of several the first."""
    own = (
        select(Member).join(Account, Account.id == Member.account_id).where(Member.email == address)
    )
    begun = tenant.inquiries.categories[-1].key
    active = own.where(Member.status == MemberStatus.ACTIVE, Account.status == AccountStatus.ACTIVE)
    for member in session().scalars(active.order_by(Member.id)):
        if member.may(Right.SUPPORT) and asking.can_ask(
            tenant, member.account_id, member.id, category=begun
        ):
            return member
    return None


def _take(tenant: Tenant, letter: InboundEmail, member: Member) -> Outcome:
    by = Actor("member", member.name, member.id, member.account_id)
    taken, left = _files(tenant, letter.files, by=by)
    body = "\n".join([letter.body or "（本文なし）", *left])[:LONGEST]
    thread = _continues(tenant, letter, member)
    if thread:
        operations.write(tenant, thread, body, taken, by=by)
        return Outcome.CONTINUED
    # A mail names no category: the last one is for everything else.
    asked = Asked(
        tenant.inquiries.categories[-1].key, f"{letter.subject}\n\n{body}".strip(), files=taken
    )
    writer = Writer(member.name, member.email, member.account_id, member.id)
    operations.ask(tenant, writer, asked, by=by, channel="mail")
    return Outcome.BEGUN


def _files(
    tenant: Tenant, sent: Iterable[tuple[str, bytes]], *, by: Actor
) -> tuple[list[files.Kept], list[str]]:
    """The files that may be kept, and a line for each that may not.

    A file that is refused never loses the mail.
    """
    taken: list[tuple[str, bytes]] = []
    kept: list[files.Kept] = []
    left: list[str] = []
    for name, content in sent:
        # Each time all together: the limits are of one message, and files beyond them are left out.
        tried = [*taken, (name, content)]
        try:
            kept = files.keep(tenant, tried, by=by)
        except RuleBroken as error:
            left.append(f"（添付できなかったファイル: {name} {error}）")
        else:
            taken = tried
    return kept, left[:20]


def _continues(tenant: Tenant, letter: InboundEmail, member: Member) -> Inquiry | None:
    """The member's own thread that it answers.

    By the mail of ours that it refers to, or the number in its subject. None for a thread about a
    contract whose contact they are no more: it begins one of its own (SUP-01).
    """
    ours = (OutboxMail.message_id.in_(letter.answers), OutboxMail.account_id == member.account_id)
    subjects = [*session().scalars(select(OutboxMail.subject).where(*ours)), letter.subject]
    number_pattern = re.escape(tenant.numbers["inquiry"].prefix) + "[0-9]+"
    numbers = [number for subject in subjects for number in re.findall(number_pattern, subject)]
    own = select(Inquiry).where(
        Inquiry.number.in_(numbers), Inquiry.account_id == member.account_id
    )
    if tenant.inquiries.visible_to == "member":
        own = own.where(Inquiry.member_id == member.id)
    found = session().scalars(own.order_by(Inquiry.id).limit(1)).first()
    if found is None or not asking.can_ask(
        tenant, member.account_id, member.id, found.about, category=found.category
    ):
        return None
    return found


def _decline(tenant: Tenant, letter: InboundEmail) -> None:
    """One polite answer to an address and day."""
    # Our own address as the sender: an answer would come back here.
    if letter.sender in (tenant.mail.address, tenant.mail.inbound):
        return
    try:
        throttling.count("mail-declined", letter.sender, limit=1, window=ONCE)
        throttling.count("mails-declined", "all", limit=_MAXIMUM_DECLINED_A_DAY, window=ONCE)
    except throttling.TooMany:
        return
    mail = mailing.compose(tenant, "mail_declined", letter.sender)
    # RFC 3834: what says so is answered by no other program, so that no two go on for ever.
    headers = {"Auto-Submitted": "auto-replied"}
    if letter.message_id:
        headers["In-Reply-To"] = letter.message_id
    mail.headers = headers


def refused(limit: int) -> Iterable[InboundMail]:
    """For operators: what became no inquiry, the newest first. Index: ix_inbound_mail_outcome."""
    of = InboundMail.outcome.in_(BECAME_NO_INQUIRY)
    return session().scalars(
        select(InboundMail).where(of).order_by(InboundMail.id.desc()).limit(limit)
    )


def remove_old_refused(tenant: Tenant) -> int:
    """Remove what became no inquiry and is past the tenant's `mail.refused_days`; returns how many.

    The bytes go with the next sweep of files. The caller commits. Index: ix_inbound_mail_received.
    """
    past = InboundMail.received_at < clock.now() - timedelta(days=tenant.mail.refused_days)
    return delete_where(InboundMail, past, InboundMail.outcome.in_(BECAME_NO_INQUIRY))


def _erase(account: Account) -> None:
    """Take away who of the account wrote when, about what, and mails of theirs that were kept
    (COM-16).
    """
    senders = select(Member.email).where(Member.account_id == account.id, Member.email != "")
    delete_where(InboundMail, InboundMail.sender.in_(senders))


HOOKS = AccountHooks(erase=_erase)
