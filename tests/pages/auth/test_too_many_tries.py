"""How often a sign-in may be tried (COM-10, security.md §4.5): by login and address, and by address alone."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.core import clock
from portal.shared.auth import passwords
from portal.shared.auth.models import MemberSession, Throttle
from tests.cast import NOW, PASSWORD

THREE = pytest.mark.parametrize("sign_in_rules", ["sign_in_tries = 3, sign_in_window_minutes = 10"])
SAID = "試行回数が多すぎます。しばらく待ってから、もう一度お試しください。"
HOME, OFFICE = "192.0.2.1", "198.51.100.9"


@pytest.fixture
def try_it(visit):
    """Try to sign in from an address, with one browser at each brand."""
    browsers = {key: visit(key) for key in ("facility", "studio")}

    def attempt(login_id="hanako", password="Wrong-again-1", address=HOME, tenant="facility"):
        typed = {"login_id": login_id, "password": password}
        return browsers[tenant].post("/sign-in", typed, environ_base={"REMOTE_ADDR": address})

    return attempt


def statuses(attempt, times, **what):
    return [attempt(**what).status_code for _ in range(times)]


def test_by_default_the_eleventh_try_in_five_minutes_waits(try_it):
    """security.md §4.5: 10 / 5 min."""
    assert statuses(try_it, 11) == [422] * 10 + [429]
    assert try_it().headers["Retry-After"] == "300"


@THREE
def test_known_and_unknown_members_are_answered_alike(try_it):
    """security.md §4.2, §4.5: status, headers and body, from the first try to the last."""

    def settled(answer, login_id):
        body = re.sub(r'(name="csrf_token"[^>]*value="|Token": ")[^"]*', r"\1", answer.text)
        return (
            answer.status_code,
            {
                k: v
                for k, v in answer.headers
                if k not in {"X-Request-Id", "Set-Cookie", "Content-Length"}
            },
            body.replace(f'value="{login_id}"', ""),
        )

    known = [settled(try_it("hanako"), "hanako") for _ in range(5)]
    unknown = [settled(try_it("nobody"), "nobody") for _ in range(5)]
    assert known == unknown
    assert [status for status, *_ in known] == [422] * 3 + [429] * 2


@THREE
def test_the_page_says_so_keeps_what_was_typed_and_when_to_come_back(try_it):
    """COM-23, security.md §4.5"""
    statuses(try_it, 3, login_id="ｈａｎａｋｏ")
    with clock.freeze(NOW + timedelta(minutes=4, seconds=30, milliseconds=400)):
        answer = try_it("ｈａｎａｋｏ")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "330")
    assert SAID in answer.text
    assert 'value="hanako"' in answer.text
    assert "Wrong-again-1" not in answer.text


@THREE
def test_during_the_pause_the_right_password_is_refused_too_and_nothing_is_hashed(
    try_it, rows, monkeypatch
):
    """security.md §4.1, §4.5: the try is counted before any hashing, so hammering costs us nothing."""
    statuses(try_it, 3)
    monkeypatch.setattr(passwords, "verify", lambda *_: pytest.fail("hashed during the pause"))
    answer = try_it(password=PASSWORD)
    assert answer.status_code == 429
    assert SAID in answer.text
    assert rows(MemberSession) == []


@THREE
def test_after_the_promised_seconds_and_not_before_the_member_is_let_in(try_it):
    """security.md §4.5: Retry-After keeps its word, and further tries in the pause do not make it longer."""
    statuses(try_it, 3)
    with clock.freeze(NOW + timedelta(seconds=100)):
        seconds = int(try_it().headers["Retry-After"])
    assert seconds == 500
    with clock.freeze(NOW + timedelta(seconds=100 + seconds - 1)):
        assert try_it(password=PASSWORD).status_code == 429
    with clock.freeze(NOW + timedelta(seconds=100 + seconds)):
        assert statuses(try_it, 3) == [422] * 3
        assert try_it(password=PASSWORD).status_code == 429


@THREE
def test_every_way_of_writing_a_login_id_is_the_same_login_id(try_it):
    """security.md §4.5: other widths and cases are no fresh tries."""
    assert [
        try_it(login).status_code for login in ("hanako", "ＨＡＮＡＫＯ", " Hanako ", "hanako")
    ] == [422] * 3 + [429]


@THREE
def test_the_member_still_gets_in_from_elsewhere_and_colleagues_and_the_twin_brand_too(try_it):
    """security.md §4.5: an attacker cannot lock anybody out of their own address, nor another brand."""
    statuses(try_it, 4)
    assert try_it(password=PASSWORD, address=OFFICE).status_code == 303
    assert try_it("kenichi", PASSWORD).status_code == 303
    assert try_it(password=PASSWORD, tenant="studio").status_code == 303


@THREE
def test_successes_take_their_count_back(try_it, rows):
    """security.md §4.5: an office behind one address signs in all day; only failures add up."""
    assert statuses(try_it, 8, password=PASSWORD) == [303] * 8
    assert {row.tries for row in rows(Throttle)} == {0}
    outcomes = [
        try_it(password=p).status_code
        for p in ("Wrong-1", PASSWORD, "Wrong-2", PASSWORD, "Wrong-3")
    ]
    assert outcomes == [422, 303, 422, 303, 422]
    # The browser, known by now, has its own count.
    assert sorted(row.tries for row in rows(Throttle)) == [0, 0, 0, 0, 3]
    assert try_it(password=PASSWORD).status_code == 429


@THREE
def test_one_address_that_tries_many_logins_waits_after_ten_times_the_limit(try_it):
    """security.md §4.5: spraying one password over all members."""
    outcomes = [try_it(f"member{number}").status_code for number in range(32)]
    assert outcomes == [422] * 30 + [429] * 2
    assert try_it("kenichi", PASSWORD).status_code == 429
    assert try_it("kenichi", PASSWORD, address=OFFICE).status_code == 303
    with clock.freeze(NOW + timedelta(minutes=10)):
        assert try_it("kenichi", PASSWORD).status_code == 303


@THREE
def test_what_is_kept_of_the_tries_names_nobody(try_it, rows):
    """security.md §4.27: logins that were typed, sometimes passwords in the wrong field, are digests."""
    try_it("Secret-typed-as-login")
    kept = " ".join(row.key for row in rows(Throttle))
    assert "secret" not in kept.casefold()
    assert HOME not in kept


OVERALL = pytest.mark.parametrize("sign_in_rules", ["sign_in_tries_overall = 20"])


@OVERALL
def test_all_failures_together_are_limited_whoever_is_named_from_wherever(try_it):
    """security.md §4.5: twenty machines that try one login each; successes do not count, nor the twin brand's."""
    assert try_it("kenichi", PASSWORD).status_code == 303
    outcomes = [
        try_it(f"member{turn}", address=f"203.0.113.{turn}").status_code for turn in range(22)
    ]
    assert outcomes == [422] * 20 + [429] * 2
    assert try_it("yumi", PASSWORD, address=OFFICE).status_code == 429
    assert try_it("yumi", PASSWORD, address=OFFICE, tenant="studio").status_code == 303


@OVERALL
def test_a_known_browser_comes_in_past_the_overall_limit(try_it, visit):
    """security.md §4.5: nobody locks out a brand's customers by hammering at everybody."""
    own = visit("facility", "hanako")
    own.post("/sign-out", page="/account/password")
    for turn in range(21):
        try_it(f"member{turn}", address=f"203.0.113.{turn}")
    assert try_it("hanako", PASSWORD).status_code == 429
    assert own.sign_in("hanako", PASSWORD).status_code == 303


@THREE
def test_the_addresses_of_one_ipv6_network_are_one_address(try_it):
    """security.md §4.5: a subscriber has 2^64 of them; the neighbour's network is another."""
    outcomes = [try_it(address=f"2001:db8:0:1:{turn}::{turn}").status_code for turn in (1, 2, 3, 4)]
    assert outcomes == [422] * 3 + [429]
    assert try_it(address="2001:db8:0:1:ffff:ffff:ffff:ffff").status_code == 429
    assert try_it(address="2001:db8:0:2::1").status_code == 422
