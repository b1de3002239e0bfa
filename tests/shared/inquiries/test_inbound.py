"""SUP-12: what becomes of a mail that comes in."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import select

from portal.core import clock, file_sweep
from portal.core.actor import SYSTEM, operator
from portal.core.db import session
from portal.core.files import file_store
from portal.core.inbound_email import UnclearSender, Unreadable
from portal.core.outbox import OutboxMail
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, AccountStatus, Member, MemberStatus
from portal.shared.accounts.operations import Person
from portal.shared.inquiries import inbound, operations, queries
from portal.shared.inquiries.inbound import InboundMail, Outcome
from portal.shared.inquiries.models import Inquiry, Status
from portal.shared.members import withdrawal
from tests.cast import NOW
from tests.support.contracts import contract_of
from tests.support.stored_files import let_files_age, stored_files

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def tenant(app, inside):
    """The desk with two customers, inside its scope."""
    found = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        for name in ("yamada", "suzuki"):
            account = accounts.add_account(found, by=SYSTEM, name=name)
            person = Person(name, "", f"{name}@one.example", is_representative=True)
            member = accounts.add_member(found, account, person, by=SYSTEM)
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
        outcome = inbound.receive(tenant, made.as_bytes(), envelope_from=envelope)
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
    operations.answer(tenant, one, "再起動してください。", by=operator("木村"))
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
    assert b"stranger@two.example" in file_store().get(kept[0].kept)
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
        inbound.receive(tenant, b"\0", envelope_from="")
    assert session().scalars(select(InboundMail.id)).all() == []


def refused_mails() -> list[InboundMail]:
    return list(session().scalars(select(InboundMail).order_by(InboundMail.id)))


@pytest.fixture
def with_rules(tenant):
    """Take mails in under other rules of `mail`."""

    def make(**rules):
        changed = tenant.mail.model_copy(update=rules)
        changed_tenant = tenant.model_copy(update={"mail": changed})

        def take(made: EmailMessage, envelope: str = "yamada@one.example") -> Outcome:
            raw = made.as_bytes()
            outcome = inbound.receive(changed_tenant, raw, envelope_from=envelope)
            session().commit()
            return outcome

        return take

    return make


@ONE
def test_a_mail_whose_from_could_be_two_is_refused_and_not_kept(tenant):
    """SUP-12: the sender's own server is told why."""
    raw = (
        mail()
        .as_bytes()
        .replace(b"From: yamada@one.example", b"From: yamada@one.example (x) <evil@two.example>")
    )
    with pytest.raises(UnclearSender):
        inbound.receive(tenant, raw, envelope_from="evil@two.example")
    assert (asked(), refused_mails()) == ([], [])


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ("dmarc=pass header.from=one.example", Outcome.BEGUN),
        ("dmarc=fail header.from=one.example", Outcome.UNVERIFIED),
        ("dkim=pass header.d=two.example", Outcome.UNVERIFIED),
        ("", Outcome.UNVERIFIED),
    ],
)
@ONE
def test_where_senders_must_be_verified_an_unverified_one_is_kept_and_not_answered(
    with_rules, result, outcome
):
    """SUP-12: an answer would reach whose name was used."""
    receive = with_rules(require_authenticated=True, authentication_host="mx.desk.example")
    heads = {"Authentication_Results": f"mx.desk.example; {result}"} if result else {}
    assert receive(mail(**heads)) is outcome
    if outcome is Outcome.UNVERIFIED:
        (kept,) = refused_mails()
        assert b"yamada@one.example" in file_store().get(kept.kept)
        assert (asked(), sent()) == ([], [])


@ONE
def test_a_forged_mail_does_not_stand_in_the_way_of_the_real_one(with_rules):
    """SUP-12: by its Message-ID."""
    receive = with_rules(require_authenticated=True, authentication_host="mx.desk.example")
    forged, real = (
        mail(body="1", Message_ID="<m1@one.example>"),
        mail(Message_ID="<m1@one.example>"),
    )
    real["Authentication-Results"] = "mx.desk.example; dmarc=pass header.from=one.example"
    assert [receive(forged), receive(real)] == [Outcome.UNVERIFIED, Outcome.BEGUN]


def test_strangers_mails_are_kept_within_bounds(with_rules):
    """SUP-12: by megabytes in all, and so many of one sender a day; that they came is kept in any case."""
    receive = with_rules(refused_megabytes=1, refused_per_sender=2)
    strangers = ["a@two.example", "a@two.example", "a@two.example", "b@two.example"]
    for number, stranger in enumerate(strangers):
        receive(mail(stranger, f"{number}"), stranger)
    assert [bool(one.kept) for one in refused_mails()] == [True, True, False, True]
    receive(mail("c@two.example", "x" * 1024 * 1024), "c@two.example")
    last = refused_mails()[-1]
    assert (last.outcome, last.kept, last.size) == (Outcome.REFUSED, "", 0)


def test_answers_to_strangers_are_few_whoever_they_say_they_are(receive, monkeypatch):
    """SUP-12: senders are easily invented, and each answer is a mail to somebody."""
    monkeypatch.setattr(inbound, "_MAXIMUM_DECLINED_A_DAY", 3)
    for number in range(5):
        stranger = f"stranger{number}@two.example"
        assert receive(mail(stranger), stranger) is Outcome.REFUSED
    assert len(sent()) == 3


def test_what_was_refused_goes_after_its_days_and_with_it_its_bytes(app, receive, tenant):
    """SUP-12, security.md: by the worker's tidying; what became an inquiry is known for longer."""
    receive(mail("stranger@two.example"), "stranger@two.example")
    receive(mail(Message_ID="<m1@one.example>"))
    let_files_age(app, NOW)
    for days, left in ((tenant.mail.refused_days - 1, 2), (tenant.mail.refused_days + 1, 1)):
        with clock.freeze(NOW + timedelta(days=days)):
            inbound.remove_old_refused(tenant)
            session().commit()
            file_sweep.sweep(timedelta(days=1))
        assert len(refused_mails()) == left
    assert stored_files(app, "desk") == []
    assert receive(mail(Message_ID="<m1@one.example>")) is Outcome.KNOWN


def test_an_erased_accounts_mails_are_erased(receive, tenant):
    """COM-16: who wrote when, about what, and the mail as it came."""
    receive(mail(Auto_Submitted="auto-replied"))
    receive(mail("suzuki@one.example"))
    member = session().scalars(select(Member).where(Member.email == "yamada@one.example")).one()
    account = session().get_one(Account, member.account_id)
    account.status = AccountStatus.WITHDRAWN
    withdrawal.erase(account, by=SYSTEM)
    session().commit()
    assert [one.sender for one in refused_mails()] == ["suzuki@one.example"]
