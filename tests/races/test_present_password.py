"""COM-12, COM-14, COM-15: the present password is asked for, answered and replaced by many at the same moment."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.core import AuditEvent, clock
from portal.core.audit_chain import find_faults
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member
from portal.shared.auth import passwords, sessions
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
Inside = Callable[[str], Any]


SIGNED_OUT = 0
"""In place of a status: the session was over before the request came, so that it led to sign-in."""


def at_once(visitors: list[Visitor], act: Callable[[Visitor, int], TestResponse]) -> list[int]:
    """Have each visitor act in a thread of their own at the same moment; the statuses of the answers."""
    start = threading.Barrier(len(visitors))

    def one(turn: int) -> int:
        start.wait(10)
        with clock.freeze(NOW):
            answer = act(visitors[turn], turn)
            is_over = (answer.location or "").startswith("/sign-in?next=")
            return SIGNED_OUT if is_over else answer.status_code

    with ThreadPoolExecutor(len(visitors)) as pool:
        return list(pool.map(one, range(len(visitors))))


def change(visitor: Visitor, turn: int) -> TestResponse:
    """Change the password, knowing the one of the cast."""
    new = f"stolen-Leaf-number-{turn}"
    typed = {"old_password": PASSWORD, "password": new, "again": new}
    return visitor.post("/account/password", typed)


def newest_path(inside: Inside, event: str) -> str:
    """The path of the link in the newest mail of an event to Hanako."""
    with inside("facility"):
        stored = select(OutboxMail.body).where(
            OutboxMail.event == event, OutboxMail.recipient == "hanako@one.example"
        )
        body = session().scalars(stored.order_by(OutboxMail.id.desc())).first() or ""
    found = re.search(r"https?://[^/\s]+(/[\w-]+/[\w-]{43})", body)
    assert found, event
    return found[1]


def left_of_hanako(inside: Inside) -> tuple[str, int]:
    """Her password's hash, and how many sessions live; the audit trail still holds."""
    with clock.freeze(NOW), inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        assert list(find_faults()) == []
        return member.password_hash, len(sessions.alive(member.id))


def test_of_six_changes_with_one_old_password_one_succeeds(visit: Visit, inside: Inside) -> None:
    """COM-12: whoever comes second no longer knows the present password; one mail, one new password."""
    answers = at_once([visit("facility", "hanako") for _browser in range(6)], change)
    assert answers.count(303) == 1
    assert {*answers} <= {303, 422, SIGNED_OUT}
    new = f"stolen-Leaf-number-{answers.index(303)}"
    assert passwords.verify(left_of_hanako(inside)[0], new)
    with inside("facility"):
        mails = select(OutboxMail.id).where(OutboxMail.event == "password_changed")
        assert len(session().scalars(mails).all()) == 1


def test_not_me_wins_against_twelve_changes_in_flight(
    visit: Visit, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-14: the old password was right when twelve typed it; the owner presses the button before it is replaced."""
    thieves = [visit("facility", "hanako") for _browser in range(12)]
    path = newest_path(inside, "sign_in")
    owner = visit()
    in_flight, thrown_out = threading.Semaphore(0), threading.Event()
    real = passwords.hash_password

    def slow(password: str) -> str:
        in_flight.release()
        assert thrown_out.wait(30)
        return real(password)

    def act(visitor: Visitor, turn: int) -> TestResponse:
        if turn < len(thieves):
            return change(visitor, turn)
        for _thief in thieves:
            assert in_flight.acquire(timeout=30)
        monkeypatch.setattr(passwords, "hash_password", real)
        pressed = owner.post(path)
        thrown_out.set()
        return pressed

    monkeypatch.setattr(passwords, "hash_password", slow)
    answers = at_once([*thieves, owner], act)
    assert answers == [422] * 12 + [303]
    assert left_of_hanako(inside) == ("", 0)
    assert [thief.get("/").status_code for thief in thieves] == [303] * 12


def test_not_me_wins_whoever_is_first_of_thirteen(visit: Visit, inside: Inside) -> None:
    """COM-14: twelve changes and the owner's button at one moment; a change that came first costs the owner nothing."""
    thieves = [visit("facility", "hanako") for _browser in range(12)]
    path = newest_path(inside, "sign_in")

    def act(visitor: Visitor, turn: int) -> TestResponse:
        return change(visitor, turn) if turn < len(thieves) else visitor.post(path)

    at_once([*thieves, visit()], act)
    with inside("facility"):
        events = list(session().scalars(select(AuditEvent.action).order_by(AuditEvent.sequence)))
    assert events.count("member.not_me") == 1
    assert events.count("member.set_password") <= 1, "at most one change came before"
    assert left_of_hanako(inside) == ("", 0)


def test_a_change_from_a_session_that_was_ended_meanwhile_changes_nothing(
    visit: Visit, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-15: ほかの端末をすべてログアウト, pressed while the new password of another browser is hashed."""
    thief, owner = visit("facility", "hanako"), visit("facility", "hanako")
    before = left_of_hanako(inside)[0]
    real = passwords.hash_password

    def slow(password: str) -> str:
        hashed = real(password)
        owner_signs_others_out()
        return hashed

    def owner_signs_others_out() -> None:
        press = "/account/security/other-sessions/removal"
        assert at_once([owner], lambda visitor, _turn: visitor.post(press)) == [303]

    monkeypatch.setattr(passwords, "hash_password", slow)
    assert change(thief, 0).status_code == 422
    assert left_of_hanako(inside) == (before, 1)
    assert owner.get("/").status_code == 200
