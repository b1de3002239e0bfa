"""security.md §4.12: a mailed link is used once, however many press its button at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from portal.core import clock
from portal.core.audit_chain import find_faults
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member
from portal.shared.auth import devices, links, password_reset, sessions
from portal.shared.auth.links import DeadLink, Purpose
from portal.shared.auth.sessions import Client
from portal.shared.auth.sign_in import Credentials, sign_in
from tests.cast import NOW, PASSWORD

Together = Callable[..., list[Any]]


def _token(inside: Callable[[str], Any], purpose: Purpose) -> str:
    with inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        token = links.issue(member.id, purpose)
        session().commit()
    return token


def _now(together: Together, count: int, work: Callable[[int], Any]) -> list[Any]:
    """`together`, with the threads' clocks where the link's is."""

    def at_now(turn: int) -> Any:
        with clock.freeze(NOW):
            return work(turn)

    return together(count, at_now)


def _mails(inside: Callable[[str], Any], event: str) -> int:
    with inside("facility"):
        return (
            session().scalar(select(func.count(OutboxMail.id)).where(OutboxMail.event == event))
            or 0
        )


def test_com_12_of_eight_who_set_a_password_by_one_link_one_wins(
    app: Flask, inside: Callable[[str], Any], together: Together
) -> None:
    """COM-12: and it is the winner's password that opens the door."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    token = _token(inside, Purpose.RESET_PASSWORD)

    def press(turn: int) -> str:
        password_reset.use_set_password_link(
            tenant, token, f"new-Leaf-number-{turn}", address="192.0.2.7"
        )
        return f"new-Leaf-number-{turn}"

    results = _now(together, 8, press)
    won = [result for result in results if isinstance(result, str)]
    assert len(won) == 1
    assert all(isinstance(result, DeadLink) for result in results if result not in won)
    assert _mails(inside, "password_changed") == 1
    with inside("facility"):
        assert sign_in(tenant, Credentials(won[0], login_id="hanako"), Client()).token


def test_com_14_of_eight_who_say_not_me_by_one_link_one_wins(
    app: Flask, inside: Callable[[str], Any], together: Together
) -> None:
    """COM-14: one mail each, not eight."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    token = _token(inside, Purpose.NOT_ME)
    results = _now(together, 8, lambda _turn: devices.not_me(tenant, token, Client("192.0.2.7")))
    assert results.count(None) == 1
    assert [type(result) for result in results if result is not None] == [DeadLink] * 7
    assert (_mails(inside, "not_me"), _mails(inside, "reset_password")) == (1, 1)


def test_com_14_nobody_is_left_inside_who_signed_in_at_the_same_moment(
    app: Flask, inside: Callable[[str], Any], together: Together
) -> None:
    """COM-14, COM-15: a password that was checked before it was made void opens nothing after; nobody waits for ever.

    Sign-ins renew the very link that is used here, so the link may be dead; then nothing has happened.
    """
    tenant = app.extensions["tenants"].current().by_key["facility"]
    token = _token(inside, Purpose.NOT_ME)

    def act(turn: int) -> str:
        try:
            if turn == 0:
                devices.not_me(tenant, token, Client("192.0.2.7"))
                return "thrown out"
            there = Client(f"198.51.100.{turn}", "a browser")
            sign_in(tenant, Credentials(PASSWORD, login_id="hanako"), there)
        except (DeadLink, RuleBroken) as error:
            return type(error).__name__
        return "in"

    results = _now(together, 8, act)
    assert set(results) <= {"thrown out", "in", "DeadLink", "RuleBroken"}
    with clock.freeze(NOW), inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        thrown_out = "thrown out" in results
        assert (member.password_hash == "") is thrown_out
        assert len(sessions.alive(member.id)) == (0 if thrown_out else results.count("in"))
        assert list(find_faults()) == []
