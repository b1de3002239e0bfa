"""Every page that asks for the present password asks it at one gate, which counts (security.md §4.5, §4.17)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from portal.core.db import session
from portal.shared.accounts.models import Factor, Member
from portal.shared.auth import second_factor
from portal.shared.auth.models import Throttle
from tests.cast import PASSWORD

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEW = "brown-Rice-and-31-bowls"
NONCE = "0123456789abcdef" * 2
PAGES: dict[str, dict[str, str]] = {
    "/account/password": {"password": NEW, "again": NEW},
    "/account/proof": {},
    "/account/email": {
        "present": "hanako@one.example",
        "email": "neu@one.example",
        "again": "neu@one.example",
    },
    "/account/second-factor": {"choice": "mail"},
    "/account/second-factor/app": {"nonce": NONCE, "code": "000000"},
    "/account/second-factor/recovery-codes": {},
    "/account/withdrawal/confirm": {},
}
"""What is typed there besides the present password."""


def attempt(visitor, page: str, password: str) -> Any:
    """Send the form of `page` with this present password."""
    field = "old_password" if page == "/account/password" else "password"
    address = page
    if page == "/account/withdrawal/confirm":
        kept = visitor.post("/account/withdrawal", {"reason": "移転のため"})
        address = kept.location
    return visitor.post(address, PAGES[page] | {field: password})


@ONE
@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("page", PAGES)
def test_the_eleventh_guess_at_a_present_password_waits_wherever_it_is_asked(visit, page):
    """security.md §4.5: /account/password answered thirty guesses and more without a pause."""
    visitor = visit("facility", "hanako")
    for _guess in range(10):
        assert attempt(visitor, page, "wrong-guess-1").status_code == 422, page
    tired = attempt(visitor, page, PASSWORD)
    assert tired.status_code == 429
    assert int(tired.headers["Retry-After"]) > 0


@pytest.mark.usefixtures("settled")
def test_guesses_add_up_over_all_pages(visit):
    """security.md §4.5: ten in all, not ten a page."""
    visitor = visit("facility", "hanako")
    outcomes = [
        attempt(visitor, page, "wrong-guess-1").status_code for page in [*PAGES, *PAGES][:12]
    ]
    assert outcomes == [422] * 10 + [429] * 2


def test_whoever_guesses_in_one_session_does_not_stop_the_owner_in_another(visit):
    """COM-12, security.md §4.5: the owner replaces the password while a stolen session is hammered with guesses."""
    thief, owner = visit("facility", "hanako"), visit("facility", "hanako")
    for _guess in range(15):
        attempt(thief, "/account/password", "wrong-guess-1")
    assert attempt(owner, "/account/password", PASSWORD).status_code == 303
    assert thief.get("/").status_code == 303


def test_right_passwords_do_not_add_up(visit, inside):
    """security.md §4.5: only failures count."""
    visitor = visit("facility", "hanako")
    for _turn in range(12):
        assert attempt(visitor, "/account/proof", PASSWORD).status_code == 303
    with inside("facility"):
        tries = session().scalars(
            select(Throttle.tries).where(Throttle.key.startswith("present-password"))
        )
        assert set(tries) == {0}


@ONE
def test_a_right_password_still_opens_each_page(visit, inside):
    """security.md §4.17: recovery codes, say, once an app is in use."""
    visitor = visit("facility", "hanako")
    with inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        member.second_factor, member.totp_nonce = Factor.TOTP, second_factor.new_nonce()
        session().commit()
    codes = attempt(visitor, "/account/second-factor/recovery-codes", PASSWORD)
    assert codes.status_code == 200
    assert attempt(visitor, "/account/password", PASSWORD).status_code == 303
