"""The style sheet, the script, a brand that is not built yet, and hosts that are nobody's (COM-01, COM-04)."""

from __future__ import annotations

import hashlib
import re

import pytest

from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.settings import ROOT
from portal.shared.accounts import operations as accounts
from portal.shared.auth import passwords
from tests.cast import PASSWORD

KEPT, ASKED_AGAIN = "public, max-age=31536000, immutable", "no-cache"
NEUTRAL = re.compile(r"試験|facility|studio|shop|カナリア")
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def addresses(page: str) -> tuple[str, str]:
    """Where a page's style sheet and script are."""
    style, script = re.findall(r'(?:href|src)="(/(?:theme\.css|app\.js)\?v=\w+)"', page)
    return style, script


def test_the_style_sheet_ends_with_the_brands_colours(visit):
    """COM-04: the common part is every brand's; the colours come from the tenants file."""
    common = (ROOT / "portal/static/css/portal.css").read_text(encoding="utf-8")
    sheets = {brand: visit(brand).get("/theme.css") for brand in ("facility", "studio", "shop")}
    for answer in sheets.values():
        assert answer.mimetype == "text/css"
        assert answer.text.startswith(common)
        assert len(answer.text.removeprefix(common).split()) == 1
    assert "--brand:#1d5c3a;" in sheets["studio"].text
    assert "--radius:2px" in sheets["studio"].text
    assert "#1d5c3a" not in sheets["facility"].text


def test_an_address_with_a_digest_is_kept_for_good_and_one_without_is_asked_again(visit):
    """COM-04: for everybody alike, so nothing of the person or the session is in the answer."""
    visitor = visit("studio")
    style, script = addresses(visitor.get("/sign-in").text)
    for path in (style, script):
        kept, bare = visitor.get(path), visitor.get(path.partition("?")[0])
        assert (kept.headers["Cache-Control"], bare.headers["Cache-Control"]) == (KEPT, ASKED_AGAIN)
        assert kept.data == bare.data
        assert "Set-Cookie" not in kept.headers
        assert kept.headers["X-Content-Type-Options"] == "nosniff"
    assert script.endswith(hashlib.sha256(visitor.get(script).data).hexdigest()[:10])


def test_the_address_changes_with_the_colours_and_only_with_them(other, visit):
    """COM-04: a new look is never hidden behind a cache."""
    before, script = addresses(visit("facility").get("/sign-in").text)
    after, same_script = addresses(other('theme = { brand = "#7a1f3d" }').get("/sign-in").text)
    renamed, _script = addresses(other('company = "別の会社"').get("/sign-in").text)
    assert before == renamed != after
    assert script == same_script


def test_the_style_sheet_is_there_for_who_is_signed_in_and_who_is_not(visit, cast):
    """COM-04"""
    assert (
        visit("facility").get("/theme.css").data
        == visit("facility", cast.member).get("/theme.css").data
    )


def test_the_script_is_one_for_all_hosts(client):
    """It says nothing of any brand; a host that is nobody's has no style."""
    answer = client.get("/app.js", base_url="http://nobody.localhost")
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert not NEUTRAL.search(answer.text)
    assert client.get("/theme.css", base_url="http://nobody.localhost").status_code == 404


@pytest.mark.parametrize("path", ["/", "/notices", "/account/profile"])
def test_a_brand_that_is_not_built_lets_its_members_in_and_says_so(visit, path, inside, app):
    """COM-01, COM-20: in its own name and look, with what all brands share."""
    tenant = app.extensions["tenants"].current().by_key["shop"]
    with inside("shop"):
        account = accounts.add_account(tenant, by=SYSTEM, name="試験会員", telephone="0300001009")
        person = accounts.Person("試験", "花子", "hanako@one.example", is_representative=True)
        hashed = passwords.hash_password(PASSWORD)
        accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
        session().commit()
    visitor = visit("shop")
    assert visitor.get(path).status_code == 303
    visitor.post("/sign-in", {"email": "hanako@one.example", "password": PASSWORD})
    answer = visitor.get(path)
    assert answer.status_code == 200
    said = "試験商店のお取引のページは、ただいま準備中です。"
    assert (said in answer.text) == (path == "/")
    assert "/theme.css?v=" in answer.text
    assert '<nav class="side"' in answer.text


def test_what_that_page_leads_to_works(visit):
    """COM-04: the legal texts at its foot, and English."""
    visitor = visit("shop")
    assert "<h1>プライバシーポリシー</h1>" in visitor.get("/legal/privacy").text
    switched = visitor.post("/language", {"language": "en", "next": "/sign-in"}, page="/sign-in")
    assert (switched.status_code, switched.headers["Location"]) == (303, "/sign-in")
    assert '<html lang="en">' in visitor.get("/sign-in").text


def test_pages_that_never_were_are_missing_there_too(visit):
    """COM-03: nor has it another brand's pages."""
    for path in ("/nowhere", "/facility/reservations"):
        assert visit("shop").get(path).status_code == 404


def test_in_maintenance_every_page_says_so_and_nobody_signs_in(other):
    """COM-01: 503 with a time to come back, and no word of what is behind."""
    visitor = other('status = "maintenance"')
    for path in ("/", "/sign-in", "/legal/privacy"):
        answer = visitor.get(path)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "ただいまご利用いただけません" in answer.text


def test_a_retired_brands_host_is_nobodys(other):
    """COM-01"""
    answer = other('status = "retired"').get("/")
    assert answer.status_code == 404
    assert not NEUTRAL.search(answer.text)


def test_a_host_that_is_nobodys_gets_a_plain_page_that_names_no_brand(app):
    """COM-01: whatever is asked for; no cookie, no asset, nothing cached."""
    for host in [
        *(
            "nobody.localhost",
            "localhost",
            "facility.localhost.evil.example",
            "xfacility.localhost",
            "127.0.0.1",
        ),
        *(
            "a.facility.localhost",
            "facility",
            "facility.localhost@evil.example",
            "xn--wgv71a119e.localhost",
            "[::1]",
        ),
        *("", "facility_localhost", "facility.localhost:99999", "*", "\x80.localhost"),
    ]:
        client = app.test_client(use_cookies=False)
        for path in (
            "/",
            "/sign-in",
            "/notices",
            "/facility/reservations/FR000001",
            "/legal/privacy",
            "/demo/mailbox",
        ):
            answer = client.get(path, headers={"Host": host})
            assert answer.status_code in (400, 404), path
            assert "Set-Cookie" not in answer.headers
            shown = answer.text.replace("facility.localhost", "")
            assert not NEUTRAL.search(shown)
            assert not re.search(r"<link|<script|<img|<form", shown)
        assert client.post(
            "/sign-in", headers={"Host": host}, data={"login_id": "x"}
        ).status_code in (400, 404)


def test_hosts_are_found_in_any_case_with_any_port_and_a_final_dot(client):
    """COM-01: as browsers and proxies write them."""
    for host in (
        "facility.localhost",
        "FACILITY.localhost",
        "facility.localhost:5000",
        "facility.localhost.",
    ):
        assert "試験設備" in client.get("/sign-in", headers={"Host": host}).text, host
