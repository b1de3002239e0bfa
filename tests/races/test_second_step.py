"""security.md §4.13–15: five tries a code, each code once, whatever comes at the same moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.core import clock, signer
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Factor, Member
from portal.shared.auth import second_factor, sign_in
from portal.shared.auth.models import OneTimeCode
from portal.shared.auth.sessions import Client
from tests.cast import NOW, PASSWORD

Together = Callable[..., list[Any]]


def _begin(app: Flask, inside: Callable[[str], Any]) -> tuple[Any, str, str]:
    """A pending session of a member with mailed codes: the tenant, the token, the code."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with clock.freeze(NOW), inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        member.second_factor = Factor.MAIL
        session().commit()
        given = sign_in.Credentials(PASSWORD, login_id="hanako")
        token = sign_in.sign_in(tenant, given, Client()).token
        body = (
            session()
            .scalars(select(OutboxMail.body).where(OutboxMail.event == "second_step"))
            .one()
        )
    found = re.search(r"^[0-9]{6}$", body, re.MULTILINE)
    assert found
    return tenant, token, found[0]


def test_sixteen_who_guess_at_once_get_five_tries(
    app: Flask, inside: Callable[[str], Any], together: Together, monkeypatch: Any
) -> None:
    """security.md §4.13: no more codes than five are ever looked at, and then even the right one is refused."""
    tenant, token, code = _begin(app, inside)
    looked: list[str] = []
    use = second_factor.use_mailed

    def noted(code_id: int, session_id: int, typed: str) -> bool:
        looked.append(typed)
        return use(code_id, session_id, typed)

    monkeypatch.setattr(second_factor, "use_mailed", noted)
    wrong = [f"{(int(code) + turn + 1) % 10**6:06}" for turn in range(16)]

    def guess(turn: int) -> Any:
        with clock.freeze(NOW):
            return sign_in.finish(tenant, token, sign_in.Typed(wrong[turn]), Client())

    results = together(16, guess)
    assert all(type(result).__name__ in ("RuleBroken", "TooMany") for result in results), results
    assert len(looked) == 5
    with inside("facility"):
        assert session().scalars(select(OneTimeCode.tries)).one() == 5
    wrong[0] = code
    assert type(together(1, guess)[0]).__name__ in ("RuleBroken", "TooMany")


def test_of_four_with_the_right_code_one_gets_in(
    app: Flask, inside: Callable[[str], Any], together: Together
) -> None:
    """§4.13: the code and the pending session are used up by the first."""
    tenant, token, code = _begin(app, inside)

    def enter(_turn: int) -> Any:
        with clock.freeze(NOW):
            return sign_in.finish(tenant, token, sign_in.Typed(code), Client())

    results = together(4, enter)
    assert [type(result).__name__ for result in results].count("Entry") == 1
    assert {type(result).__name__ for result in results} <= {"Entry", "RuleBroken", "Gone"}


@pytest.mark.parametrize("shape", ["{:06}", "ABCD-{:04}"], ids=["codes", "recovery"])
def test_sixteen_who_guess_at_an_app_at_once_are_cut_off(
    app: Flask, inside: Callable[[str], Any], together: Together, monkeypatch: Any, shape: str
) -> None:
    """security.md §4.14, §4.15: no more guesses than five are looked at; the next ones wait, the right code too."""
    tenant, _token, _code = _begin(app, inside)
    with clock.freeze(NOW), inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        member.second_factor, member.totp_nonce = Factor.TOTP, second_factor.new_nonce()
        member_id, nonce = member.id, member.totp_nonce
        second_factor.make_recovery_codes(member.id)
        session().commit()
        given = sign_in.Credentials(PASSWORD, login_id="hanako")
        token = sign_in.sign_in(tenant, given, Client()).token
        step = int(NOW.timestamp()) // second_factor.STEP_SECONDS
        right = second_factor.code_at(signer.macs("totp", member_id, nonce)[0][:20], step)
    looked: list[str] = []
    use = second_factor.use_app

    def noted(member_id: int, nonce: str, typed: str) -> bool:
        looked.append(typed)
        return use(member_id, nonce, typed)

    monkeypatch.setattr(second_factor, "use_app", noted)
    typed = [shape.format((int(right) + turn + 10) % 10**4) for turn in range(16)]

    def guess(turn: int) -> Any:
        with clock.freeze(NOW):
            return sign_in.finish(tenant, token, sign_in.Typed(typed[turn]), Client())

    results = together(16, guess)
    assert all(type(result).__name__ in ("RuleBroken", "TooMany") for result in results), results
    assert len(looked) == 5
    typed[0] = right
    assert type(together(1, guess)[0]).__name__ == "TooMany"
