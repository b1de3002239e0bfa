"""A browser that the member has used before gets in, whatever others do to the member's name (security.md §4.5)."""

from __future__ import annotations

import pytest

from tests.cast import PASSWORD

THREE = pytest.mark.parametrize("sign_in_rules", ["sign_in_tries = 3, sign_in_window_minutes = 10"])


def typed(visitor, password, address):
    data = {"login_id": "hanako", "password": password}
    return visitor.post("/sign-in", data, environ_base={"REMOTE_ADDR": address}).status_code


def hammer(visit):
    """Wrong passwords from many addresses, until nobody unknown may try any more."""
    attacker = visit()
    outcomes = [typed(attacker, "Wrong-again-1", f"192.0.2.{turn}") for turn in range(20)]
    assert outcomes == [422] * 15 + [429] * 5


@THREE
def test_a_known_device_gets_in_while_somebody_hammers_at_the_name(visit):
    """COM-10, security.md §4.5: unknown browsers wait, even with the right password; the member's own does not."""
    own = visit("facility", "hanako")
    own.post("/sign-out", page="/account/password")
    hammer(visit)
    assert typed(visit(), PASSWORD, "198.51.100.9") == 429
    assert typed(own, PASSWORD, "192.0.2.1") == 303
    assert own.get("/facility/reservations").status_code == 200


@THREE
def test_a_known_device_has_its_own_limit(visit):
    """security.md §4.5: being known is no leave to guess; and its tries count against nobody else."""
    own = visit("facility", "hanako")
    own.post("/sign-out", page="/account/password")
    assert [typed(own, "Wrong-again-1", "192.0.2.1") for _ in range(4)] == [422] * 3 + [429]
    assert typed(own, PASSWORD, "198.51.100.9") == 429
    assert typed(visit(), PASSWORD, "192.0.2.1") == 303


@THREE
def test_a_device_is_known_for_one_member_at_one_brand_only(visit):
    """COM-02, security.md §4.5: a colleague's, the twin brand's and a forgotten device are unknown ones."""
    twin, colleague, forgotten = (
        visit("studio", "hanako"),
        visit("facility", "kenichi"),
        visit("facility", "hanako"),
    )
    page = forgotten.get("/account/security").text
    number = page.partition("/account/security/devices/")[2].partition("/")[0]
    assert (
        forgotten.post(
            f"/account/security/devices/{number}/removal", page="/account/security"
        ).status_code
        == 303
    )
    moved = visit()
    value = twin.client.get_cookie("device", domain="studio.localhost").value
    moved.client.set_cookie("device", value, domain="facility.localhost")
    for visitor in (colleague, forgotten):
        visitor.post("/sign-out", page="/account/password")
    hammer(visit)
    assert [typed(v, PASSWORD, "198.51.100.9") for v in (moved, colleague, forgotten)] == [429] * 3
