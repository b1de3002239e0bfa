"""The headers of every kind of answer (security.md §4.18–20)."""

from __future__ import annotations

import pytest
from flask import request

from portal import create_app
from portal.core.db import db
from tests.support.client import Visitor

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
ANSWERS = {
    "page": ("/facility/reservations", {}, 200),
    "fragment": ("/facility/reservations", PART, 200),
    "one's own page": ("/account/profile", {}, 200),
    "csv": ("/facility/reservations.csv", {}, 200),
    "not found": ("/nowhere", {}, 404),
    "refused": ("/facility/reservations/FR000001/invoice.pdf", {}, 422),
    "method": ("/language", {}, 405),
    "redirect": ("/account/profile/confirm", {}, 303),
    "style": ("/theme.css", {}, 200),
    "script": ("/app.js?v=1", {}, 200),
    "static": ("/static/icons.svg?v=1", {}, 200),
    "no static": ("/static/nowhere.js", {}, 404),
    "alive": ("/livez", {}, 200),
    "pdf": ("/facility/reservations/FR000002/invoice.pdf", {}, 200),
    "link": ("/set-password/nothing", {}, 422),
}
LINKS = {"link"}
KEPT = {"script", "static"}
ASKED_AGAIN = {"style", "no static", "photo"}


@pytest.fixture
def answers(visit, run):
    """Each kind of answer, as a signed-in member gets it."""
    issued = run.invoke(args="facility issue FR000002 --tenant facility".split())
    assert issued.exit_code == 0, issued.output
    visitor = visit("facility", "hanako")
    found = {}
    for name, (path, headers, code) in ANSWERS.items():
        answer = visitor.get(path, headers=headers)
        assert answer.status_code == code, name
        found[name] = answer
    yield found
    for answer in found.values():
        answer.close()


@SQLITE
def test_every_answer_carries_the_security_headers(answers) -> None:
    """security.md §4.18, §4.19."""
    for name, answer in answers.items():
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert "*" not in policy, name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        told = "no-referrer" if name in LINKS else "same-origin"
        assert answer.headers["Referrer-Policy"] == told, name
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", name
        assert "camera=()" in answer.headers["Permissions-Policy"], name
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", name
        assert "frame-ancestors 'none'" in policy or policy.endswith("sandbox"), name
        assert "Strict-Transport-Security" not in answer.headers, name
        assert len(answer.headers.getlist("Content-Security-Policy")) == 1, name


@SQLITE
def test_nobody_may_frame_a_page_and_forms_go_home_only(answers) -> None:
    policy = dict(
        part.split(" ", 1)
        for part in answers["page"].headers["Content-Security-Policy"].split("; ")
    )
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert answers["pdf"].headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@SQLITE
def test_only_what_belongs_to_nobody_is_kept_by_a_cache(answers) -> None:
    """security.md §4.20."""
    for name, answer in answers.items():
        kept = answer.headers["Cache-Control"]
        if name in KEPT:
            assert kept == "public, max-age=31536000, immutable", name
        elif name in ASKED_AGAIN:
            assert "no-cache" in kept, name
            assert "public" not in kept, name
        else:
            assert kept == "no-store", name
    assert (
        "ETag" in answers["pdf"].headers
    )  # a calendar program still asks whether there is something new


@SQLITE
def test_a_fragment_and_its_page_are_told_apart_by_caches(answers) -> None:
    """COM-25: Back must not show a bare fragment."""
    for name in ("page", "fragment", "not found"):
        assert "HX-Request" in answers[name].headers["Vary"], name
    assert "<html" in answers["page"].text
    assert "<html" not in answers["fragment"].text


@SQLITE
def test_each_request_has_its_own_number(visit) -> None:
    """OPS-22."""
    visitor = visit()
    numbers = {visitor.get("/sign-in").headers["X-Request-Id"] for _time in range(5)}
    assert len(numbers) == 5
    assert all(len(number) == 12 for number in numbers)


@SQLITE
def test_https_is_asked_for_where_the_portal_speaks_it_and_cookies_are_tied_to_the_host(
    make_settings, database_url: str, cheap_passwords: None
) -> None:
    """security.md §4.7, §4.19."""
    app = create_app(make_settings(database_url, scheme="https"))
    answer = app.test_client().get("/sign-in", base_url="https://facility.localhost")
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert [cookie.split("=")[0] for cookie in answer.headers.getlist("Set-Cookie")] == [
        "__Host-form"
    ]
    assert all(
        "Secure; HttpOnly; Path=/; SameSite=Lax" in c for c in answer.headers.getlist("Set-Cookie")
    )
    with app.app_context():
        db.engine.dispose()


@SQLITE
@pytest.mark.parametrize(("hops", "code"), [(0, 404), (1, 200)])
def test_a_proxys_word_counts_only_as_far_as_the_portal_stands_behind_one(
    make_settings, database_url: str, hops: int, code: int
) -> None:
    """security.md §4.8: the forwarded host is never believed, the forwarded address and scheme behind a proxy."""
    app = create_app(make_settings(database_url, proxy_hops=hops))
    seen: dict[str, str | None] = {}
    app.before_request_funcs[None].insert(0, lambda: seen.update(at=request.remote_addr))
    visitor = Visitor(app, "facility")
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "studio.localhost"}
    page = visitor.get("/sign-in", headers=forwarded)
    assert "試験設備" in page.text
    assert seen["at"] == ("203.0.113.9" if code == 200 else "127.0.0.1")
    with app.app_context():
        db.engine.dispose()


@SQLITE
def test_pages_behind_a_secret_address_tell_nobody_where_one_was(visit, app) -> None:
    """security.md §4.12: whatever takes a token in its address, by a walk over all of them."""
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules() if "token" in rule.arguments}
    assert len(endpoints) >= 9
    for rule in app.url_map.iter_rules():
        if "token" in rule.arguments and "GET" in (rule.methods or ()):
            answer = visit("facility").get(rule.rule.replace("<token>", "x" * 43))
            assert answer.headers["Referrer-Policy"] == "no-referrer", rule.rule


@SQLITE
def test_signing_out_clears_what_the_browser_kept(visit) -> None:
    """On a shared desk nobody reads on; other brands' sessions stay, so cookies are not named."""
    visitor = visit("facility", "hanako")
    answer = visitor.post("/sign-out", {}, page="/")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "Clear-Site-Data" not in visitor.get("/sign-in").headers
