"""What the browser is given: known files, small, and nothing that a strict content policy would refuse."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.web import bundle
from tests.support.client import Visitor

PORTAL = Path(__file__).resolve().parents[2] / "portal"
STATIC = PORTAL / "static"
VENDOR = STATIC / "vendor"
TEMPLATES = [*(PORTAL / "templates").rglob("*.html")]
PAGES = [path for path in TEMPLATES if not {"emails", "pdf"} & set(path.parts)]
SCRIPTS = sorted((STATIC / "js").glob("*.js"))
HEAD = (PORTAL / "templates/layouts/_head.html").read_text(encoding="utf-8")

CSS_LIMIT = 6_000
FIRST_PAGE_LIMIT = 26_000


def compressed(path: Path) -> int:
    """Return the size in bytes that goes over the wire."""
    return len(gzip.compress(path.read_bytes(), 9))


def vendored() -> dict[str, str]:
    """Return file name → SHA-256 from the list of what was taken from elsewhere."""
    lines = (VENDOR / "VERSIONS").read_text(encoding="utf-8").splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {name: digest for digest, name in pairs}


@pytest.mark.parametrize(("name", "digest"), vendored().items())
def test_a_vendored_file_is_the_one_that_was_released(name: str, digest: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest


def test_every_vendored_file_is_listed() -> None:
    present = {path.name for path in VENDOR.iterdir()} - {"VERSIONS"}
    assert present == {name for name in vendored() if "/" not in name}


def test_the_list_names_package_and_version() -> None:
    text = (VENDOR / "VERSIONS").read_text(encoding="utf-8")
    assert re.search(r"npm htmx\.org \d+\.\d+\.\d+", text)
    assert re.search(r"npm lucide-static \d+\.\d+\.\d+", text)


def test_the_style_sheet_is_small() -> None:
    assert compressed(STATIC / "css/portal.css") <= CSS_LIMIT


def test_what_a_first_page_loads_is_small() -> None:
    joined = bundle.join(STATIC)
    assert (
        sum(len(gzip.compress(text.encode(), 9)) for text in (joined.style, joined.script))
        <= FIRST_PAGE_LIMIT
    )


def test_a_page_asks_for_one_style_sheet_and_one_script() -> None:
    assert re.findall(r"(?:src|stylesheet\" href)=\"([^\"]+)\"", HEAD) == [
        "{{ theme_href }}",
        "{{ script_href }}",
    ]


def test_the_one_script_holds_every_part_and_its_address_tells_its_content() -> None:
    joined = bundle.join(STATIC)
    for name in bundle.SCRIPTS:
        assert (STATIC / name).read_text(encoding="utf-8") in joined.script
    assert (
        joined.script_href == f"/app.js?v={hashlib.sha256(joined.script.encode()).hexdigest()[:10]}"
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_asked_for_by_digest_is_kept_for_good(visit: Callable[..., Visitor]) -> None:
    """COM-04: each brand has its own style sheet, at an address of its own; all share the script."""
    addresses = {}
    for brand in ("facility", "studio"):
        visitor = visit(brand)
        page = visitor.get("/sign-in").text
        addresses[brand] = re.findall(r'(?:src|href)="(/(?:theme\.css|app\.js)\?v=\w+)"', page)
        for address in addresses[brand]:
            answer = visitor.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]
            assert "Set-Cookie" not in answer.headers
    assert addresses["facility"][0] != addresses["studio"][0]
    assert addresses["facility"][1] == addresses["studio"][1]
    assert visit("facility").get("/app.js").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_brands_logo_stands_where_others_have_their_mark(visit: Callable[..., Visitor]) -> None:
    """COM-04: on pages with and without the navigation."""
    for brand, login_id in (("facility", "hanako"), ("studio", "hanako")):
        for page in (visit(brand).get("/sign-in").text, visit(brand, login_id).get("/").text):
            (name,) = re.findall(r'<a class="logo".*?</a>', page, re.DOTALL)
            found = re.search(r'src="(/static/logos/hitohira\.svg\?v=\w+)"', name)
            assert (found is None, 'class="mark"' in name) == (
                (False, False) if brand == "studio" else (True, True)
            )
            if found:
                answer = visit(brand).get(found[1])
                assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_whole_page_never_lands_inside_a_list(visit: Callable[..., Visitor]) -> None:
    """COM-25: an error page that htmx asked for by a part replaces the main part; a fragment stays where it is."""
    visitor = visit("facility", "hanako")
    part = {"HX-Request": "true", "HX-Request-Type": "partial"}
    refused = visitor.get("/facility/reservations/FR000001/invoice.pdf", headers=part)
    assert refused.status_code == 422
    assert (refused.headers["HX-Retarget"], refused.headers["HX-Reselect"]) == ("#main", "#main")
    wrong = visitor.get("/facility/reservations?since=2026-11-02&until=2026-11-01", headers=part)
    assert wrong.status_code == 422
    assert "HX-Retarget" not in wrong.headers
    assert "<html" not in wrong.text
    assert "HX-Retarget" not in visitor.get("/nowhere").headers


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_an_own_script_is_short_and_strict(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert '"use strict";' in text
    assert not re.search(r"\beval\(|innerHTML|new Function|document\.write", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(PORTAL)))
def test_a_page_holds_nothing_inline(path: Path) -> None:
    """security.md §4.18: the content policy allows no inline script, style or handler."""
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style\b|\sstyle=", text)
    assert not re.search(r"\son[a-z]+=|hx-on|javascript:|[\"']js:", text)
    assert not re.search(r"(?<![-\w/])hx-[a-z]+[:=]", text), "write data-hx-…"


def test_every_icon_that_a_page_names_is_in_the_sprite() -> None:
    sprite = (STATIC / "icons.svg").read_text(encoding="utf-8")
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    named = set()
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"""icon\(["']([a-z0-9-]+)["']\)""", text))
        named |= set(re.findall(r"#([a-z][a-z0-9-]*)\"/></svg>", text))
    assert named - known == set()


def test_htmx_is_configured_for_a_strict_policy() -> None:
    """security.md §4.18, in the names that htmx 4 knows."""
    htmx = (VENDOR / "htmx.min.js").read_text(encoding="utf-8")
    assert '"includeIndicatorCSS":false' in HEAD
    assert '"mode":"same-origin"' in HEAD
    for key in re.findall(r'"(\w+)":', HEAD):
        assert f"{key}:" in htmx, f"htmx does not know {key}"


def test_the_error_page_for_an_unknown_host_needs_no_asset() -> None:
    """COM-01: it names no tenant and asks for nothing else."""
    text = (PORTAL / "templates/errors/plain.html").read_text(encoding="utf-8")
    assert not re.search(r"asset\(|tenant|<link|<script|<img", text)
