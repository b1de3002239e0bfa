"""The two typefaces of a document, and which of them draws which character.

BIZ UDPGothic draws nearly everything; Noto Sans JP draws the rarer kanji (𠮷) that it lacks. What
neither draws is refused where it is typed (`check_drawable`). Copies from before that stand as 〓
(`drawable`), never as a blank on somebody's invoice, and never in the way of one (COM-70).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import groupby
from pathlib import Path

from markupsafe import Markup, escape
from reportlab.pdfbase import pdfmetrics, ttfonts
from reportlab.pdfbase.ttfonts import TTFont
from xhtml2pdf.default import DEFAULT_FONT

from portal.core.errors import RuleBroken

MAIN = "bizud"
FALLBACK = "notojp"
FOLDER = Path(__file__).parent / "fonts"
FILES = {MAIN: "BIZUDPGothic", FALLBACK: "NotoSansJP"}
GETA = "〓"
"""What printers set for a character that they do not have."""

_BLANK = frozenset(map(ord, "\t\n\r"))
_VOICED = re.compile("[か-ヿ][\u3099\u309a]")
_ASTRAL = re.compile("<([0-9A-F]{5,6})>")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


class UndrawableText(RuleBroken):
    """No typeface of ours draws `char`; nothing was made or kept."""

    def __init__(self, char: str, field: str | None = None) -> None:
        super().__init__(
            "「%(char)s」（%(code)s）は帳票に印字できない文字です。別の文字に置き換えてください。",
            field=field,
            char=char,
            code=f"U+{ord(char):04X}",
        )


@cache
def register() -> dict[str, frozenset[int]]:
    """Load the typefaces into ReportLab, once a process; answers the code points that each one
    draws.

    Call it before a server forks, so that its workers share the parsed files.
    """
    ttfonts.makeToUnicodeCMap = _searchable
    return {family: _register(family, stem) for family, stem in FILES.items()}


def _register(family: str, stem: str) -> frozenset[int]:
    regular = TTFont(family, str(FOLDER / f"{stem}-Regular.ttf"))
    bold = TTFont(f"{family}-bold", str(FOLDER / f"{stem}-Bold.ttf"))
    for font in (regular, bold):
        pdfmetrics.registerFont(font)
        # xhtml2pdf looks a style sheet's font-family up here, and knows no other registry.
        DEFAULT_FONT[font.fontName] = font.fontName
    pdfmetrics.registerFontFamily(
        family, regular.fontName, bold.fontName, regular.fontName, bold.fontName
    )
    # What both weights draw: text must not turn into 〓 where it is set bold.
    return frozenset(regular.face.charToGlyph) & frozenset(bold.face.charToGlyph) | _BLANK


_to_unicode = ttfonts.makeToUnicodeCMap


def _searchable(fontname: str, subset: list[int]) -> str:
    """ReportLab's map from glyphs to text, in UTF-16 as it must be; else 𠮷 is copied as ₻."""
    return _ASTRAL.sub(
        lambda code: f"<{chr(int(code[1], 16)).encode('utf-16-be').hex().upper()}>",
        _to_unicode(fontname, subset),
    )


def clean(text: str) -> str:
    """`text` without what has no picture of its own.

    Variation selectors and invisible format characters go; か + a combining mark becomes が.
    Nothing else is normalised: NFC and NFKC would turn the kanji of people's names (神, 﨑) into
    other ones.
    """
    text = _VOICED.sub(lambda pair: unicodedata.normalize("NFC", pair[0]), _SELECTORS.sub("", text))
    return "".join(char for char in text if unicodedata.category(char) != "Cf")


def family_for(char: str) -> str:
    """The typeface that draws `char`. Raises UndrawableText when there is none."""
    for family, drawn in register().items():
        if ord(char) in drawn:
            return family
    raise UndrawableText(char)


def runs(text: str) -> Iterator[tuple[str, str]]:
    """`text` in pieces, each with the typeface that draws it."""
    for family, chars in groupby(text, family_for):
        yield family, "".join(chars)


def check_drawable(value: object, field: str | None = None) -> None:
    """Raise UndrawableText at `field` if any text in `value` (text, or lists and dicts of it)
    cannot be drawn.

    For the moment when it is typed: whoever typed it is there to put it right.
    """
    if isinstance(value, str):
        # Sorted, so that of several characters the same one is reported each time.
        for char in sorted(set(clean(value))):
            if not _is_drawable(char):
                raise UndrawableText(char, field)
    elif isinstance(value, Iterable):
        for item in value.values() if isinstance(value, Mapping) else value:
            check_drawable(item, field)


def drawable(plain: Mapping[str, object]) -> dict[str, object]:
    """A copy of a document's content (plain values) with 〓 in place of each character that cannot
    be drawn.

    What is typed is checked, but copies in orders from before that check are not: without this,
    a customer's emoji would keep an invoice from ever being drawn.
    """
    return {name: _drawable(value) for name, value in plain.items()}


def _drawable(value: object) -> object:
    if isinstance(value, str):
        return "".join(char if _is_drawable(char) else GETA for char in clean(value))
    if isinstance(value, Mapping):
        return drawable(value)
    if isinstance(value, list):
        return [_drawable(item) for item in value]
    return value


def _is_drawable(char: str) -> bool:
    return any(ord(char) in drawn for drawn in register().values())


def marked(value: object) -> object:
    """What a template is given, with characters of the second typeface marked as such (a Jinja
    ``finalize``).

    Text is escaped here, once; markup and everything else passes as it is.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return Markup("").join(
        escape(text)
        if family == MAIN
        else Markup('<span class="{}">{}</span>').format(family, text)
        for family, text in runs(clean(value))
    )


def width(text: str, points: float, *, bold: bool = False) -> float:
    """How wide `text` is set at `points`, in points."""
    weight = "-bold" if bold else ""
    return sum(
        float(pdfmetrics.stringWidth(piece, family + weight, points))
        for family, piece in runs(clean(text))
    )
