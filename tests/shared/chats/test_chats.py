"""SUP-11: when chats are open, what is said in them, and how they end."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from portal.blueprints.support import operations as support
from portal.blueprints.support import queries as contracts
from portal.blueprints.support.operations import Registrant
from portal.cli.chat import Desk
from portal.config.schema_parts import Chat as ChatHours
from portal.core import clock
from portal.core.actor import SYSTEM, Actor, operator
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.chats import operations
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries.models import InquiryMessage, Status
from portal.shared.inquiries.operations import Asked, Writer
from portal.shared.limits import operations as limits
from tests.support.contracts import contract_of

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OPEN_AT = clock.local(2026, 11, 24, 10)
KIMURA = operator("木村")


@pytest.fixture
def tenant(app):
    """The desk, in business hours: the 23rd is a holiday."""
    with clock.freeze(OPEN_AT):
        yield app.extensions["tenants"].current().by_key["desk"]


@pytest.fixture
def writer(inside, tenant):
    """Who asks, inside the desk's scope."""
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="株式会社一番")
        member = accounts.add_member(
            tenant, account, Person("山田", "太郎", "yamada@one.example"), by=SYSTEM
        )
        contract_of(tenant, account, member)
        session().commit()
        yield Writer("山田 太郎", "yamada@one.example", account.id, member.id)


@pytest.fixture
def by(writer):
    """The same as the audit trail names them."""
    return Actor("member", writer.name, writer.member_id, writer.account_id)


@pytest.fixture
def chat(tenant, writer, by):
    """A chat that has begun."""
    made = operations.start(tenant, writer, Asked("other", "動きません。"), by=by)
    session().commit()
    return made


def said(inquiry, after: int = 0) -> list[tuple[str, str, str]]:
    return [
        (m.by_kind, m.by_name, m.body)
        for m in operations.news(inquiry, after, of="operator").messages
    ]


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-24T09:00", None),
        ("2026-11-24T17:29", None),
        ("2026-11-24T08:59", "2026-11-24T09:00"),
        ("2026-11-24T17:30", "2026-11-25T09:00"),
        ("2026-11-23T10:00", "2026-11-24T09:00"),  # 勤労感謝の日
        ("2026-11-27T18:00", "2026-11-30T09:00"),  # Friday evening
        ("2026-11-28T10:00", "2026-11-30T09:00"),
    ],
)
@ONE
def test_it_is_open_in_business_hours_and_says_when_next(tenant, now, opens):
    """SUP-11: by the tenant's calendar, in Tokyo's time."""

    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=clock.TOKYO)

    with clock.freeze(at(now)):
        assert operations.opens(tenant) == (at(opens) if opens else None)


def test_hours_that_end_before_they_begin_are_a_mistake():
    """OPS-02: said when the file is read."""
    with pytest.raises(ValueError, match="closing at 09:00 is not after opening at 09:00"):
        ChatHours(opening="09:00", closing="09:00")


def test_a_chat_is_an_inquiry_with_its_messages(tenant, chat, by):
    """SUP-11, COM-50: number, mail, thread; both sides' words in order."""
    operations.take(chat, by=KIMURA)
    operations.send_message(tenant, chat, "型番を教えてください。", side="operator", by=KIMURA)
    operations.send_message(tenant, chat, "K-12 です。", side="member", by=by)
    session().commit()
    assert (chat.channel, chat.status, chat.assigned_to) == ("chat", Status.IN_PROGRESS, "木村")
    assert said(chat) == [
        ("member", "山田 太郎", "動きません。"),
        ("operator", "木村", "型番を教えてください。"),
        ("member", "山田 太郎", "K-12 です。"),
    ]
    first = operations.news(chat, 0, of="operator").messages[0].id
    assert [body for *_who, body in said(chat, first)] == ["型番を教えてください。", "K-12 です。"]
    assert session().scalars(select(OutboxMail.event)).all() == ["inquiry_received"]


def test_outside_business_hours_none_begins(tenant, writer, by):
    """SUP-11"""
    with clock.freeze(OPEN_AT + timedelta(hours=9)), pytest.raises(RuleBroken, match="受付時間外"):
        operations.start(tenant, writer, Asked("other", "夜です"), by=by)


@ONE
def test_how_many_go_on_at_once_is_limited(tenant, writer, by, chat):
    """COM-40, COM-42: three of an account; an ended one makes room."""
    for _turn in range(2):
        operations.start(tenant, writer, Asked("other", "もうひとつ"), by=by)
    with pytest.raises(limits.LimitReached):
        operations.start(tenant, writer, Asked("other", "さらに"), by=by)
    operations.end(tenant, chat, by=by)
    operations.start(tenant, writer, Asked("other", "さらに"), by=by)
    assert len(operations.open_of(writer.member_id)) == 3


def test_a_line_that_comes_twice_is_there_once(tenant, chat, by):
    """SUP-11: the browser sends it again when the answer got lost."""
    for _turn in range(2):
        operations.send_message(tenant, chat, "K-12 です。", side="member", by=by, key="a" * 32)
        session().commit()
    operations.send_message(tenant, chat, "K-12 です。", side="member", by=by, key="b" * 32)
    assert [body for *_who, body in said(chat)] == ["動きません。", "K-12 です。", "K-12 です。"]


@pytest.mark.parametrize("body", ["", "  \n", "あ" * 4001])
@ONE
def test_nothing_and_too_much_is_refused_at_the_field(tenant, chat, by, body):
    """COM-23"""
    with pytest.raises(RuleBroken, match="4000文字以内") as error:
        operations.send_message(tenant, chat, body, side="member", by=by)
    assert error.value.field == "body"


def test_another_operator_does_not_get_in_between(chat):
    """SUP-11: who has taken it has it; taking it again changes nothing."""
    operations.take(chat, by=KIMURA)
    operations.take(chat, by=KIMURA)
    with pytest.raises(RuleBroken, match="ほかの担当者"):
        operations.take(chat, by=operator("小川"))
    assert (operations.waiting("木村"), operations.waiting("小川")) == ([chat], [])


@ONE
def test_typing_shows_to_the_other_side_for_a_moment(tenant, chat, by):
    """SUP-11: until the message comes, or six seconds."""
    operations.typing(chat.id, "operator")
    before = operations.news(chat, 0, of="operator")
    assert before.is_typing
    assert not operations.news(chat, 0, of="member").is_typing
    with clock.freeze(OPEN_AT + operations.TYPING):
        assert not operations.news(chat, 0, of="operator").is_typing
    operations.send_message(tenant, chat, "はい。", side="operator", by=KIMURA)
    session().expire_all()
    after = operations.news(chat, 0, of="operator")
    assert (after.is_typing, after.pulse > before.pulse) == (False, True)


def test_the_end_closes_what_was_taken_and_mails_what_was_not_read(tenant, chat, by, writer):
    """SUP-11, COM-52: the transcript stays; nothing can be said any more, the thread goes on."""
    operations.take(chat, by=KIMURA)
    operations.send_message(tenant, chat, "再起動してください。", side="operator", by=KIMURA)
    for _turn in range(2):
        operations.end(tenant, chat, by=KIMURA)
    session().commit()
    assert chat.status == Status.CLOSED
    assert operations.news(chat, 0, of="operator").has_ended
    assert session().scalars(select(OutboxMail.event)).all() == [
        "inquiry_received",
        "inquiry_answered",
    ]
    with pytest.raises(RuleBroken, match="終了しました"):
        operations.send_message(tenant, chat, "まだです。", side="member", by=by)
    with pytest.raises(RuleBroken, match="終了して"):
        operations.take(chat, by=KIMURA)
    inquiries.write(tenant, chat, "まだです。", (), by=by)
    assert (chat.status, len(said(chat))) == (Status.RECEIVED, 3)


@ONE
def test_what_nobody_took_awaits_an_operator_and_a_read_answer_is_not_mailed(
    tenant, writer, chat, by
):
    """SUP-11"""
    operations.end(tenant, chat, by=by)
    assert chat.status == Status.RECEIVED
    second = operations.start(tenant, writer, Asked("other", "別件です。"), by=by)
    operations.take(second, by=KIMURA)
    operations.send_message(tenant, second, "はい。", side="operator", by=KIMURA)
    inquiries.mark_read(second.id, writer.member_id)
    operations.end(tenant, second, by=KIMURA)
    assert "inquiry_answered" not in session().scalars(select(OutboxMail.event)).all()


def test_a_chat_in_which_nobody_writes_ends(tenant, chat, by):
    """SUP-11: after half an hour, counted from the last line."""
    with clock.freeze(OPEN_AT + timedelta(minutes=29)):
        operations.send_message(tenant, chat, "まだいます。", side="member", by=by)
        session().commit()
    with clock.freeze(OPEN_AT + timedelta(minutes=58)):
        assert operations.end_idle(tenant) == 0
    with clock.freeze(OPEN_AT + timedelta(minutes=60)):
        assert operations.end_idle(tenant) == 1
    assert operations.waiting("木村") == []


@ONE
def test_what_is_no_chat_has_no_news(tenant, writer, by):
    """SUP-11"""
    asked = inquiries.ask(tenant, writer, Asked("other", "フォームです"), by=by)
    with pytest.raises(NotFound):
        operations.news(asked, 0, of="operator")


@ONE
def test_a_thread_of_an_erased_account_takes_its_chat_along(tenant, chat, writer):
    """COM-16"""
    account = accounts.all_accounts()[0]
    inquiries.HOOKS.erase(account)
    session().commit()
    assert operations.waiting("木村") == []
    assert session().scalars(select(InquiryMessage.id)).all() == []


def test_a_line_from_elsewhere_rings_as_well(tenant, chat, by):
    """SUP-11: by the thread's page, by `flask inquiries answer`, by mail: whoever waits for news hears of it."""
    pulses = [operations.news(chat, 0, of="operator").pulse]
    for say in (
        lambda: inquiries.write(tenant, chat, "もう一つ。", [], by=by),
        lambda: inquiries.answer(tenant, chat, "承りました。", by=KIMURA),
    ):
        say()
        session().commit()
        pulses.append(operations.news(chat, 0, of="operator").pulse)
    assert pulses == sorted(set(pulses))


def test_a_colleague_speaks_under_their_own_name(tenant, chat, by):
    """SUP-07, SUP-11: the name that was chosen at the beginning is the beginner's."""
    account = accounts.all_accounts()[0]
    ito = accounts.add_member(tenant, account, Person("伊藤", "花", "ito@one.example"), by=SYSTEM)
    contract = contracts.any_contract(chat.about)
    registrant = Registrant(ito.family_name, ito.given_name, ito.email)
    support.add_contact(tenant, contract, registrant, by=SYSTEM)
    colleague = Actor("member", ito.name, ito.id, by.account_id)
    for who in (by, colleague):
        operations.send_message(tenant, chat, who.name, side="member", by=who)
        session().commit()
    assert [name for _kind, name, body in said(chat) if name == body] == ["山田 太郎", "伊藤 花"]


def test_the_operators_terminal_says_what_came_last_and_who_left(app, tenant, chat, by):
    """SUP-11: a chat that its member ended is told, with its last line, and is talked in no more."""
    desk = Desk(app, tenant, KIMURA)
    assert desk.news() == [
        f"+ {chat.number} {chat.label}",
        f"{chat.number} 山田 太郎: 動きません。",
    ]
    desk.obey(f"/{chat.number}")
    session().commit()
    operations.send_message(tenant, chat, "直りました。", side="member", by=by)
    operations.end(tenant, chat, by=by)
    session().commit()
    assert (desk.current, desk.news()) == (
        chat.number,
        [f"{chat.number} 山田 太郎: 直りました。", f"- {chat.number}"],
    )
    assert (desk.current, desk.news()) == ("", [])


@ONE
def test_a_chat_is_not_tried_out(app):
    """OPS-10: what is said is said, so there is no --dry-run that would change everything."""
    result = app.test_cli_runner().invoke(args=["chat", "--tenant", "desk", "--dry-run"])
    assert (result.exit_code, "no --dry-run" in result.output) == (2, True)
