"""COM-23: what nobody means, and what is no form at all, is answered with a sentence; no page breaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from io import BytesIO

import pytest
from flask import Flask

from portal.web.query import day_in_query, number_in_query
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
NOBODY_MEANS = ("0001-01-01", "9999-12-31", "1899-12-31", "2200-01-01")
ADDRESS = {
    "name": "経理部",
    "postal_code": "1000001",
    "prefecture": "東京都",
    "city": "千代田区",
    "street": "千代田1-1",
}


@pytest.mark.parametrize(
    "list_path", ["/facility/reservations", "/facility/reservations.csv", "/inquiries"]
)
@pytest.mark.parametrize("day", NOBODY_MEANS)
def test_a_search_by_a_day_that_nobody_means_is_refused_with_the_reason(
    visit: Visit, list_path: str, day: str
) -> None:
    """COM-21, COM-23: `since` and `until` are days whose neighbours a calendar has."""
    visitor = visit("facility", "hanako")
    for name in ("since", "until"):
        answer = visitor.get(f"{list_path}?{name}={day}")
        assert answer.status_code == 422, name
        assert "1900年から2199年までの日付を入力してください。" in answer.text


@pytest.mark.parametrize("week", [*NOBODY_MEANS, "2026-02-30", "x", "９", "20261123\0"])
def test_a_week_that_nobody_means_is_the_present_one(visit: Visit, week: str) -> None:
    """FAC-11: an old or broken link still shows a week."""
    visitor = visit("facility", "hanako")
    usual = visitor.get("/facility/facilities/LC-01")
    answer = visitor.get("/facility/facilities/LC-01", query_string={"week": week})
    assert answer.status_code == 200
    assert ("2026/11/23" in answer.text) is ("2026/11/23" in usual.text)


@pytest.mark.parametrize(
    "picked", [pytest.param("9" * 5_000, id="5000 digits"), "²", "-1", "", "1\0"]
)
def test_a_place_that_was_not_offered_fills_in_as_far_as_it_can(visit: Visit, picked: str) -> None:
    """COM-24: the button is pressed, whatever a program says that it is."""
    visitor = visit("facility", "hanako")
    answer = visitor.post("/billing-addresses/new", ADDRESS | {"places": picked})
    assert answer.status_code == 200
    assert 'value="経理部"' in answer.text


@pytest.mark.parametrize("body", ["{}", "[1]", '{"family_name": 1, "version": [2]}', "null"])
def test_json_is_not_read_as_a_form(visit: Visit, body: str) -> None:
    """COM-23: it has no fields, so the form says which are empty."""
    visitor = visit("facility", "hanako")
    token = visitor._fresh_token()
    for path in ("/account/profile", "/billing-addresses/new", "/account/password"):
        answer = visitor.client.post(
            path,
            base_url=visitor.base,
            data=body,
            content_type="application/json",
            headers={"X-CSRFToken": token},
        )
        assert answer.status_code == 422, path
        assert "入力してください。" in answer.text


def test_a_file_is_no_text(visit: Visit) -> None:
    """COM-23: a file that comes under the name of a text field leaves the field empty."""
    visitor = visit("facility", "hanako")
    for path in ("/account/password", "/account/profile", "/billing-addresses/new"):
        name = "password" if path == "/account/password" else "postal_code"
        answer = visitor.post(path, {name: (BytesIO(b"x"), "x.txt")})
        assert answer.status_code == 422, path


@pytest.mark.parametrize(
    ("query", "day"),
    [
        ("2026-11-23", date(2026, 11, 23)),
        ("1900-01-01", date(1900, 1, 1)),
        ("2199-12-31", date(2199, 12, 31)),
        ("0001-01-01", None),
        ("9999-12-31", None),
        ("today", None),
        ("", None),
    ],
)
def test_a_day_in_an_address_is_one_that_people_can_mean(query: str, day: date | None) -> None:
    with Flask(__name__).test_request_context("/", query_string={"day": query}):
        assert day_in_query("day") == day
        assert day_in_query("absent") is None


@pytest.mark.parametrize(
    ("query", "number"),
    [("7", 7), ("9" * 18, int("9" * 18)), ("9" * 19, 0), ("-1", 0), ("٣", 0), ("7\n", 0), ("", 0)],
)
def test_a_number_in_an_address_is_one_that_a_database_can_have(query: str, number: int) -> None:
    with Flask(__name__).test_request_context("/", query_string={"after": query}):
        assert number_in_query("after") == number
        assert number_in_query("absent") == 0
