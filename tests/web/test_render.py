"""When htmx gets a fragment, and when the whole page (COM-25)."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask, Response

from portal.web.render import attachment, pdf_response, wants_fragment, whole

BARE = Flask(__name__)
ASKED = {"HX-Request": "true"}


@pytest.mark.parametrize(
    ("headers", "fragment"),
    [
        ({}, False),
        (ASKED, True),
        (ASKED | {"HX-Request-Type": "partial"}, True),
        (ASKED | {"HX-Request-Type": "full"}, False),
        (ASKED | {"HX-Boosted": "true"}, False),
        (ASKED | {"HX-History-Restore-Request": "true"}, False),
        ({"HX-Request": "false"}, False),
        ({"HX-Request-Type": "partial"}, False),
    ],
)
def test_a_fragment_is_for_who_asked_for_one(headers: dict[str, str], fragment: bool) -> None:
    with BARE.test_request_context(headers=headers):
        assert wants_fragment() is fragment
        told = whole(Response("x")).headers
        assert ("HX-Retarget" in told) is fragment
        assert told.get("HX-Reswap") == ("outerHTML" if fragment else None)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("請求書_FI000001.pdf", "____FI000001.pdf"),
        ('a"\r\nSet-Cookie: x.pdf', "a___Set-Cookie__x.pdf"),
        ("../etc/passwd", ".._etc_passwd"),
    ],
)
def test_a_papers_name_survives_and_cannot_add_a_header(name: str, plain: str) -> None:
    """COM-73, RFC 6266."""
    with BARE.test_request_context():
        told = pdf_response(BytesIO(b"%PDF"), name, "d").headers
    assert f"filename=\"{plain}\"; filename*=UTF-8''" in told["Content-Disposition"]
    assert "\n" not in told["Content-Disposition"]
    assert told["ETag"] == '"d"'


def test_who_has_the_paper_already_gets_304() -> None:
    """COM-73."""
    with BARE.test_request_context(headers={"If-None-Match": '"d"'}):
        file = BytesIO(b"%PDF")
        answer = pdf_response(file, "x.pdf", "d")
    assert answer.status_code == 304
    assert file.closed


def test_a_file_is_sent_in_chunks_with_its_length_and_closed_at_its_end(tmp_path: Path) -> None:
    """COM-50: also by a server that has no way of its own of sending files."""
    path = tmp_path / "drawing"
    path.write_bytes(b"x" * 100_000)
    file = path.open("rb")
    with BARE.test_request_context():
        answer = attachment(file, "図面.zip", "application/zip", "d")
        assert answer.content_length == 100_000
        parts = answer({"REQUEST_METHOD": "GET"}, lambda *_: lambda _data: None)
        assert {len(part) for part in parts} <= set(range(1, 10_000))
    assert file.closed


def test_of_a_file_that_is_asked_about_alone_nothing_is_read(tmp_path: Path) -> None:
    """COM-50: HEAD has the length, and the file is closed."""
    path = tmp_path / "drawing"
    path.write_bytes(b"x" * 100_000)
    file = path.open("rb")
    with BARE.test_request_context(method="HEAD"):
        answer = attachment(file, "図面.zip", "application/zip", "d")
    assert answer.content_length == 100_000
    assert file.closed
