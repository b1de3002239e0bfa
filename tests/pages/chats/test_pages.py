"""SUP-11: the chat's pages, with and without htmx, and what its stream says."""

from __future__ import annotations

import re
import threading
from contextlib import nullcontext

import pytest
from flask import current_app
from sqlalchemy import select

from portal.core import clock
from portal.core.actor import SYSTEM, operator
from portal.core.db import session
from portal.pages import chats
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.chats import operations
from portal.shared.inquiries import queries as inquiries
from portal.shared.inquiries.models import Inquiry
from tests.cast import PASSWORD
from tests.support.contracts import contract_of

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OPEN_AT = clock.local(2026, 11, 24, 10)
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
KIMURA = operator("木村")
BEGUN = {"category": "other", "body": "動きません。\nなぜでしょう。", "agreed": "y"}


@pytest.fixture
def people(app, inside):
    """山田 and her colleague of one account, 鈴木 of another; in business hours."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    hashed = passwords.hash_password(PASSWORD)
    with inside("desk"):
        for name, several in (("一番", ("yamada", "ito")), ("二番", ("suzuki",))):
            account = accounts.add_account(tenant, by=SYSTEM, name=name)
            members = []
            for one in several:
                person = Person(one, "", f"{one}@one.example", is_representative=True)
                members.append(
                    accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
                )
            contract_of(tenant, account, *members)
        session().commit()
    with clock.freeze(OPEN_AT):
        yield


@pytest.fixture
def enter(visit, people):
    """Sign in at the desk."""

    def go(name: str):
        visitor = visit("desk")
        assert (
            visitor.post(
                "/sign-in", {"email": f"{name}@one.example", "password": PASSWORD}
            ).status_code
            == 303
        )
        return visitor

    return go


@pytest.fixture
def yamada(enter):
    """Signed in."""
    return enter("yamada")


def begin(visitor) -> str:
    answer = visitor.post("/chat", BEGUN)
    assert answer.status_code == 303, answer.text
    return answer.location.rpartition("/")[2]


def say(inside, number: str, body: str) -> None:
    with inside("desk"):
        tenant = current_app.extensions["tenants"].current().by_key["desk"]
        operations.take(inquiries.any_inquiry(number), by=KIMURA)
        inquiry = inquiries.any_inquiry(number)
        operations.send_message(tenant, inquiry, body, side="operator", by=KIMURA)
        session().commit()


def test_without_scripts_it_is_a_plain_thread(yamada, inside):
    """SUP-11, COM-23: form, redirect, page; and an answer after a reload."""
    number = begin(yamada)
    page = yamada.get(f"/chat/{number}").text
    assert all(
        word in page
        for word in (
            "動きません。<br>なぜでしょう。",
            "担当者におつなぎしています",
            "最新の状態に更新",
        )
    )
    say(inside, number, "<b>再起動</b>してください。")
    key = re.search(r'name="key"[^>]*value="(\w{32})"', yamada.get(f"/chat/{number}").text)
    assert key
    for _press in range(2):
        answer = yamada.post(f"/chat/{number}", {"body": "しました。", "key": key[1]})
        assert (answer.status_code, answer.location) == (303, f"/chat/{number}")
    page = yamada.get(f"/chat/{number}").text
    assert page.count("しました。") == 1
    assert "&lt;b&gt;再起動" in page
    assert "おつなぎしています" not in page


def test_outside_business_hours_the_page_says_when_and_offers_the_form(enter):
    """SUP-11"""
    with clock.freeze(clock.local(2026, 11, 24, 18)):
        yamada = enter("yamada")
        page = yamada.get("/chat").text
        assert "2026/11/25(水) 09:00" in page
        assert 'href="/inquiries/new"' in page
        assert "チャットを始める" not in page
        refused = yamada.client.post(
            "/chat", base_url=yamada.base, data=BEGUN | {"csrf_token": yamada.token("/chat")}
        )
        assert (refused.status_code, "受付時間外" in refused.text) == (422, True)


@ONE
def test_what_is_missing_is_told_at_its_field_and_nothing_begins(yamada, inside):
    """COM-23, COM-50"""
    answer = yamada.post("/chat", BEGUN | {"agreed": "", "category": ""})
    assert answer.status_code == 422
    assert "同意が必要です。" in answer.text
    assert "動きません。" in answer.text
    with inside("desk"):
        assert session().scalars(select(Inquiry.id)).all() == []


def test_htmx_gets_an_empty_line_with_a_key_of_its_own_and_the_news_apart(yamada, inside):
    """SUP-11: nothing that was said comes back by two ways."""
    number = begin(yamada)
    answer = yamada.post(f"/chat/{number}", {"body": "追記です。", "key": "a" * 32}, headers=HTMX)
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<form id="line"')
    assert "追記です。" not in answer.text
    assert f'value="{"a" * 32}"' not in answer.text
    page = yamada.get(f"/chat/{number}/news?after=0&pulse=0&live=1", headers=HTMX).text
    assert "追記です。" in page
    assert 'data-hx-trigger="load delay:600ms, pulse from:body, ' in page
    assert ', every 30s"' in page
    later = re.search(r'data-hx-get="([^"]+)"', page)
    assert later
    quiet = yamada.get(later[1].replace("&amp;", "&"), headers=HTMX).text
    assert "<article" not in quiet
    assert 'data-hx-trigger="pulse from:body, ' in quiet
    say(inside, number, "承りました。")
    told = yamada.get(later[1].replace("&amp;", "&"), headers=HTMX).text
    assert (told.count("<article"), "承りました。" in told) == (1, True)


@ONE
def test_whose_line_is_refused_keeps_it(yamada):
    """COM-23"""
    number = begin(yamada)
    answer = yamada.post(f"/chat/{number}", {"body": "あ" * 4001, "key": "c" * 32})
    assert answer.status_code == 422
    assert ("あ" * 4001) in answer.text
    assert f'value="{"c" * 32}"' in answer.text


@pytest.mark.parametrize("key", ["c" * 33, "c\0", "日本", "c\n"])
def test_a_line_with_a_key_that_no_page_made_is_refused(yamada, inside, key):
    """SUP-11, COM-23: nothing is said, and what was typed is still there."""
    number = begin(yamada)
    answer = yamada.post(f"/chat/{number}", {"body": "聞こえますか。", "key": key})
    assert answer.status_code == 422
    assert "聞こえますか。" in answer.text
    assert "<li>送信された内容に誤りがあります。</li>" in answer.text
    with inside("desk"):
        found = inquiries.any_inquiry(number)
        assert len(inquiries.thread(found)) == 1


@ONE
def test_the_operators_typing_shows_and_goes_by_itself(yamada, inside):
    """SUP-11"""
    number = begin(yamada)
    with inside("desk"):
        found = inquiries.any_inquiry(number)
        operations.typing(found.id, "operator")
        session().commit()
        pulse = operations.news(found, 0, of="operator").pulse
    for strange in ("9" * 40, "-" + "9" * 40, "x", "１", ""):
        assert (
            yamada.get(
                f"/chat/{number}/news?after={strange}&pulse={strange}", headers=HTMX
            ).status_code
            == 200
        )
    page = yamada.get(f"/chat/{number}/news?after=99&pulse={pulse}", headers=HTMX).text
    assert "担当者が入力中です" in page
    assert "load delay:6s, " in page
    assert yamada.post(f"/chat/{number}/typing", page=f"/chat/{number}").status_code == 204
    with inside("desk"):
        assert operations.news(inquiries.any_inquiry(number), 0, of="member").is_typing


def test_an_answer_is_read_when_it_was_shown(yamada, inside):
    """COM-51: the mark of what is unread goes with it."""
    number = begin(yamada)
    say(inside, number, "承りました。")
    assert ">未読</span>" in yamada.get("/inquiries").text
    yamada.get(f"/chat/{number}/news?after=0", headers=HTMX)
    assert ">未読</span>" not in yamada.get("/inquiries").text


def test_the_end_leads_to_the_thread(yamada, inside):
    """SUP-11: the transcript stays as an inquiry."""
    number = begin(yamada)
    say(inside, number, "承りました。")
    ended = yamada.post(f"/chat/{number}/end", page=f"/chat/{number}")
    assert (ended.status_code, ended.location) == (303, f"/inquiries/{number}")
    assert yamada.get(f"/chat/{number}").location == f"/inquiries/{number}"
    thread = yamada.get(f"/inquiries/{number}").text
    assert "承りました。" in thread
    assert "完了" in thread
    refused = yamada.post(f"/chat/{number}", {"body": "まだです。"}, page=f"/inquiries/{number}")
    assert (refused.status_code, "このチャットは終了しました" in refused.text) == (422, True)
    gone = yamada.get(f"/chat/{number}/news?after=0", headers=HTMX).text
    assert "data-hx-get" not in gone
    assert f'href="/inquiries/{number}"' in gone


def test_nobody_reads_or_writes_in_another_accounts_chat(yamada, enter):
    """COM-02, SUP-11: a colleague may, a stranger finds nothing."""
    number = begin(yamada)
    stranger = enter("suzuki")
    for path in (f"/chat/{number}", f"/chat/{number}/news", f"/chat/{number}/stream"):
        assert stranger.get(path).status_code == 404
    for path in (f"/chat/{number}", f"/chat/{number}/typing", f"/chat/{number}/end"):
        assert stranger.post(path, {"body": "覗き見"}, page="/chat").status_code == 404
    assert enter("ito").get(f"/chat/{number}").status_code == 200


@ONE
def test_where_it_is_off_there_is_none(visit):
    """COM-03"""
    assert visit("facility", "hanako").get("/chat").status_code == 404


@ONE
def test_a_form_inquiry_is_no_chat(yamada, inside, app):
    """SUP-11"""
    page = yamada.post("/inquiries/new?category=other", {"body": "フォームです。", "agreed": "y"})
    token = {"draft": page.location.rpartition("=")[2]}
    yamada.post("/inquiries/new/confirm", token, page="/inquiries/new?category=other")
    with inside("desk"):
        number = session().scalars(select(Inquiry.number)).one()
    assert yamada.get(f"/chat/{number}").status_code == 404


def test_the_stream_rings_at_news_and_beats_in_between(yamada, inside, app, monkeypatch):
    """SUP-11: at once when the line stands, then whenever something happens; no transaction is held."""
    monkeypatch.setattr(chats, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(chats, "BEATS", 1200)
    ring, beat = b"event: pulse\ndata:\n\n", b":\n\n"
    number = begin(yamada)
    answer = yamada.get(f"/chat/{number}/stream", buffered=False)
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("text/event-stream", "no-store")
    parts = iter(answer.response)
    assert next(parts) == b"retry: 500\n" + ring
    assert ring in parts  # the first look rings once, as it knows nothing yet
    assert [next(parts) for _turn in range(3)] == [beat] * 3
    speaker = threading.Thread(target=say, args=(inside, number, "承りました。"))
    speaker.start()
    assert ring in parts
    speaker.join()
    answer.close()
    assert app.extensions["chat_notifier"].has_room()


def test_a_ring_just_after_a_beat_is_not_lost(monkeypatch):
    """SUP-11: what rings between the end of a wait and the next one is heard by the next."""
    monkeypatch.setattr(chats, "BEATS", 2)

    class Late(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            had = self.is_set()
            self.set()
            return had

    class At:
        reader = staticmethod(lambda *_of: nullcontext(Late()))

    assert [part[:1] for part in chats._rings("desk", 1, At())] == [b"r", b":", b"e"]  # type: ignore[arg-type]


@ONE
def test_a_server_without_free_threads_offers_no_stream(yamada, app):
    """SUP-11: the page then asks by itself every three seconds; one that had a stream before comes again as often."""
    number = begin(yamada)
    app.extensions["chat_notifier"]._max_readers = 0
    answer = yamada.get(f"/chat/{number}/stream")
    assert (answer.status_code, answer.data) == (200, b"retry: 3000\nevent: pulse\ndata:\n\n")
    page = yamada.get(f"/chat/{number}").text
    assert "every 3s" in page
    assert "sse:connect" not in page


@ONE
def test_a_line_that_is_sent_when_the_session_is_over_waits_in_the_chat(enter):
    """COM-23: what the page asks by itself leads nowhere; the button leads to sign-in, and the line is kept."""
    yamada = enter("yamada")
    number = begin(yamada)
    page = yamada.get(f"/chat/{number}").text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    for cookie in list(yamada.client._cookies or {}):
        yamada.client.delete_cookie(cookie[2], domain=cookie[0], path=cookie[1])
    typed = hidden | {"body": "まだ動きません。"}

    def ask(method: str, path: str, **sent):
        return yamada.client.open(path, method=method, base_url=yamada.base, headers=HTMX, **sent)

    for quiet in (
        ask("GET", f"/chat/{number}/news?after=1"),
        ask("GET", f"/chat/{number}/stream"),
        ask("POST", f"/chat/{number}/typing", data=typed),
    ):
        assert (quiet.status_code, quiet.headers.get("HX-Redirect")) == (204, None)
    way = ask("POST", f"/chat/{number}", data=typed).headers["HX-Redirect"]
    assert way.startswith(f"/sign-in?next=/chat/{number}%3Fkept%3D")
    on = yamada.post(way, {"email": "yamada@one.example", "password": PASSWORD}).location
    assert "まだ動きません。</textarea>" in yamada.get(on).text
