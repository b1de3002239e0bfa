"""Beginning a chat, saying something, typing, taking it, ending it (SUP-11). The caller commits.

Whatever happens counts the chat's pulse up first, which locks its row: messages get their ids in
the order in which they become visible, so a reader who asks for what came after an id never misses
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, select

from portal.config import Tenant
from portal.core import (
    SYSTEM,
    Actor,
    RuleBroken,
    audit,
    clock,
    first_open,
    get_or_404,
    gettext_noop,
    session,
    update_where,
)
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account
from portal.shared.chats.models import Chat
from portal.shared.inquiries import asking
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries.models import Inquiry, InquiryMessage, InquiryRead, Status
from portal.shared.inquiries.operations import Asked, Writer
from portal.shared.limits import operations as limits
from portal.shared.limits.definitions import LimitDefinition

Side = Literal["member", "operator"]
LONGEST = 4_000
TYPING = timedelta(seconds=6)
IDLE = timedelta(minutes=30)
OPEN = (Chat.ended_at.is_(None),)
_ENDED = gettext_noop(
    "このチャットは終了しました。続きは、お問い合わせのメッセージとしてお送りください。"
)
LIMIT = LimitDefinition(
    name="chats",
    usual=3,
    model=Chat,
    by=Chat.account_id,
    owner=Account,
    where=OPEN,
    find=accounts.find_account,
)
"""How many open chats an account may have (COM-41)."""


def opens(tenant: Tenant) -> datetime | None:
    """None inside business hours; outside them, when they begin next."""
    now = clock.now()
    hours = tenant.chat

    def at(day: date, of_day: str) -> datetime:
        return datetime.combine(day, time.fromisoformat(of_day), clock.TOKYO)

    day = first_open(clock.today(), tenant.calendar.is_open)
    if at(day, hours.opening) <= now < at(day, hours.closing):
        return None
    if now >= at(day, hours.closing):
        day = first_open(day + timedelta(days=1), tenant.calendar.is_open)
    return at(day, hours.opening)


def start(
    tenant: Tenant, writer: Writer, asked: Asked, *, by: Actor, key: str | None = None
) -> Inquiry:
    """Begin a chat: an inquiry whose channel it is.

    The same text under the same `key` begins it once (COM-22). Raises RuleBroken outside business
    hours, limits.LimitReached, asking.MayNotAsk (SUP-01).
    """
    if opens(tenant):
        raise RuleBroken("ただいまチャットの受付時間外です。")
    about = asking.subject_or_only(
        tenant, writer.account_id, writer.member_id, asked.about, category=asked.category
    )
    asking.check_member(tenant, by, about, category=asked.category)
    # Locked before the look for an earlier one: of two presses at once, the second finds the first.
    account = session().get_one(Account, writer.account_id, with_for_update=True)
    if key:
        begun_before = _begun_with(writer, key, asked.body)
        if begun_before is not None:
            return begun_before
    limit = _limit(tenant, account, asked.category, about)
    limits.reserve(tenant, limit.name, limit.owner)
    begun = replace(asked, about=about)
    inquiry = inquiries.ask(tenant, writer, begun, by=by, channel="chat", key=key)
    session().add(Chat(inquiry_id=inquiry.id, account_id=account.id, active_at=clock.now()))
    return inquiry


def _begun_with(writer: Writer, key: str, body: str) -> Inquiry | None:
    """The chat that this member began with this message."""
    began = InquiryMessage.key == key, InquiryMessage.body == body
    own = Inquiry.account_id == writer.account_id, Inquiry.member_id == writer.member_id
    joined = select(Inquiry).join(InquiryMessage, InquiryMessage.inquiry_id == Inquiry.id)
    return session().scalars(joined.where(*own, *began).limit(1)).one_or_none()


def _limit(tenant: Tenant, account: Account, category: str, about: str) -> asking.ChatLimit:
    """What the open chats about `about` count against.

    Its contract where a brand has those, else the account.
    """
    rule = asking.rule_for(tenant, account.id, category, about)
    if rule is None:
        return asking.ChatLimit("chats", account)
    if not about:
        raise RuleBroken("どのご契約についてのチャットかを選択してください。", field="about")
    return rule.chat_limit(account.id, about)


def send_message(
    tenant: Tenant, inquiry: Inquiry, body: str, *, side: Side, by: Actor, key: str | None = None
) -> None:
    """Say something in the chat, once for each `key` (a line broke, a second press).

    Raises RuleBroken, also in an ended chat; asking.MayNotAsk for a member who may not ask about it
    (SUP-01).
    """
    asking.check_member(tenant, by, inquiry.about, category=inquiry.category)
    if not body.strip() or len(body) > LONGEST:
        raise RuleBroken("本文を%(max)s文字以内で入力してください。", field="body", max=LONGEST)
    now = clock.now()
    if not _count_pulse(inquiry.id, active_at=now, **{_typing_column(side): None}):
        raise RuleBroken(_ENDED)
    name = by.name
    if side == "member" and by.member_id == inquiry.member_id:
        # Several may share the sign-in: who began the chat said who of them it is.
        name = inquiry.name
    inquiries.append(inquiry, side, name, body, key=key)
    inquiry.updated_at = now
    if side == "operator":
        inquiry.answered_at = now


def typing(inquiry_id: int, side: Side) -> None:
    """Note that somebody is typing; shown for `TYPING`."""
    _count_pulse(inquiry_id, **{_typing_column(side): clock.now()})


def _typing_column(side: Side) -> str:
    """The column of a chat that says when this side last typed."""
    return "member_typing_at" if side == "member" else "operator_typing_at"


def take(inquiry: Inquiry, *, by: Actor) -> None:
    """An operator sees to it. Raises RuleBroken when another does already, or it has ended."""
    # Guarded by the UPDATE itself: of two operators who take it at once, one is told.
    if not _count_pulse(inquiry.id, Chat.operator.in_(("", by.name)), operator=by.name):
        raise RuleBroken("このチャットは、ほかの担当者が対応中か、終了しています。")
    inquiries.assign(inquiry, by.name, by=by)
    if inquiry.status == Status.RECEIVED:
        inquiries.move(inquiry, Status.IN_PROGRESS, by=by)


def end(tenant: Tenant, inquiry: Inquiry, *, by: Actor) -> None:
    """End it: 完了 where an operator saw to it; an answer that is not read yet is mailed.

    A second end does nothing.
    """
    if not _count_pulse(inquiry.id, ended_at=clock.now()):
        return
    taken = session().scalar(select(Chat.operator).where(Chat.inquiry_id == inquiry.id))
    if taken and inquiry.status != Status.CLOSED:
        inquiries.move(inquiry, Status.CLOSED, by=by)
    audit.record("chat.end", inquiry, by=by)
    # Nobody is mailed what they have just read on the page.
    own = (InquiryRead.inquiry_id == inquiry.id, InquiryRead.member_id == inquiry.member_id)
    read = session().scalar(select(InquiryRead.read_at).where(*own))
    if inquiry.answered_at and (read is None or read < inquiry.answered_at):
        inquiries.notify(tenant, inquiry, "inquiry_answered")


def end_idle(tenant: Tenant) -> int:
    """End what nobody has written in for `IDLE`; returns how many."""
    found = _open(Chat.active_at < clock.now() - IDLE)
    for inquiry in found:
        end(tenant, inquiry, by=SYSTEM)
    return len(found)


def count_message(inquiry_id: int) -> None:
    """Count up the pulse of a chat that is about to get a message.

    Not only from here: a line may come by the thread's page, a command or a mail as well.
    """
    _count_pulse(inquiry_id)


def _count_pulse(inquiry_id: int, *criteria: ColumnElement[bool], **values: object) -> bool:
    """Count up the pulse of an open chat that meets `criteria`, and set `values` of it.

    The row stays locked until the transaction ends. False when there is no such chat.
    """
    own = (Chat.inquiry_id == inquiry_id, *OPEN, *criteria)
    return update_where(Chat, *own, pulse=Chat.pulse + 1, **values) > 0


@dataclass(frozen=True, slots=True)
class News:
    """What came after a message, and how the chat stands."""

    messages: Sequence[InquiryMessage]
    last: int
    pulse: int
    operator: str
    is_typing: bool
    has_ended: bool


def news(inquiry: Inquiry, after: int, *, of: Side) -> News:
    """What came after message `after`, and what side `of` does now.

    Raises NotFound where there was no chat.
    """
    chat = get_or_404(
        Chat, Chat.inquiry_id == inquiry.id, absent=gettext_noop("チャットが見つかりません。")
    )
    # By id: the pulse's lock gives messages their ids in the order in which they can be seen.
    newer = (InquiryMessage.inquiry_id == inquiry.id, InquiryMessage.id > after)
    found = (
        session().scalars(select(InquiryMessage).where(*newer).order_by(InquiryMessage.id)).all()
    )
    typed = chat.member_typing_at if of == "member" else chat.operator_typing_at
    is_typing = typed is not None and clock.now() - typed < TYPING and chat.ended_at is None
    return News(
        messages=found,
        last=found[-1].id if found else after,
        pulse=chat.pulse,
        operator=chat.operator,
        is_typing=is_typing,
        has_ended=chat.ended_at is not None,
    )


def waiting(name: str) -> Sequence[Inquiry]:
    """For operators: the open chats that nobody has taken, or that the operator of this name has,
    oldest first.
    """
    return _open(Chat.operator.in_(("", name)))


def open_of(member_id: int) -> Sequence[Inquiry]:
    """The member's own open chats, oldest first."""
    return _open(Inquiry.member_id == member_id)


def _open(*criteria: ColumnElement[bool]) -> Sequence[Inquiry]:
    joined = select(Inquiry).join(Chat, Chat.inquiry_id == Inquiry.id).where(*OPEN, *criteria)
    return session().scalars(joined.order_by(Inquiry.id)).all()
