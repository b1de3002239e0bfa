"""COM-50, COM-51, COM-52: threads, their states, files and mails."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.core import clock
from portal.core.actor import SYSTEM, operator
from portal.core.db import execute_core, session
from portal.core.errors import NotFound, RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member
from portal.shared.auth import sessions
from portal.shared.auth.sessions import Client
from portal.shared.inquiries import files, operations, queries
from portal.shared.inquiries.models import MOVES, Inquiry, InquiryMessage, Status
from portal.shared.inquiries.operations import Asked, Writer
from portal.web import lists
from tests.cast import NOW

BASE, DESK = "http://facility.localhost", operator("大森")
PDF = b"%PDF-1.7 x"


@pytest.fixture
def tenant(app):
    return app.extensions["tenants"].current().by_key["facility"]


@pytest.fixture
def who(inside):
    """Work at the first brand; a signed-in member by login ID."""
    with inside("facility"), clock.freeze(NOW):

        def find(login_id: str = "hanako") -> sessions.SignedIn:
            member = session().scalars(select(Member).where(Member.login_id == login_id)).one()
            token = sessions.open_session(member.id, Client(), lifetime=timedelta(days=90))
            session().commit()
            found = sessions.look_up(token, idle_minutes=10**6)
            assert found
            return found

        yield find


@pytest.fixture
def ask(tenant, who):
    def do(login_id: str = "hanako", **changes) -> Inquiry:
        asked = Asked(
            **{"category": "change", "body": "時間を変えたいです。", "about": "FR000001", **changes}
        )
        made = operations.ask(tenant, Writer.of(who(login_id)), asked, by=SYSTEM)
        session().commit()
        return made

    return do


def mails(event: str) -> list[OutboxMail]:
    return list(session().scalars(select(OutboxMail).where(OutboxMail.event == event)))


def test_an_inquiry_has_a_number_its_answers_and_a_mail(ask, tenant):
    """COM-50: the category's further fields by their labels; which privacy policy was agreed to."""
    made = ask(answers={"day": "2026-12-01", "what": "午後へ", "from": ""})
    assert (made.number, made.status, made.label) == (
        "IQ00000001",
        Status.RECEIVED,
        "予約内容の変更を希望",
    )
    assert made.fields == [["ご希望日", "2026-12-01"], ["変更内容", "午後へ"]]
    assert made.consent == hashlib.sha256(tenant.texts.get("privacy", "").encode()).hexdigest()
    assert (
        mails("inquiry_received")[0].recipient,
        made.number in mails("inquiry_received")[0].body,
    ) == ("hanako@one.example", True)


def test_an_unknown_category_is_refused(ask):
    """COM-50"""
    with pytest.raises(RuleBroken) as refused:
        ask(category="nothing")
    assert refused.value.field == "category"


@pytest.mark.parametrize("with_text", [False, True])
def test_an_answer_is_mailed_as_a_link_or_whole(ask, tenant, who, with_text):
    """COM-52: the text only where the tenant allows it."""
    made = ask()
    rules = tenant.inquiries.model_copy(update={"text_in_mail": with_text})
    brand = tenant.model_copy(update={"inquiries": rules})
    operations.answer(brand, made, "承りました。", by=DESK)
    session().commit()
    mail = mails("inquiry_answered")[0]
    assert made.status == Status.ANSWERED
    assert f"{BASE}/inquiries/{made.number}" in mail.body
    assert ("承りました。" in mail.body) is with_text


def unread(tenant, who) -> int:
    """How many inquiries have an answer that the member has not read."""
    return lists.count(queries.mine(tenant, who, unread="1"))


def test_an_answer_is_unread_until_it_is_read_by_each(ask, tenant, who):
    """COM-51: by each member for themself; the next answer is unread again."""
    made, hanako, kenichi = ask(), who("hanako"), who("kenichi")
    assert unread(tenant, hanako) == 0
    operations.answer(tenant, made, "一", by=DESK)
    session().commit()
    with clock.freeze(NOW + timedelta(minutes=1)):
        operations.mark_read(made.id, hanako.member_id)
        session().commit()
    assert (unread(tenant, hanako), unread(tenant, kenichi)) == (0, 1)
    with clock.freeze(NOW + timedelta(minutes=2)):
        operations.answer(tenant, made, "二", by=DESK)
        session().commit()
    assert unread(tenant, hanako) == 1
    with clock.freeze(NOW + timedelta(minutes=3)):
        operations.mark_read(made.id, hanako.member_id)
        session().commit()
    assert unread(tenant, hanako) == 0


@pytest.mark.parametrize("status", list(Status))
def test_a_members_message_leads_back_to_the_operators(tenant, ask, who, status):
    """COM-51: reopened from wherever it stood; the messages stand in order."""
    made = ask()
    if status != Status.RECEIVED:
        operations.move(made, status, by=DESK)
    operations.write(tenant, made, "もう一つ", [], by=who().actor("192.0.2.1"))
    session().commit()
    assert made.status == Status.RECEIVED
    assert [m.body for m, _files in queries.thread(made)] == ["時間を変えたいです。", "もう一つ"]


@pytest.mark.parametrize(
    ("at", "to"), [(a, b) for a in Status for b in Status if b not in MOVES[a] and a != b]
)
def test_no_other_move_is_possible_for_an_operator(ask, at, to):
    """COM-51: but that what is closed is opened first."""
    made = ask()
    if at != Status.RECEIVED:
        operations.move(made, at, by=DESK)
    if at == Status.CLOSED:
        operations.move(made, to, by=DESK)
        assert made.status == to
        return
    with pytest.raises(RuleBroken):
        operations.move(made, to, by=DESK)


def test_an_empty_answer_is_no_answer(ask, tenant):
    """COM-52"""
    made = ask()
    with pytest.raises(RuleBroken):
        operations.answer(tenant, made, "  \n", by=DESK)
    assert session().query(InquiryMessage).count() == 1


def test_who_reads_a_thread_is_the_tenants_choice(ask, tenant, who):
    """COM-51: the account, or who began it; never a neighbour."""
    made, kenichi, yumi = ask(), who("kenichi"), who("yumi")
    own = tenant.model_copy(
        update={"inquiries": tenant.inquiries.model_copy(update={"visible_to": "member"})}
    )
    assert queries.find(tenant, kenichi, made.number).id == made.id
    assert queries.find(own, who("hanako"), made.number).id == made.id
    for brand, reader in ((own, kenichi), (tenant, yumi), (own, yumi)):
        with pytest.raises(NotFound):
            queries.find(brand, reader, made.number)
        query = queries.mine(brand, reader)
        assert execute_core(query.statement, query.values).all() == []


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("virus.exe", b"MZ", "この形式"),
        ("no-ending", b"x", "この形式"),
        ("empty.pdf", b"", "空のファイル"),
        ("page.html", b"<html>", "この形式"),
        ("picture.svg", b"<svg onload=alert(1)>", "この形式"),
        ("script.pdf", b"<script>", "拡張子と合いません"),
        ("photo.png", b"\xff\xd8\xff", "拡張子と合いません"),
        ("note.txt", b"a\0b", "拡張子と合いません"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(tenant, who, name, data, why):
    """COM-50, security.md §4.22: by ending and by content; none of the message's files is kept."""
    who()
    with pytest.raises(RuleBroken, match=why) as refused:
        files.keep(tenant, [("good.pdf", PDF), (name, data)], by=SYSTEM)
    assert refused.value.field == "files"
    with pytest.raises(FileNotFoundError):
        files.open_file(hashlib.sha256(PDF).hexdigest())


def test_files_are_few_and_small_enough(tenant, who):
    """COM-50: five, 20 MB in all."""
    who()
    with pytest.raises(RuleBroken, match="5個まで"):
        files.keep(tenant, [(f"{n}.pdf", PDF) for n in range(6)], by=SYSTEM)
    with pytest.raises(RuleBroken, match="20MBまで"):
        files.keep(tenant, [("a.txt", b"x" * 21 * 1024 * 1024)], by=SYSTEM)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("..\\..\\etc\\図面.PDF", "図面.PDF"),
        ("/etc/x.pdf", "x.pdf"),
        ("a\u202egnp.pdf", "agnp.pdf"),
        ("長" * 300 + ".pdf", "長" * 146 + ".pdf"),
        ("改\r\n行.pdf", "改行.pdf"),
    ],
)
def test_a_files_name_leads_nowhere_and_steers_nothing(tenant, who, name, kept):
    """security.md §4.22: no path, no control character, not too long."""
    who()
    assert files.keep(tenant, [(name, PDF)], by=SYSTEM)[0].name == kept
