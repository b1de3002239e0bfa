"""The addresses that pages had before each brand's stood under its key still lead to them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cast import Cast
from tests.support.client import Visitor

Visit = Callable[..., Visitor]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/reservations", "/facility/reservations"),
        ("/reservations.csv?status=billed", "/facility/reservations.csv?status=billed"),
        (
            f"/reservations/{Cast.billed}?list=page%3D2",
            f"/facility/reservations/{Cast.billed}?list=page%3D2",
        ),
        ("/facilities/LC-01?week=2026-11-23", "/facility/facilities/LC-01?week=2026-11-23"),
    ],
)
def test_com_80_a_link_in_a_mail_of_before_leads_to_its_page(
    visit: Visit, old: str, new: str
) -> None:
    """COM-80: mails that were sent before the pages moved are not dead."""
    answer = visit("facility", "hanako").get(old)
    assert (answer.status_code, answer.location) == (308, new)
    assert visit("facility", "hanako").get(new).status_code == 200


def test_com_80_the_contracts_moved_too(visit: Visit) -> None:
    """COM-80"""
    answer = visit("desk").get("/contracts/CT00000001")
    assert (answer.status_code, answer.location) == (308, "/support/contracts/CT00000001")


def test_com_02_who_follows_an_old_link_signs_in_first_and_comes_on(visit: Visit) -> None:
    """COM-02, COM-10"""
    visitor = visit("facility")
    led = visitor.get(f"/reservations/{Cast.billed}", follow_redirects=True)
    assert led.request.path == "/sign-in"
    assert led.request.args["next"] == f"/facility/reservations/{Cast.billed}"


def test_com_23_a_form_that_was_open_meanwhile_arrives(visit: Visit) -> None:
    """COM-23: nothing typed is lost while the pages move."""
    visitor = visit("facility", "hanako")
    answer = visitor.post("/facilities/LC-01/reservation", {"purpose": "試作"})
    assert (answer.status_code, answer.location) == (308, "/facility/facilities/LC-01/reservation")


def test_com_03_where_the_module_is_off_nothing_moved(visit: Visit) -> None:
    """COM-03"""
    assert visit("desk").get("/reservations").status_code == 404
    assert visit("facility").get("/contracts").status_code == 404
