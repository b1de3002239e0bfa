"""security.md §4.16: one challenge and one counter let in once, whatever comes at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.accounts.models import Member
from portal.shared.auth import passkeys, sign_in
from portal.shared.auth.models import Passkey
from portal.shared.auth.sessions import Client
from tests.cast import NOW
from tests.support.authenticator import Authenticator

Together = Callable[..., list[Any]]


def _ground(app: Flask, inside: Callable[[str], Any]) -> tuple[Any, int, Authenticator]:
    """The brand with passkeys on, a member, and their passkey."""
    brand = app.extensions["tenants"].current().by_key["facility"]
    rules = brand.sign_in.model_copy(update={"passkeys": "sign_in"})
    tenant = brand.model_copy(update={"sign_in": rules})
    key = Authenticator()
    with clock.freeze(NOW), inside("facility"):
        member_id = session().scalars(select(Member.id).where(Member.login_id == "hanako")).one()
        options = passkeys.creation_options(tenant, member_id)
        passkeys.register(tenant, member_id, "x", key.make(options), by=SYSTEM)
    return tenant, member_id, key


def _kinds(results: list[Any]) -> list[str]:
    return sorted(type(result).__name__ for result in results)


def test_of_eight_with_one_answer_one_gets_in(
    app: Flask, inside: Callable[[str], Any], together: Together
) -> None:
    """security.md §4.16: the challenge is used up by the first."""
    tenant, _member_id, key = _ground(app, inside)
    with clock.freeze(NOW), inside("facility"):
        answer = key.sign(passkeys.request_options(tenant, Client()))

    def enter(_turn: int) -> Any:
        with clock.freeze(NOW):
            return sign_in.by_passkey(tenant, answer, Client())

    assert _kinds(together(8, enter)) == ["Entry"] + ["Unproved"] * 7


def test_of_eight_with_one_count_one_gets_in(
    app: Flask, inside: Callable[[str], Any], together: Together
) -> None:
    """security.md §4.16: copies of one authenticator, each with a challenge of its own."""
    tenant, _member_id, key = _ground(app, inside)
    with clock.freeze(NOW), inside("facility"):
        options = [passkeys.request_options(tenant, Client()) for _turn in range(8)]
    answers = [key.sign(one, count=9) for one in options]

    def enter(turn: int) -> Any:
        with clock.freeze(NOW):
            return sign_in.by_passkey(tenant, answers[turn], Client())

    assert _kinds(together(8, enter)) == ["Entry"] + ["Unproved"] * 7


def test_one_new_passkey_is_kept_once_and_ten_at_most(
    app: Flask, inside: Callable[[str], Any], together: Together
) -> None:
    """security.md §4.16: eight more at the same moment when there are eight already."""
    tenant, member_id, _key = _ground(app, inside)
    with clock.freeze(NOW), inside("facility"):
        options = [passkeys.creation_options(tenant, member_id) for _turn in range(16)]
        for one in options[:7]:
            passkeys.register(tenant, member_id, "x", Authenticator().make(one), by=SYSTEM)
    answers = [Authenticator().make(one) for one in options[7:15]]

    def add(turn: int) -> Any:
        with clock.freeze(NOW):
            passkeys.register(tenant, member_id, "x", answers[turn], by=SYSTEM)

    assert _kinds(together(8, add)) == ["NoneType"] * 2 + ["RuleBroken"] * 6
    with inside("facility"):
        assert len(session().scalars(select(Passkey.id)).all()) == passkeys.MOST
