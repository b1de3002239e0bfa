"""security.md §4.11: sign-in leads back to pages of this host and nowhere else."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from portal.web.urls import local_path, sign_in_url
from tests.cast import PASSWORD

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOST = "http://facility.localhost"
TRICKS = [
    "https://evil.example/",
    "http://facility.localhost/facility/reservations",
    "HTTPS://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example/%2e%2e",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/facility/reservations\\..\\..",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "/\r\nLocation: https://evil.example",
    "/a\r\nSet-Cookie: portal=x",
    "/\x00/evil.example",
    "/\t/[evil",
    "/\t/℀.example",
    " //evil.example",
    " /facility/reservations",
    "\u3000/reservations",
    "javascript:alert(1)",
    "data:text/html,x",
    "//facility.localhost@evil.example",
    "@evil.example",
    ".evil.example",
    "evil.example",
    "reservations",
    "?q=1",
    "#top",
    "..",
    "",
]
OWN = [
    "/",
    "/facility/reservations",
    "/facility/reservations?status=paid&page=2",
    "/facility/reservations/FR000001#history",
    "/facility/reservations?q=https://evil.example/",
    "/facility/reservations?next=//evil.example",
    "/a:b",
    "/notices?q=お知らせ",
    "/%09/evil.example",
    "/%5Cevil.example",
    "/.//evil.example",
]


def as_a_browser(target: str) -> str:
    """Where a browser goes: it drops tabs and line ends, trims, and takes a backslash for a slash."""
    plain = "".join(c for c in target if c not in "\t\r\n").strip("".join(map(chr, range(0x21))))
    return plain.replace("\\", "/")


@pytest.mark.parametrize("target", [*TRICKS, None])
def test_what_could_lead_away_leads_to_the_front_page(target):
    """security.md §4.11"""
    assert local_path(target) == "/"
    assert local_path(target, "/account/profile") == "/account/profile"


@pytest.mark.parametrize("target", OWN)
def test_a_path_of_this_host_is_kept_as_it_is(target):
    """COM-10: with its query; an address inside the query is only text."""
    assert local_path(target, "/elsewhere") == target


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("/\\:@?#.[]%\t\r\n\x00 ae℀"), max_size=12))
@example("/\t/[")
def test_whatever_is_asked_the_answer_stays_on_this_host(target):
    """security.md §4.11: for any text, as a browser reads it; and it never raises."""
    answer = local_path(target)
    assert answer in {target, "/"}
    seen = as_a_browser(answer)
    assert seen.startswith("/")
    assert not seen.startswith("//")
    assert all(ord(c) >= 0x20 for c in answer)


@pytest.fixture
def in_request(app):
    """Addresses are built where there is a request."""
    with app.test_request_context():
        yield


@ONE
@pytest.mark.usefixtures("in_request")
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=30))
def test_the_sign_in_address_carries_own_paths_whole_and_others_not_at_all(back_to):
    """security.md §4.11: what is read back from the address is what was put in, or nothing."""
    parts = urlsplit(sign_in_url("/" + back_to))
    assert parts.path == "/sign-in"
    carried = parse_qs(parts.query, keep_blank_values=True, errors="strict").get("next", [])
    own = local_path("/" + back_to, "") == "/" + back_to and back_to != ""
    assert carried == (["/" + back_to] if own else [])


@ONE
@pytest.mark.usefixtures("in_request")
@pytest.mark.parametrize("back_to", ["", "/", "//evil.example", "https://evil.example", "/\t/x"])
def test_an_address_that_leads_nowhere_special_is_left_out(back_to):
    """security.md §4.11"""
    assert sign_in_url(back_to) == "/sign-in"


def test_sign_in_follows_own_paths_and_none_of_the_tricks(visit):
    """COM-10, security.md §4.11: on the real page, for who signs in and for who is signed in already."""
    for target in (*TRICKS[::4], "/\t/[evil", "/facility/reservations?status=paid"):
        visitor = visit()
        page = f"/sign-in?next={quote(target, safe='')}"
        expected = target if target.startswith("/facility/reservations?") else "/"
        first = visitor.post(page, {"login_id": "hanako", "password": PASSWORD})
        assert (first.status_code, first.headers["Location"]) == (303, expected)
        again = visitor.get(page)
        assert (again.status_code, again.headers["Location"]) == (303, expected)
        assert "Set-Cookie: portal=x" not in str(again.headers)


def test_a_wrong_password_does_not_lose_the_way_back(visit):
    """COM-10: the form posts to its own address, so the path survives a mistake."""
    visitor = visit()
    page = visitor.get("/facility/reservations?status=paid").headers["Location"]
    refused = visitor.post(page, {"login_id": "hanako", "password": "wrong-at-first-1"})
    assert refused.status_code == 422
    assert '<form method="post" novalidate>' in refused.text
    answer = visitor.post(page, {"login_id": "hanako", "password": PASSWORD})
    assert answer.headers["Location"] == "/facility/reservations?status=paid"


def test_a_form_sent_after_the_session_ended_leads_to_sign_in_and_then_home(visit):
    """COM-10: an address that only takes forms is nowhere to come back to."""
    visitor = visit()
    answer = visitor.post("/sign-out", page="/sign-in")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


def test_htmx_is_told_to_load_the_sign_in_page_whole(visit):
    """COM-10: never a sign-in form inside a list."""
    answer = visit().get("/facility/reservations?page=2", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/facility/reservations%3Fpage%3D2"
