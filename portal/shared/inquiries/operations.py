"""What can be done with an inquiry, from both sides (COM-50 … COM-52). The caller commits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import select

from portal.config import InquiryCategory, Tenant
from portal.core import Actor, RuleBroken, audit, clock, csvio, numbering, states
from portal.core.db import delete_where, insert_or_ignore, session, update_where
from portal.core.services import get_service
from portal.shared import notifications
from portal.shared.accounts.account_hooks import AccountHooks
from portal.shared.accounts.models import Account
from portal.shared.auth.sessions import SignedIn
from portal.shared.inquiries import asking
from portal.shared.inquiries.files import Kept
from portal.shared.inquiries.models import (
    MOVES,
    Inquiry,
    InquiryFile,
    InquiryMessage,
    InquiryRead,
    Status,
)
from portal.shared.notifications import Kind

LONGEST = 10_000
"""Characters of one message that is typed, as the forms have it."""


@dataclass(frozen=True, slots=True)
class MessageListeners:
    """Who wants to know of a further message in an inquiry, by its id, just before it is there."""

    before_message: tuple[Callable[[int], object], ...] = ()


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: a member, or a guest with name and e-mail alone (COM-53)."""

    name: str
    email: str
    account_id: int | None = None
    member_id: int | None = None

    @classmethod
    def of(cls, who: SignedIn) -> Writer:
        """The signed-in member."""
        return cls(who.name, who.email, who.account_id, who.member_id)

    @property
    def kind(self) -> str:
        """How messages name who wrote them: ``member`` or ``guest``."""
        return "member" if self.member_id else "guest"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked.

    The category's key, what number it is about, its further answers by key, the text.
    """

    category: str
    body: str
    about: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    files: Sequence[Kept] = ()


def ask(
    tenant: Tenant,
    writer: Writer,
    asked: Asked,
    *,
    by: Actor,
    channel: str = "web",
    key: str | None = None,
) -> Inquiry:
    """Begin an inquiry, as 受付, its first message under `key`, and mail its number.

    Raises RuleBroken, MayNotAsk.
    """
    category = tenant.inquiries.category(asked.category)
    if category is None:
        raise RuleBroken("お問い合わせ区分を選択してください。", field="category")
    about = _subject_of(tenant, writer, asked)
    asking.check_member(tenant, by, about, category=category.key)
    now = clock.now()
    made = Inquiry(
        number=numbering.next_number("inquiry", tenant.numbers["inquiry"]),
        name=writer.name,
        email=writer.email,
        account_id=writer.account_id,
        member_id=writer.member_id,
        category=category.key,
        label=category.label,
        about=about,
        fields=_labelled_answers(category, asked),
        channel=channel,
        consent=hashlib.sha256(tenant.texts.get("privacy", "").encode()).hexdigest(),
        created_at=now,
        updated_at=now,
    )
    session().add(made)
    session().flush()
    append(made, writer.kind, writer.name, asked.body, asked.files, key=key)
    audit.record("inquiry.ask", made, by=by, category=made.label)
    notify(tenant, made, "inquiry_received")
    return made


def _labelled_answers(category: InquiryCategory, asked: Asked) -> list[list[str]]:
    """Label and value of each further answer that was given, in the order of the form."""
    # With their labels, not by key: the thread reads the same when the tenant changes its form.
    return [
        [item.label, asked.answers[item.key]]
        for item in category.fields
        if asked.answers.get(item.key)
    ]


def _subject_of(tenant: Tenant, writer: Writer, asked: Asked) -> str:
    """What number it is about: what was named, or the only one where there is no choice."""
    return asking.subject_or_only(
        tenant, writer.account_id, writer.member_id, asked.about, category=asked.category
    )


def write(
    tenant: Tenant,
    inquiry: Inquiry,
    body: str,
    files: Sequence[Kept],
    *,
    by: Actor,
    name: str = "",
    key: str | None = None,
) -> None:
    """A further message of a member, or of `name`, who shares the sign-in.

    It awaits the operators again (COM-51). With a `key` it is written once, however often it is
    sent (COM-22); another text under the same key is a message of its own. Raises asking.MayNotAsk
    for a member who is none of those who may ask about it (SUP-01).
    """
    asking.check_member(tenant, by, inquiry.about, category=inquiry.category)
    # Behind the lock: of one message that is sent twice at once, the second finds the first.
    session().refresh(inquiry, with_for_update=True)
    before = _body_with(inquiry, key) if key else None
    if before == body:
        return
    if before is not None:
        key = None
    append(inquiry, "member", name or by.name, body, files, key=key)
    if inquiry.status != Status.RECEIVED:
        states.move(inquiry, Status.RECEIVED, MOVES, by=by)
    inquiry.updated_at = clock.now()
    audit.record("inquiry.write", inquiry, by=by)


def _body_with(inquiry: Inquiry, key: str) -> str | None:
    own = (InquiryMessage.inquiry_id == inquiry.id, InquiryMessage.key == key)
    return session().scalar(select(InquiryMessage.body).where(*own))


def answer(
    tenant: Tenant, inquiry: Inquiry, body: str, files: Sequence[Kept] = (), *, by: Actor
) -> None:
    """An operator's answer: 回答済, and a mail with the link, or the text where the tenant allows
    it (COM-52).
    """
    require_text(body)
    append(inquiry, "operator", by.name, body, files)
    if inquiry.status != Status.ANSWERED:
        move(inquiry, Status.ANSWERED, by=by)
    inquiry.updated_at = inquiry.answered_at = clock.now()
    audit.record("inquiry.answer", inquiry, by=by)
    # A guest has no page to read it on.
    text = body if tenant.inquiries.text_in_mail or not inquiry.member_id else ""
    notify(tenant, inquiry, "inquiry_answered", text=text)


def require_text(body: str) -> None:
    """Refuse a message without a text, or with one that no form would take. Raises RuleBroken."""
    if not body.strip():
        raise RuleBroken("本文を入力してください。", field="body")
    if len(body) > LONGEST:
        raise RuleBroken("%(max)d文字以内で入力してください。", field="body", max=LONGEST)


def move(inquiry: Inquiry, to: Status, *, by: Actor) -> None:
    """Move it to another state. Raises RuleBroken."""
    # What is closed is opened again first: the table of moves leads nowhere else from there.
    if inquiry.status == Status.CLOSED and to != Status.RECEIVED:
        states.move(inquiry, Status.RECEIVED, MOVES, by=by)
    states.move(inquiry, to, MOVES, by=by)


def assign(inquiry: Inquiry, to: str, *, by: Actor) -> None:
    """Give it to an operator, by name."""
    before = inquiry.assigned_to
    inquiry.assigned_to = to
    audit.record("inquiry.assign", inquiry, by=by, to=[before, to])


def mark_read(inquiry_id: int, member_id: int) -> None:
    """Note that the member has read the thread so far."""
    # Two statements that the database makes safe: two pages that are opened at once leave one row.
    values = {"inquiry_id": inquiry_id, "member_id": member_id, "read_at": clock.now()}
    insert_or_ignore(InquiryRead, values, unique=("tenant_id", "member_id", "inquiry_id"))
    own = InquiryRead.inquiry_id == inquiry_id, InquiryRead.member_id == member_id
    update_where(InquiryRead, *own, read_at=clock.now())


def append(
    inquiry: Inquiry,
    kind: str,
    name: str,
    body: str,
    files: Sequence[Kept] = (),
    *,
    key: str | None = None,
) -> None:
    """Add a message to the thread, unless the one of this `key` is there."""
    there = InquiryMessage.inquiry_id == inquiry.id, InquiryMessage.key == key
    if key and session().scalar(select(InquiryMessage.id).where(*there)):
        return
    for listener in get_service(MessageListeners).before_message:
        listener(inquiry.id)
    message = InquiryMessage(inquiry_id=inquiry.id, by_kind=kind, by_name=name, body=body, key=key)
    message.created_at = clock.now()
    session().add(message)
    session().flush()
    session().add_all(InquiryFile(message_id=message.id, **asdict(file)) for file in files)


def notify(tenant: Tenant, inquiry: Inquiry, event: str, *, text: str = "") -> None:
    """Mail who asked about it, as they chose."""
    is_guest = inquiry.member_id is None
    link = "" if is_guest else tenant.url_to("inquiries.thread", number=inquiry.number)
    notifications.send(
        tenant,
        Kind.INQUIRIES,
        event,
        inquiry.email,
        account_id=inquiry.account_id,
        inquiry=inquiry,
        link=link,
        text=text,
    )


def _erase(account: Account) -> None:
    """Take the account's threads away: whatever stands in a letter may be personal (COM-16)."""
    threads = select(Inquiry.id).where(Inquiry.account_id == account.id)
    messages = select(InquiryMessage.id).where(InquiryMessage.inquiry_id.in_(threads))
    # Their bytes go with the next sweep of files, unless somebody else sent the same.
    delete_where(InquiryFile, InquiryFile.message_id.in_(messages))
    delete_where(InquiryMessage, InquiryMessage.inquiry_id.in_(threads))
    delete_where(InquiryRead, InquiryRead.inquiry_id.in_(threads))
    delete_where(Inquiry, Inquiry.account_id == account.id)


def _papers(_tenant: Tenant, account: Account) -> Iterator[tuple[str, bytes]]:
    header = ("受付番号", "日時", "お名前", "区分", "本文")
    joined = select(Inquiry, InquiryMessage).join(
        InquiryMessage, InquiryMessage.inquiry_id == Inquiry.id
    )
    own = joined.where(Inquiry.account_id == account.id).order_by(InquiryMessage.id)
    rows = (
        (inquiry.number, message.created_at, message.by_name, inquiry.label, message.body)
        for inquiry, message in session().execute(own)
    )
    yield "inquiries.csv", b"".join(csvio.write_csv(rows, header))


HOOKS = AccountHooks(export_files=_papers, erase=_erase)
