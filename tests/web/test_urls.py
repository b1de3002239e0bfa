"""Addresses: where a brand lives, and which paths may be gone back to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.config import Tenant
from portal.web.urls import local_path, sign_in_url

FOREIGN = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "/a\\b",
    "\\\\evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "evil.example",
    "reservations",
    "",
    None,
    "/\t/evil.example",
    "/\n/evil.example",
    "/a\r\nSet-Cookie: x=1",
    "/\t/[",
    " /facility/reservations",
]


@pytest.mark.parametrize("target", FOREIGN)
def test_nobody_is_led_to_another_host(target: str | None) -> None:
    """security.md §4.11."""
    assert local_path(target) == "/"
    assert local_path(target, "/elsewhere") == "/elsewhere"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/facility/reservations",
        "/facility/reservations?status=paid&page=a1.2.3",
        "/ご利用",
        "/a//b",
    ],
)
def test_a_path_of_this_host_is_led_back_to_as_it_is(target: str) -> None:
    assert local_path(target) == target


@settings(max_examples=50)
@given(st.text(st.sampled_from("/\\:@?#[]%\t\n\r .ahttps\0"), max_size=12))
def test_whatever_is_asked_for_the_way_back_is_a_plain_path(target: str) -> None:
    """security.md §4.11: as a browser reads it, which drops tabs and line ends and takes \\ for /."""
    back = local_path(target).translate({9: None, 10: None, 13: None}).replace("\\", "/")
    assert back.startswith("/")
    assert not back.startswith("//")
    assert urlsplit(back).netloc == ""


@pytest.mark.parametrize(
    ("back_to", "url"),
    [
        ("", "/sign-in"),
        ("/", "/sign-in"),
        ("/facility/reservations", "/sign-in?next=/facility/reservations"),
        ("/facility/reservations?a=1&b=2", "/sign-in?next=/facility/reservations%3Fa%3D1%26b%3D2"),
        ("/ご利用", "/sign-in?next=/%E3%81%94%E5%88%A9%E7%94%A8"),
        ("//evil.example", "/sign-in"),
        ("https://evil.example", "/sign-in"),
    ],
)
def test_signing_in_leads_back_to_a_local_path_only(app: Flask, back_to: str, url: str) -> None:
    """COM-10, security.md §4.11."""
    with app.test_request_context():
        assert sign_in_url(back_to) == url


@pytest.mark.parametrize(
    ("domains", "port", "scheme", "base"),
    [
        ([], None, "https", "https://facility.portal.example"),
        ([], 8443, "https", "https://facility.portal.example:8443"),
        (["my.brand.example", "old.example"], None, "https", "https://my.brand.example"),
        (["my.brand.example"], 5000, "http", "http://my.brand.example:5000"),
    ],
)
def test_a_brands_address_comes_from_the_configuration(
    domains: list[str], port: int | None, scheme: str, base: str
) -> None:
    """COM-01, security.md §4.8: its first own domain, else its subdomain; never a Host header."""
    tenant = Tenant(key="facility", name="試験設備", domains=tuple(domains))
    with pytest.raises(LookupError):
        tenant.base_url  # noqa: B018 - nobody has said where it lives
    tenant.live_at("portal.example", scheme=scheme, port=port)
    assert tenant.base_url == base


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example", "/\\evil.example", "/\t/[", ""]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_language_switch_and_signing_in_lead_nowhere_else(visit: Any, target: str) -> None:
    """security.md §4.11."""
    switched = visit().post("/language", {"language": "en", "next": target}, page="/sign-in")
    assert (switched.status_code, switched.headers["Location"]) == (303, "/")
