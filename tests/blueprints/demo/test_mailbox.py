"""The demo's mailbox: there in the demo only, one brand's mails, shown as text (COM-82)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

import demo
from portal import create_app
from portal.core import clock, outbox
from portal.core.db import db, session
from portal.core.outbox import OutboxMail
from tests.cast import NOW
from tests.support.client import Visitor

LINK = '<aside class="demo"'


@pytest.fixture
def box(app, settings) -> Iterator[Visitor]:
    """Somebody at the facility brand of a demo."""
    portal = create_app(replace(settings, demo=True))
    demo.init_app(portal)
    yield Visitor(portal, "facility")
    with portal.app_context():
        db.engine.dispose()


@pytest.fixture
def put(inside):
    """Store a mail in a brand's outbox; returns its id."""

    def make(
        subject: str, body: str = "本文", brand: str = "facility", html: str = "<p>本文</p>"
    ) -> int:
        with inside(brand):
            mail = outbox.enqueue(
                "test",
                sender=f"noreply@{brand}.example",
                sender_name="差出人",
                recipient="reader@one.example",
                subject=subject,
                body=body,
                html=html,
            )
            session().commit()
            return mail.id

    return make


def test_outside_the_demo_there_is_no_mailbox_and_no_link_to_one(visit, cast, put):
    """COM-82: neither for a member nor for who is not signed in."""
    number = put("秘密")
    for visitor in (visit("facility"), visit("facility", cast.representative)):
        for path in (
            "/demo/mailbox",
            f"/demo/mailbox/{number}",
            "/demo/mailbox/0",
            "/demo/nothing",
        ):
            answer = visitor.get(path)
            assert answer.status_code == 404
            assert "秘密" not in answer.text
        assert LINK not in visitor.get("/legal/terms").text


def test_in_the_demo_every_page_leads_to_it_without_signing_in(box):
    """COM-82: a link set by mail must be readable before one can sign in."""
    for path in ("/sign-in", "/legal/terms", "/demo/mailbox"):
        assert '<a href="/demo/mailbox">' in box.get(path).text.partition(LINK)[2]


def test_it_has_the_newest_mails_of_this_brand_first(box, put):
    """COM-02, COM-82: at most fifty."""
    with clock.freeze(NOW + timedelta(minutes=1)):
        put("甲の最新")
        put("乙の最新", brand="studio")
    page = box.get("/demo/mailbox").text
    subjects = re.findall(r'<a href="/demo/mailbox/\d+">(.*?)</a>', page)
    assert subjects[0] == "甲の最新"
    assert any("FR000001" in subject for subject in subjects)
    assert not re.search("SR0000|乙|studio", page)
    with clock.freeze(NOW + timedelta(minutes=2)):
        for index in range(50):
            put(f"第{index}便")
    subjects = re.findall(r'<a href="/demo/mailbox/\d+">(.*?)</a>', box.get("/demo/mailbox").text)
    assert subjects == [f"第{index}便" for index in reversed(range(50))]


def test_a_mail_is_shown_with_sender_reader_and_its_lines(box, put):
    """COM-82: a link in it can be followed."""
    number = put(
        "ご案内", "一行目\n\n■設定\nhttp://facility.localhost/set-password/abc-DEF_1\n終わり"
    )
    page = box.get(f"/demo/mailbox/{number}").text
    assert "<h1>ご案内</h1>" in page
    assert "差出人 &lt;noreply@facility.example&gt;" in page
    assert "reader@one.example" in page
    letter = re.search(r'<pre class="mail">(.*?)</pre>', page, re.DOTALL)
    assert letter
    link = "http://facility.localhost/set-password/abc-DEF_1"
    assert letter[1].startswith("一行目\n\n■設定\n")
    assert re.search(rf'<a href="{link}"[^>]*>{link}</a>\n終わり', letter[1])


def test_nothing_in_a_mail_runs(box, put):
    """Security: subject and text are text, scripts' addresses are no links, the HTML part is not shown at all."""
    evil = "<script>alert(1)</script>"
    body = f'{evil} javascript:alert(1) http://a.example/"onmouseover="alert(1)'
    number = put(f"題{evil}", body, html=f"<p>見えない{evil}</p>")
    for path in ("/demo/mailbox", f"/demo/mailbox/{number}"):
        page = box.get(path).text
        assert evil not in page
        assert "題&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "見えない" not in page
        assert not re.search(r'href="javascript|<[^>]*\sonmouseover=', page)


def test_a_mail_that_never_was_is_missing(box):
    """COM-82: whatever is typed."""
    for number in ["0", "999999", "9" * 19, "9" * 40, "-1", "x", "1.5", "%00"]:
        assert box.get(f"/demo/mailbox/{number}").status_code == 404


def test_another_brands_mail_does_not_exist_here(box, put):
    """COM-02: nor does it say that it is somewhere else."""
    number = put("乙の秘密", brand="studio")
    answer = box.get(f"/demo/mailbox/{number}")
    assert answer.status_code == 404
    assert "乙の秘密" not in answer.text
    other = Visitor(box.client.application, "studio")
    assert "乙の秘密" in other.get(f"/demo/mailbox/{number}").text


def test_an_empty_mailbox_says_so(box, inside):
    """COM-82"""
    with inside("facility"):
        session().execute(delete(OutboxMail))
        session().commit()
    assert "メールはまだありません。" in box.get("/demo/mailbox").text


def test_looking_changes_nothing(box, put, inside):
    """COM-80: the worker still has to send it."""
    number = put("未送信")
    box.get(f"/demo/mailbox/{number}")
    with inside("facility"):
        stored = session().scalars(select(OutboxMail).where(OutboxMail.id == number)).one()
        assert (stored.status, stored.done_at) == ("waiting", None)
