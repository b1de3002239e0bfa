"""FAC-05, FAC-06: the talk about a reservation keeps the reservation, whoever begins it."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.blueprints.facility import booking, operations, queries
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.inquiries.models import Inquiry, InquiryMessage, Status
from tests.support.client import Visitor

START = clock.local(2026, 12, 10, 13)
OTHER = {"body": "駐車場はありますか。", "agreed": "y"}
CANCEL = {"f_reason": "", "body": "都合により取りやめます。", "agreed": "y"}
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def tenant(app: Flask) -> Tenant:
    """The facility brand."""
    found: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return found


@pytest.fixture
def number(inside, tenant, cast) -> str:
    """The requested reservation, moved to 10 December, 13 to 16: ¥13,500."""
    with inside("facility"):
        found = queries.any_reservation(cast.requested)
        booking.reschedule(tenant, found, START, START + timedelta(hours=3), by=SYSTEM)
        session().commit()
    return str(cast.requested)


def ask(visitor: Visitor, path: str, data: dict[str, Any]) -> str:
    """Send the inquiry form that `path` opens, hidden fields included, and confirm; returns the page of 内容確認."""
    page = visitor.get(path)
    assert page.status_code == 200
    hidden: dict[str, str] = {}
    for name, value in re.findall(
        r'<input id="\w+" name="(\w+)" type="hidden" value="([^"]*)">', page.text
    ):
        if name != "csrf_token":
            hidden[name] = unescape(value)
    category = re.search(r"category=(\w+)", path)
    assert category
    sent = visitor.post(f"/inquiries/new?category={category[1]}", hidden | data)
    assert sent.status_code == 303, sent.text
    confirm = visitor.get(sent.location).text
    draft = sent.location.rpartition("=")[2]
    done = visitor.post("/inquiries/new/confirm", {"draft": draft}, page=sent.location)
    assert done.status_code == 303
    return confirm


def contacts_of(page: str) -> str:
    return page.partition('id="contacts"')[2].partition("</section>")[0]


def test_a_new_message_about_a_reservation_stands_in_its_contact_history(visit, inside, number):
    """FAC-06: the button leads to a form that says which reservation, and the thread is found there again."""
    page = visit("facility", "hanako")
    links = re.findall(
        r'href="([^"]+)"', contacts_of(page.get(f"/facility/reservations/{number}").text)
    )
    href = unescape(next(link for link in links if "/inquiries/new" in link))
    assert number in page.get(href).text.partition("<dl")[2]
    confirm = ask(page, href, OTHER)
    assert number in confirm.partition("<dl")[2]
    with inside("facility"):
        made = session().scalars(select(Inquiry).order_by(Inquiry.id.desc()).limit(1)).one()
        assert made.about == number
        thread = made.number
    history = contacts_of(page.get(f"/facility/reservations/{number}").text)
    assert thread in history
    assert "駐車場はありますか。" in history
    assert number in page.get("/inquiries").text
    assert thread in page.get(f"/inquiries?about={number}").text


@ONE
def test_a_reservation_of_somebody_else_is_not_taken_along(visit, inside, cast):
    """COM-02, FAC-06: neither from the address nor from a field that was tampered with."""
    page = visit("facility", "hanako")
    for foreign in (cast.strangers, cast.twins, "FR999999", "あ", "\0"):
        form = page.get("/inquiries/new", query_string={"category": "other", "about": foreign})
        assert form.status_code == 200
        assert 'name="about"' not in form.text
        sent = page.post("/inquiries/new?category=other", OTHER | {"about": foreign})
        assert sent.status_code == 303
        page.post(
            "/inquiries/new/confirm",
            {"draft": sent.location.rpartition("=")[2]},
            page=sent.location,
        )
    with inside("facility"):
        assert set(session().scalars(select(Inquiry.about))) == {""}


@ONE
@pytest.mark.parametrize(
    "spelling", ["{}", " {} ", "fr-000001", "ＦＲ０００００１", "ｆｒ－０００００１"]
)
def test_a_number_is_understood_however_it_is_written(visit, number, spelling):
    """COM-23, FAC-05: lower case, full width, hyphens; the list stands at that reservation."""
    form = visit("facility", "hanako").get(
        "/inquiries/new", query_string={"category": "change", "about": spelling.format(number)}
    )
    assert f'<option selected value="{number}">' in form.text


def test_only_ones_own_that_can_be_changed_are_offered_and_taken(visit, inside, number, cast):
    """FAC-05: a list to choose from; what is billed, cancelled, foreign or no number at all is refused."""
    page = visit("facility", "hanako")
    form = page.get("/inquiries/new?category=cancel").text
    offered = re.findall(r'<option[^>]* value="(FR\d+)"', form)
    assert offered == [number]
    assert "カナリア甲レーザー加工機" in form
    for wrong in (cast.billed, cast.cancelled, cast.strangers, "FR999999", "あ", ""):
        refused = page.post("/inquiries/new?category=cancel", CANCEL | {"about": wrong})
        assert refused.status_code == 422, wrong
        assert "都合により取りやめます。" in refused.text
    with inside("facility"):
        assert session().scalars(select(Inquiry)).all() == []


@ONE
def test_where_nothing_can_be_changed_the_form_says_so(visit, tenant, inside, number):
    """FAC-05: the list is empty, and sending it says for which reservations it is."""
    with inside("facility"):
        operations.cancel(tenant, queries.any_reservation(number), by=SYSTEM, charge=0)
        session().commit()
    refused = visit("facility", "hanako").post(
        "/inquiries/new?category=cancel", CANCEL | {"about": ""}
    )
    assert refused.status_code == 422
    assert "ご利用前のご予約に限り承ります" in refused.text


def test_the_charge_stands_on_the_form_and_on_the_confirm_page(visit, number):
    """FAC-05: what the cancellation costs today, in yen, before and after the form is filled in."""
    page = visit("facility", "hanako")
    with clock.freeze(START - timedelta(days=5)):
        page = visit("facility", "hanako")
        href = f"/inquiries/new?category=cancel&about={number}"
        assert "¥4,050（ご利用料金の30%）" in page.get(href).text
        assert "¥4,050（ご利用料金の30%）" in page.get("/inquiries/new?category=cancel").text
        assert "¥4,050（ご利用料金の30%）" in ask(page, href, CANCEL | {"about": number})


def test_an_operator_writes_first(run, visit, inside, number, tmp_path: Path):
    """FAC-06, FAC-12, COM-51, COM-52: unread, in コンタクト履歴, mailed as a link; the member's answer comes back."""
    text = tmp_path / "message.txt"
    text.write_text("当日は10分前にお越しください。\n", encoding="utf-8")
    plan = tmp_path / "map.png"
    plan.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    words = ["facility", "write", number, str(text), "--attach", str(plan)]
    result = run.invoke(args=[*words, "--tenant", "facility", "--operator", "大森"])
    assert result.exit_code == 0, result.output
    with inside("facility"):
        made = session().scalars(select(Inquiry)).one()
        assert (made.about, made.status) == (number, Status.ANSWERED)
        thread = made.number
        mail = (
            session().scalars(select(OutboxMail).where(OutboxMail.subject.contains(thread))).one()
        )
        assert mail.recipient == "hanako@one.example"
        assert f"/inquiries/{thread}" in mail.body
        assert "10分前" not in mail.body
        acts = select(AuditEvent.actor_name).where(AuditEvent.action == "inquiry.begin")
        assert session().scalars(acts).all() == ["大森"]
    page = visit("facility", "hanako")
    assert "未読の回答" in page.get("/").text
    history = contacts_of(page.get(f"/facility/reservations/{number}").text)
    assert thread in history
    assert "未読" in history
    shown = page.get(f"/inquiries/{thread}").text
    assert "当日は10分前にお越しください。" in shown
    assert "map.png" in shown
    assert "未読" not in contacts_of(page.get(f"/facility/reservations/{number}").text)
    answered = page.post(f"/inquiries/{thread}", {"body": "承知しました。"})
    assert answered.status_code == 303
    listed = run.invoke(args=["inquiries", "list", "--tenant", "facility"])
    assert thread in listed.stdout


@ONE
def test_nothing_is_written_about_what_is_not_there_nor_without_words(run, inside, cast, tmp_path):
    """OPS-10: one line and exit code 2; --dry-run leaves nothing."""
    empty, text = tmp_path / "empty.txt", tmp_path / "text.txt"
    empty.write_text(" \n", encoding="utf-8")
    text.write_text("本文", encoding="utf-8")
    for words in (["FR999999", str(text)], [cast.requested, str(empty)]):
        result = run.invoke(args=["facility", "write", *words, "--tenant", "facility"])
        assert (result.exit_code, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1
    words = ["facility", "write", cast.requested, str(text), "--tenant", "facility", "--dry-run"]
    assert run.invoke(args=words).exit_code == 0
    with inside("facility"):
        assert session().scalars(select(Inquiry)).all() == []
        assert session().scalars(select(InquiryMessage)).all() == []


@pytest.mark.parametrize(("length", "code"), [(10_000, 0), (10_001, 2), (100_001, 2)])
def test_an_operator_writes_no_more_than_a_form_takes(
    run, inside, cast, visit, tmp_path, length, code
):
    """COM-50, OPS-10: whoever reads it has it on one page; the same for an answer."""
    text = tmp_path / "text.txt"
    text.write_text("あ" * length, encoding="utf-8")
    first = ["facility", "write", cast.requested, str(text), "--tenant", "facility"]
    result = run.invoke(args=first)
    assert result.exit_code == code, result.output
    if code:
        assert len(result.stderr.splitlines()) == 1
        text.write_text("短く", encoding="utf-8")
        assert run.invoke(args=first).exit_code == 0
    with inside("facility"):
        number = session().scalars(select(Inquiry.number)).one()
    answer = ["inquiries", "answer", number, "--text", "あ" * length, "--tenant", "facility"]
    assert run.invoke(args=answer).exit_code == code


def test_what_customers_attached_is_saved_by_operators(run, visit, inside, tmp_path):
    """COM-50, OPS-10: each file once, under the thread's number; none is overwritten; the trail says who."""
    page = visit("facility", "hanako")
    data = b"%PDF-1.4 drawing"
    sent = page.post(
        "/inquiries/new?category=other",
        OTHER | {"files": (BytesIO(data), "図面.pdf")},
        content_type="multipart/form-data",
    )
    page.post(
        "/inquiries/new/confirm", {"draft": sent.location.rpartition("=")[2]}, page=sent.location
    )
    with inside("facility"):
        number = session().scalars(select(Inquiry.number)).one()
    folder = tmp_path / "files"
    words = ["inquiries", "files", number, "--to", str(folder), "--tenant", "facility"]
    assert run.invoke(args=[*words, "--dry-run"]).exit_code == 0
    assert not folder.exists()
    saved = run.invoke(args=[*words, "--operator", "大森"])
    assert saved.exit_code == 0, saved.output
    (file,) = folder.iterdir()
    assert file.name == f"{number}-01-図面.pdf"
    assert file.read_bytes() == data
    again = run.invoke(args=words)
    assert (again.exit_code, len(again.stderr.splitlines())) == (2, 1)
    elsewhere = run.invoke(args=[*words[:3], "--to", "/proc", "--tenant", "facility"])
    assert (elsewhere.exit_code, len(elsewhere.stderr.splitlines())) == (2, 1)
    assert "cannot be written" in elsewhere.stderr
    with inside("facility"):
        acts = select(AuditEvent.actor_name).where(AuditEvent.action == "inquiry.save_files")
        assert session().scalars(acts).all() == ["大森"]


@ONE
def test_a_thread_tells_who_wrote_and_links_addresses_alone(run, visit, inside, number, tmp_path):
    """COM-51: own and operator's messages apart; http and https become links, nothing else becomes markup."""
    page = visit("facility", "hanako")
    ask(
        page,
        "/inquiries/new?category=other",
        OTHER | {"body": "<b>図</b> javascript:alert(1) ここhttps://x.example/a?b=1&c=2。です"},
    )
    with inside("facility"):
        thread = session().scalars(select(Inquiry.number)).one()
    run.invoke(args=["inquiries", "answer", thread, "--text", "はい。", "--tenant", "facility"])
    shown = page.get(f"/inquiries/{thread}").text
    assert shown.count('class="card mine"') == 1
    assert shown.count('class="card theirs"') == 1
    assert "&lt;b&gt;図&lt;/b&gt; javascript:alert(1)" in shown
    link = 'href="https://x.example/a?b=1&amp;c=2" rel="noopener noreferrer nofollow"'
    assert link in shown
    assert "</a>。です" in shown
    assert "&lt;b&gt;図" in page.get("/inquiries").text
