"""What nobody types and somebody sends."""

from __future__ import annotations

from io import BytesIO

from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage

SHARP: tuple[str, ...] = (
    "",
    "\0",
    "1\0",
    "-1",
    "9" * 40,
    "9" * 5_000,
    "²",
    "٣",
    "0001-01-01",
    "9999-12-31",
    "0001-01",
    "9999-12",
    "a20000000000000000.1.1",
    "a1.999999999999999999.999999999",
    "\ud800",
    "\\ud800",
    "\U0010ffff",
    "x" * 70_000,
    "ﷺ" * 200,
    "İ" * 400,
    "%",
    "{}",
    "[]",
    '"\\ud800"',
    "'; --",
    "\r\nSet-Cookie: a=b",
    "../../x",
    "//evil.example",
)
"""What broke something once, here or elsewhere, each by itself."""

_ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)
_NUMBERS = st.integers().map(str) | st.floats().map(str)
_DATES = st.dates().map(str) | st.datetimes().map(str) | st.times().map(str)
values = st.sampled_from(SHARP) | _ANY_TEXT | _NUMBERS | _DATES
"""One value."""


def a_file(name: str, data: bytes = b"x") -> FileStorage:
    """A file of this name."""
    return FileStorage(BytesIO(data), filename=name)


BODIES: tuple[tuple[bytes, str], ...] = (
    (b"{}", "application/json"),
    (b'{"draft": {"a": [1]}}', "application/json"),
    (b"[1, 2", "application/json"),
    (b"null", "application/json; charset=utf-16"),
    (b"<a/>", "text/xml"),
    (b"\xff\xfe\x00", "application/x-www-form-urlencoded; charset=utf-16"),
    (b"a=%ff%00&%ff=%zz&=&&a", "application/x-www-form-urlencoded"),
    (b"--x\r\n", "multipart/form-data; boundary=x"),
    (b"", "multipart/form-data"),
    (b"", "multipart/form-data; boundary="),
    (b"\0" * 100, "application/octet-stream"),
    (b"x" * 2_000_000, "application/x-www-form-urlencoded"),
    (b"&".join(b"a=b" for _ in range(5_000)), "application/x-www-form-urlencoded"),
    (b"", ""),
)
"""Bodies that are no form, with what they say they are."""

HEADERS: tuple[dict[str, str], ...] = (
    {"Accept-Language": "ja;q=x,*;q=-1,\x7f"},
    {"Range": "bytes=9999999999999999999999-"},
    {"Range": "bytes=-0,1-0"},
    {"If-None-Match": '"\xff", W/*'},
    {"If-Modified-Since": "Fri, 31 Dec 9999 23:59:59 GMT"},
    {"HX-Request": "true", "HX-Target": "\xff"},
    {"User-Agent": "\xff" * 3_000},
    {"X-Forwarded-For": "x, y"},
    {"Cookie": "portal=\xff\xfe; device=\x01; form=."},
    {"Cookie": "portal=" + "x" * 5_000 + "; form=eyJ9.x.y"},
    {"Referer": "http://["},
    {"Content-Length": "-1"},
)
"""Headers beside the usual ones."""
