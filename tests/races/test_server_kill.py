"""COM-80: what a real server acknowledged is in the database, with its mail, though it is killed."""

from __future__ import annotations

import http.client
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.core.audit import AuditEvent
from portal.core.audit_chain import find_faults
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.settings import Settings
from portal.shared.accounts.models import Member
from scripts import run as script
from tests.cast import PASSWORD
from tests.races.processes import (
    Browser,
    begin,
    environment,
    kill,
    killed_at_the_end,
    wait_until_ready,
)
from tests.support.ports import free_port

ADDRESS = {
    "postal_code": "1000001",
    "prefecture": "東京都",
    "city": "千代田区",
    "street": "千代田1-1",
    "account_telephone": "0300001001",
}
PEOPLE = [
    (key, login_id) for key in ("facility", "studio") for login_id in ("hanako", "kenichi", "yumi")
]


class Person(threading.Thread):
    """Changes their department again and again: form, confirm page, save. Remembers what was acknowledged."""

    def __init__(self, port: int, key: str, login_id: str) -> None:
        super().__init__()
        self.key, self.login_id = key, login_id
        self.browser = Browser(port, key)
        self.acknowledged, self.begun = 0, 0
        self.stumbled: list[str] = []

    def run(self) -> None:
        """Until the server is gone."""
        try:
            self.sign_in()
            while True:
                self.change()
        except (OSError, http.client.HTTPException):
            return
        except AssertionError as error:
            self.stumbled.append(str(error))

    def sign_in(self) -> None:
        """As on the page."""
        status, text, _ = self.browser.send(
            "/sign-in", {"login_id": self.login_id, "password": PASSWORD}
        )
        assert status == 303, text

    def change(self) -> None:
        """One whole round through the form."""
        turn = self.begun + 1
        data = {"department": f"部署{turn}"} | (ADDRESS if self.login_id != "kenichi" else {})
        status, text, confirm = self.browser.send("/account/profile", data)
        assert status == 303, text
        page = self.browser.fields(confirm)
        self.begun = turn
        status, text, _done = self.browser.ask("POST", "/account/profile/confirm", page)
        assert status == 303, text
        self.acknowledged = turn


def kept(login_id: str) -> tuple[int, int, int]:
    """In the brand in scope: the turn that stands in the member's row, audited changes, mails about them."""
    member = session().scalars(select(Member).where(Member.login_id == login_id)).one()
    changes = session().scalar(
        select(func.count(AuditEvent.id)).where(
            AuditEvent.action == "member.profile", AuditEvent.subject == member.subject
        )
    )
    mails = session().scalar(
        select(func.count(OutboxMail.id)).where(
            OutboxMail.event == "profile_changed", OutboxMail.recipient == member.email
        )
    )
    return int(member.department.removeprefix("部署") or 0), changes or 0, mails or 0


@pytest.mark.slow
@pytest.mark.races
def test_com_80_what_was_acknowledged_survives_a_kill_with_its_mail(
    app: Flask, settings: Settings, inside: Callable[[str], Any]
) -> None:
    """COM-80, COM-90, COM-22: nothing acknowledged is lost, nothing is done by half, and the server comes up again."""
    port = free_port()
    env = environment(settings, PORTAL_PUBLIC_PORT=str(port))
    server = begin(script.commands(port)["server"], env)
    people = [Person(port, key, login_id) for key, login_id in PEOPLE]
    try:
        wait_until_ready(port)
        for person in people:
            person.start()
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline and not all(
            person.acknowledged >= 2 for person in people
        ):
            time.sleep(0.02)
    finally:
        kill(server)
        for person in people:
            person.join(10)
    assert [person.stumbled for person in people] == [[]] * len(people)
    assert all(person.acknowledged >= 2 for person in people)

    if settings.database_url.startswith("sqlite"):
        with sqlite3.connect(settings.database_url.removeprefix("sqlite:///")) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        raw.close()
    for person in people:
        with inside(person.key):
            turn, changes, mails = kept(person.login_id)
            assert list(find_faults()) == []
        assert person.acknowledged <= turn <= person.begun
        assert (changes, mails) == (turn, turn)

    with killed_at_the_end([script.commands(port)["server"]], env):
        wait_until_ready(port)
        again = Person(port, "facility", "kenichi")
        again.browser.cookies = people[1].browser.cookies
        assert again.browser.fields("/account/profile")["department"].startswith("部署")
        again.begun = again.acknowledged = 900
        again.change()
    with inside("facility"):
        assert kept("kenichi")[0] == 901
