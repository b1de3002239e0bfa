"""Counting tries in fixed windows (security.md §4.5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.core import clock
from portal.core.db import session
from portal.shared.auth import throttling
from portal.shared.auth.models import Throttle
from portal.shared.auth.throttling import TooMany
from tests.cast import NOW

WINDOW = timedelta(minutes=5)


def tries(times, who="hanako", what="sign-in", *, limit=3):
    """Seconds to wait after each of so many tries; 0 for one that is let through."""
    waits = []
    for _ in range(times):
        try:
            throttling.count(what, who, limit=limit, window=WINDOW)
        except TooMany as error:
            waits.append(error.seconds)
        else:
            waits.append(0)
    return waits


def test_as_many_as_the_limit_are_let_through(here):
    """security.md §4.5"""
    assert tries(5) == [0, 0, 0, 300, 300]
    assert tries(2, "limit of one", limit=1) == [0, 300]


def test_each_kind_and_each_person_is_counted_alone(here, inside):
    """security.md §4.5: and each brand."""
    assert tries(4)[-1] == 300
    assert tries(1, "kenichi") == tries(1, "hanako", "reset") == [0]
    session().commit()
    with inside("studio"):
        assert tries(1) == [0]


@pytest.mark.parametrize(
    ("later", "wait"),
    [
        (timedelta(seconds=1), 299),
        (timedelta(seconds=1, milliseconds=1), 299),
        (timedelta(seconds=299, microseconds=1), 1),
        (WINDOW - timedelta(microseconds=1), 1),
        (WINDOW, 0),
        (WINDOW * 2, 0),
        (timedelta(seconds=-60), 360),
    ],
)
def test_the_wait_is_rounded_up_and_over_when_it_says(here, later, wait):
    """security.md §4.5: whoever waits the seconds they were told is let in; also when the clock was put back."""
    assert tries(4)[-1] == 300
    with clock.freeze(NOW + later):
        assert tries(1) == [wait]


def test_a_new_window_begins_with_the_first_try_after_the_old_one(here):
    """security.md §4.5: and has the whole limit again."""
    tries(4)
    with clock.freeze(NOW + WINDOW + timedelta(minutes=1)):
        assert tries(4) == [0, 0, 0, 300]
    with clock.freeze(NOW + 2 * WINDOW):
        assert tries(1) == [60]


def test_a_try_that_was_right_is_taken_back_and_never_below_nothing(here):
    """security.md §4.5: only failures add up; nobody saves up tries."""
    for _ in range(5):
        assert tries(1) == [0]
        throttling.take_back("sign-in", "hanako")
    throttling.take_back("sign-in", "hanako")
    throttling.take_back("sign-in", "nobody")
    assert tries(4) == [0, 0, 0, 300]


def test_windows_that_are_long_over_are_forgotten(here):
    """security.md §4.5: tries are kept no longer than they are of use."""
    tries(1, "old")
    with clock.freeze(NOW + timedelta(hours=2)):
        tries(4, "fresh")
        throttling.forget(timedelta(hours=1))
        kept = session().scalars(select(Throttle)).all()
        assert [row.window_start for row in kept] == [NOW + timedelta(hours=2)]
        assert tries(1, "fresh") == [300]


def test_a_key_of_any_length_and_script_fits_and_tells_nothing(here):
    """security.md §4.27"""
    for who in ("髙﨑" * 500, "hanako\n192.0.2.7", "", "\x00"):
        assert tries(1, who) == [0]
    keys = session().scalars(select(Throttle.key)).all()
    assert len(set(keys)) == 4
    assert all(key.isascii() and len(key) <= 80 and "hanako" not in key for key in keys)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_tries_are_counted_by_what_one_subscriber_holds(address, network):
    """security.md §4.5: one IPv4 address, one /64 of IPv6."""
    assert throttling.network_of(address) == network
