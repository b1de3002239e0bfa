"""The foot of every page and the date inside the file (COM-70, COM-72)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any, cast

import pytest
from pypdf import PdfReader

from portal.shared.documents.pdf import NumberedCanvas, PdfFailed, render_pdf, stamped
from portal.shared.documents.typefaces import UndrawableText

AT = datetime(2026, 10, 31, 0, 0, tzinfo=UTC)
BREAK = "<pdf:nextpage/>"


def made(html: str, footer: str = "株式会社試験　請求書 N1", created: datetime = AT) -> bytes:
    return render_pdf(f"<body>{html}</body>", footer=footer, created=created)


def feet(pdf: bytes) -> list[str]:
    """The text of each page, without blanks."""
    return ["".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


@pytest.mark.parametrize("count", [1, 2, 9, 11])
def test_each_page_says_which_of_how_many_it_is(count: int) -> None:
    """COM-70: the total is known on the first page as on the last."""
    each = feet(made(BREAK.join(f"<p>{n}</p>" for n in range(count))))
    assert len(each) == count
    for number, page in enumerate(each, 1):
        assert f"{number}/{count}ページ" in page
        assert "株式会社試験請求書N1" in page


def test_a_foot_in_rare_kanji_or_beyond_its_room_is_whole() -> None:
    """COM-70: 𠮷 in its own typeface; the longest name is set smaller and never over the page's number."""
    assert "𠮷﨑髙請求書" in feet(made("<p>x</p>", "𠮷﨑髙　請求書"))[0]
    long = "国立研究開発法人" * 30
    page = PdfReader(BytesIO(made("<p>x</p>", long))).pages[0]
    placed: list[tuple[float, float, str]] = []
    page.extract_text(
        visitor_text=lambda text, _cm, tm, _font, size: placed.append(
            (tm[4], size * tm[0], text.strip())
        )
    )
    (_x, size, _text) = next(item for item in placed if "国立" in item[2])
    assert "".join(item[2] for item in placed).count("国立") == 30
    assert 0 < size < 3


@pytest.mark.parametrize("footer", ["", "　", "\u200b"])
def test_an_empty_foot_is_no_trouble(footer: str) -> None:
    assert "1/1ページ" in feet(made("<p>x</p>", footer))[0]


def test_an_undrawable_foot_is_refused() -> None:
    """COM-70."""
    with pytest.raises(UndrawableText):
        made("<p>x</p>", "\U0001f600")


def test_the_same_instant_gives_the_same_bytes_in_whatever_zone_it_is_written() -> None:
    """COM-72: and another instant another file, with its own identifier."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    assert made("<p>x</p>") == made("<p>x</p>", created=elsewhere)
    other = made("<p>x</p>", created=AT + timedelta(seconds=1))
    assert made("<p>x</p>") != other
    ids = [
        cast("Any", PdfReader(BytesIO(pdf)).trailer["/ID"])[0] for pdf in (made("<p>x</p>"), other)
    ]
    assert ids[0] != ids[1]


def test_the_date_inside_is_tokyos() -> None:
    """COM-72: 9:00 on the 31st, nine hours before UTC; nothing is read from the machine's clock."""
    for field in ("/CreationDate", "/ModDate"):
        info = PdfReader(BytesIO(made("<p>x</p>"))).metadata
        assert info is not None
        assert str(info[field]) == "D:20261031090000+09'00'"


def test_a_canvas_without_a_stamp_is_not_made() -> None:
    """Nothing is numbered by accident with another document's foot, also after a failure."""
    with pytest.raises(PdfFailed):
        made('<img src="/etc/passwd">')
    with pytest.raises(LookupError):
        NumberedCanvas(BytesIO())
    with stamped("一", AT), stamped("二", AT):
        pass
    with pytest.raises(LookupError):
        NumberedCanvas(BytesIO())
