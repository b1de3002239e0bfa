"""SUP-12: what becomes of a mail that comes in."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import select

from portal.core import clock
from portal.core.actor import SYSTEM, operator
from portal.core.db import session
from portal.core.files import Shelf
from portal.core.letters import Unreadable
from portal.core.outbox import OutboxMail
from portal.shared.auth import enrolment
from portal.shared.auth.enrolment import Person
from portal.shared.auth.models import Account, AccountStatus, Member, MemberStatus
from portal.shared.inquiries import inbound, operations, queries
from portal.shared.inquiries.inbound import InboundMail, Outcome
from portal.shared.inquiries.models import Inquiry, Status
from tests.cast import NOW
from tests.support.contracts import contract_of

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BASE = "http://desk.localhost"


@pytest.fixture
def tenant(app, inside):
    """The desk with two customers, inside its scope."""
    found = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        for name in ("yamada", "suzuki"):
            account = enrolment.add_account(found, by=SYSTEM, name=name)
            person = Person(name, "", f"{name}@one.example", is_representative=True)
            member = enrolment.add_member(found, account, person, by=SYSTEM)
            contract_of(found, account, member)
        session().commit()
        yield found


def mail(
    sender: str = "yamada@one.example", body: str = "動きません。", **heads: str
) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = sender, "desk@desk.example"
    for name, value in heads.items():
        made[name.replace("_", "-")] = value
    if "Subject" not in heads:
        made["Subject"] = "印刷の件"
    made.set_content(body)
    return made


@pytest.fixture
def receive(tenant):
    """Take a mail in, and commit."""

    def take(made: EmailMessage, envelope: str | None = "yamada@one.example") -> Outcome:
        outcome = inbound.receive(tenant, made.as_bytes(), envelope_from=envelope, link_base=BASE)
        session().commit()
        return outcome

    return take


def asked() -> list[Inquiry]:
    return list(session().scalars(select(Inquiry).order_by(Inquiry.id)))


def sent() -> list[OutboxMail]:
    return list(session().scalars(select(OutboxMail).order_by(OutboxMail.id)))


def test_a_registered_address_begins_an_inquiry_with_its_files(receive):
    """SUP-12, COM-50: subject and text, the file kept, the receipt mailed with a place for the answer."""
    made = mail(Message_ID="<m1@one.example>")
    made.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="画面.pdf")
    assert receive(made) is Outcome.BEGUN
    (one,) = asked()
    assert (one.channel, one.name, one.status) == ("mail", "yamada", Status.RECEIVED)
    ((message, files),) = queries.thread(one)
    assert message.body == "印刷の件\n\n動きません。"
    assert [file.name for file in files] == ["画面.pdf"]
    (receipt,) = sent()
    assert (receipt.event, receipt.headers) == (
        "inquiry_received",
        {"Reply-To": "desk@desk.example"},
    )
    assert one.number in receipt.subject


@pytest.mark.parametrize("way", ["reference", "subject"])
def test_an_answer_continues_it(receive, tenant, way):
    """SUP-12: by the mail that it answers, or by the number in its subject."""
    receive(mail())
    (one,) = asked()
    operations.answer(tenant, one, "再起動してください。", by=operator("木村"), link_base=BASE)
    session().commit()
    heads = (
        {"In_Reply_To": sent()[-1].message_id}
        if way == "reference"
        else {"Subject": f"Re: 回答（{one.number}）"}
    )
    assert receive(mail(body="直りません。", **heads)) is Outcome.CONTINUED
    (one,) = asked()
    assert one.status == Status.RECEIVED
    assert [message.body for message, _files in queries.thread(one)][-1] == "直りません。"


@ONE
def test_somebody_elses_thread_is_never_continued(receive):
    """SUP-12, COM-02: neither by number nor by a mail that was not theirs."""
    receive(mail())
    heads = {"Subject": f"Re: {asked()[0].number}", "References": sent()[0].message_id}
    assert receive(mail("suzuki@one.example", **heads)) is Outcome.BEGUN
    assert [one.name for one in asked()] == ["yamada", "suzuki"]


def test_the_same_mail_again_does_nothing(receive):
    """SUP-12: the MTA did not hear our answer and came again."""
    made = mail(Message_ID="<m1@one.example>")
    assert [receive(made), receive(made)] == [Outcome.BEGUN, Outcome.KNOWN]
    assert len(asked()) == 1


def test_files_that_are_refused_never_lose_the_mail(receive):
    """SUP-12, COM-50: the thread says which and why."""
    made = mail()
    made.add_attachment(b"MZ", maintype="application", subtype="octet-stream", filename="tool.exe")
    for n in range(7):
        made.add_attachment(f"{n}", filename=f"{n}.txt")
    assert receive(made) is Outcome.BEGUN
    ((message, files),) = queries.thread(asked()[0])
    assert [file.name for file in files] == [f"{n}.txt" for n in range(5)]
    assert "tool.exe" in message.body
    assert "ファイルは5個までです" in message.body


def test_an_address_that_is_not_registered_gets_one_answer_a_day(receive):
    """SUP-12: polite, to a person alone; the mail is kept, and never an inquiry."""
    stranger = "stranger@two.example"
    for n in range(3):
        assert receive(mail(stranger, f"{n}"), stranger) is Outcome.REFUSED
    assert asked() == []
    (answer,) = sent()
    assert (answer.event, answer.recipient) == ("mail_declined", stranger)
    assert answer.headers["Auto-Submitted"] == "auto-replied"
    kept = session().scalars(select(InboundMail).order_by(InboundMail.id)).all()
    assert [one.outcome for one in kept] == ["refused"] * 3
    assert b"stranger@two.example" in Shelf.files.get(kept[0].kept)
    with clock.freeze(NOW + timedelta(days=1)):
        receive(mail(stranger, "次の日"), stranger)
    assert len(sent()) == 2


@pytest.mark.parametrize(
    ("heads", "envelope"),
    [
        ({}, ""),
        ({"Auto_Submitted": "auto-replied"}, "x@two.example"),
        ({"Precedence": "bulk"}, "x@two.example"),
        ({"List_Id": "<x.two.example>"}, "x@two.example"),
    ],
)
@ONE
def test_bounces_lists_and_automatic_answers_get_none(receive, heads, envelope):
    """SUP-12: from whomever; a member's own absence notice is no inquiry either."""
    assert receive(mail("x@two.example", **heads), envelope) is Outcome.REFUSED
    assert receive(mail(**heads), envelope) is Outcome.AUTOMATIC
    assert (asked(), sent()) == ([], [])


@ONE
def test_who_may_not_ask_is_a_stranger(receive, tenant):
    """SUP-12, SUP-05: removed members, left accounts, members without the right."""
    member = session().scalars(select(Member).where(Member.email == "yamada@one.example")).one()
    member.status = MemberStatus.REMOVED
    session().commit()
    assert receive(mail()) is Outcome.REFUSED
    member.status, member.is_representative, member.rights = MemberStatus.ACTIVE, False, ""
    session().commit()
    assert receive(mail(body="2")) is Outcome.REFUSED
    member.rights = "support"
    session().commit()
    assert receive(mail(body="3")) is Outcome.BEGUN
    session().get_one(Account, member.account_id).status = AccountStatus.WITHDRAWN
    session().commit()
    assert receive(mail(body="4")) is Outcome.REFUSED


@ONE
def test_what_is_no_mail_is_told(tenant):
    """SUP-12"""
    with pytest.raises(Unreadable):
        inbound.receive(tenant, b"\0", envelope_from="", link_base=BASE)
    assert session().scalars(select(InboundMail.id)).all() == []
