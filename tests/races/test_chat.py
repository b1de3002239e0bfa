"""SUP-11: a chat's lines while many write: nobody who reads along misses one, and none is there twice."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.core import clock
from portal.core.actor import SYSTEM, Actor, operator
from portal.core.db import session, tenant_scope, transaction_mode
from portal.core.errors import RuleBroken
from portal.pages.chats import _rings
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.chats import operations
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries import queries
from portal.shared.inquiries.operations import Asked, Writer
from portal.web.chat_notifier import ChatNotifier
from tests.support.contracts import contract_of

OPEN_AT = clock.local(2026, 11, 24, 10)


def _writer(app: Flask, inside: Any) -> tuple[Any, Writer, Actor]:
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="一番")
        member = accounts.add_member(
            tenant, account, Person("山田", "太郎", "yamada@one.example"), by=SYSTEM
        )
        contract_of(tenant, account, member)
        session().commit()
        writer = Writer("山田 太郎", "yamada@one.example", account.id, member.id)
    return tenant, writer, Actor("member", writer.name, writer.member_id, writer.account_id)


def _start(app: Flask, inside: Any) -> tuple[Any, str, Actor]:
    tenant, writer, by = _writer(app, inside)
    with clock.freeze(OPEN_AT), inside("desk"):
        number = operations.start(tenant, writer, Asked("other", "始め"), by=by).number
        session().commit()
    return tenant, number, by


def test_who_reads_along_misses_nothing_while_many_write(
    app: Flask, inside: Any, together: Callable[..., list[Any]]
) -> None:
    """SUP-11: ids become visible in their order, so a reader's "after" never passes a line that comes later."""
    tenant, number, by = _start(app, inside)
    lines = [f"{turn}-{n}" for turn in range(8) for n in range(12)]
    read: list[str] = []
    written = threading.Event()

    def follow() -> None:
        after = 0
        with app.app_context(), tenant_scope("desk"):
            while True:
                is_last = written.is_set()
                with transaction_mode("read"):
                    found = operations.news(queries.any_inquiry(number), after, of="operator")
                    read.extend(message.body for message in found.messages)
                    after = found.last
                if is_last:
                    return
                time.sleep(0.001)

    def write(turn: int) -> None:
        with clock.freeze(OPEN_AT), tenant_scope("desk"):
            for n in range(12):
                side, who = ("operator", operator("木村")) if turn % 2 else ("member", by)
                inquiry = queries.any_inquiry(number)
                operations.send_message(tenant, inquiry, f"{turn}-{n}", side=side, by=who)  # type: ignore[arg-type]
                session().commit()

    reader = threading.Thread(target=follow)
    reader.start()
    assert together(8, write) == [None] * 8
    written.set()
    reader.join(20)
    assert (len(read), sorted(read)) == (97, sorted(["始め", *lines]))


def test_one_line_sent_at_once_many_times_is_said_once(
    app: Flask, inside: Any, together: Callable[..., list[Any]]
) -> None:
    """SUP-11"""
    tenant, number, by = _start(app, inside)

    def write(_turn: int) -> None:
        with clock.freeze(OPEN_AT), tenant_scope("desk"):
            inquiry = queries.any_inquiry(number)
            operations.send_message(tenant, inquiry, "一度だけ", side="member", by=by, key="k" * 32)
            session().commit()

    assert together(20, write) == [None] * 20
    with inside("desk"):
        found = operations.news(queries.any_inquiry(number), 0, of="operator")
        assert [message.body for message in found.messages] == ["始め", "一度だけ"]


def test_one_operator_of_twenty_takes_it(
    app: Flask, inside: Any, together: Callable[..., list[Any]]
) -> None:
    """SUP-11"""
    _tenant, number, _by = _start(app, inside)

    def take(turn: int) -> str:
        with clock.freeze(OPEN_AT), tenant_scope("desk"):
            try:
                operations.take(queries.any_inquiry(number), by=operator(f"担当{turn}"))
                session().commit()
            except RuleBroken:
                return "refused"
            return "taken"

    told = together(20, take)
    assert (told.count("taken"), told.count("refused")) == (1, 19)


def test_twenty_beginnings_at_once_make_three_chats(
    app: Flask, inside: Any, together: Callable[..., list[Any]]
) -> None:
    """COM-42: as many as the limit says."""
    tenant, writer, by = _writer(app, inside)

    def start(_turn: int) -> str:
        with clock.freeze(OPEN_AT), tenant_scope("desk"):
            try:
                operations.start(tenant, writer, Asked("other", "一斉に"), by=by)
                session().commit()
            except RuleBroken as error:
                return type(error).__name__
            return "begun"

    told = together(20, start)
    assert (told.count("begun"), told.count("LimitReached")) == (3, 17), told


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_more_streams_begin_at_once_than_there_are_places(
    app: Flask, together: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SUP-11: each holds a thread of the server, so the place is taken in the same moment in which it is counted."""
    monkeypatch.setattr(
        ChatNotifier, "_watch", lambda _notifier: None
    )  # nothing is there to look at
    turns_before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _round in range(10):
            notifier = ChatNotifier(app, max_readers=2)
            streams: list[Any] = [_rings("desk", number, notifier) for number in range(24)]
            begun = together(24, lambda turn, of=streams: next(of[turn]))
            for stream in streams:
                stream.close()
            assert sum(first.startswith(b"retry: 500\n") for first in begun) == 2
            assert notifier.has_room()
    finally:
        sys.setswitchinterval(turns_before)


def test_one_beginning_and_one_message_sent_at_once_many_times_are_there_once(
    app: Flask, inside: Any, together: Callable[..., list[Any]]
) -> None:
    """COM-22, SUP-11: a retry after a lost answer makes no second chat and no second message."""
    tenant, writer, by = _writer(app, inside)

    def start(_turn: int) -> str:
        with clock.freeze(OPEN_AT), tenant_scope("desk"):
            asked = Asked("other", "一度だけ")
            made = operations.start(tenant, writer, asked, by=by, key="k" * 32).number
            session().commit()
            return made

    numbers = set(together(12, start))
    assert len(numbers) == 1, numbers
    (number,) = numbers

    def write(_turn: int) -> None:
        with clock.freeze(OPEN_AT), tenant_scope("desk"):
            thread = queries.any_inquiry(number)
            inquiries.write(tenant, thread, "一通だけ", (), by=by, key="m" * 32)
            session().commit()

    assert together(8, write) == [None] * 8
    with inside("desk"):
        found = operations.news(queries.any_inquiry(number), 0, of="operator")
        assert [message.body for message in found.messages] == ["一度だけ", "一通だけ"]
