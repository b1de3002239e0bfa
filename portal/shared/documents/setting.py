"""The Jinja environment that document templates are set with, and its filters: how days are
written, the seal drawn.
"""

import base64
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageColor import getrgb
from reportlab.lib.units import mm

from portal.config.checks import LEAST_CONTRAST, contrast
from portal.core.money import MINUS, grouped, yen
from portal.shared.documents.typefaces import FILES, FOLDER, MAIN, clean, family_for, marked, width

TEMPLATES = Path(__file__).parents[2] / "templates"
SIDE = 420
FRAME = 14
GAP = 22
INK = (196, 40, 38)


@cache
def pdf_environment() -> Environment:
    """An environment that escapes all it is given, fails on what is missing and marks the second
    typeface.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=marked,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (
        yen,
        grouped,
        quantity,
        day,
        days,
        moment,
        duration,
        fit,
        paragraphs,
        tint,
        ink_on,
        seal,
    )
    environment.filters |= {made.__name__: made for made in filters}
    return environment


def day(value: date) -> str:
    """``2026年10月31日``"""
    return f"{value.year}年{value.month}月{value.day}日"


def days(span: tuple[date, date | None]) -> str:
    """``2026年10月1日～2026年10月31日``; one day alone where it is all there is."""
    first, last = span
    return day(first) if last in (None, first) else f"{day(first)}～{day(last)}"


def quantity(number: int | Decimal) -> str:
    """How many, or what one costs: ``1,234``, ``1.5``; a fraction without trailing zeros."""
    whole, point, fraction = f"{abs(number):,f}".partition(".")
    kept = fraction.rstrip("0")
    return (MINUS if number < 0 else "") + whole + (point + kept if kept else "")


def moment(value: datetime) -> str:
    """``2026年10月31日 9:00``"""
    return f"{day(value)} {value.hour}:{value.minute:02d}"


def duration(minutes: int) -> str:
    """``3時間30分``"""
    hours, rest = divmod(minutes, 60)
    return (f"{hours}時間" if hours or not rest else "") + (f"{rest}分" if rest else "")


def fit(text: str, millimetres: float, points: float = 8.5, bold: bool = False) -> str:
    """`text`, set smaller where it would run over into the neighbouring cell."""
    room = millimetres * mm
    taken = width(text, points, bold=bold)
    if taken <= room:
        return text
    # A little less than reckoned: rounded to a hundredth of a point it must not be too wide again.
    size = points * room / taken - 0.05
    return Markup('<span style="font-size: {:.2f}pt">{}</span>').format(size, marked(text))


def paragraphs(text: str) -> Markup:
    """Each line of `text` as a paragraph; an empty line stays as room."""
    lines = text.replace("\r\n", "\n").strip().split("\n")
    return Markup("").join(
        Markup("<p>{}</p>").format(marked(line) if line.strip() else Markup("&nbsp;"))
        for line in lines
    )


def tint(colour: str, strength: float) -> str:
    """`colour` (#rrggbb) mixed into white: 0 is white, 1 the colour itself."""
    return "#" + "".join(f"{round(255 - (255 - part) * strength):02x}" for part in getrgb(colour))


def ink_on(colour: str) -> str:
    """White or near-black, whichever reads better on `colour` (WCAG)."""
    return "#ffffff" if contrast("#ffffff", colour) >= LEAST_CONTRAST else "#1f2733"


@lru_cache(maxsize=32)
def seal(text: str) -> str:
    """A square seal (角印) that says `text` in columns from the right: ``data:`` of a PNG.

    Raises UndrawableText.
    """
    image = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(image).rectangle((0, 0, SIDE - 1, SIDE - 1), outline=INK, width=FRAME)
    chars = [char for char in clean(text) if not char.isspace()]
    # As near to a square as the number of characters allows, as seals are cut.
    columns = max(1, round(sqrt(len(chars))))
    rows = max(1, ceil(len(chars) / columns))
    edge = FRAME + GAP
    inner = SIDE - 2 * edge
    broad = inner / columns
    # Each stands square in the middle of its place: stretched to fill it, it is another letter.
    side = round(min(broad, inner / rows))
    for column in range(columns):
        drawn = chars[_share(len(chars), column, columns) : _share(len(chars), column + 1, columns)]
        left = SIDE - edge - (column + 0.5) * broad - side / 2
        for row, char in enumerate(drawn):
            top = edge + (row + 0.5) * inner / len(drawn) - side / 2
            image.paste(_glyph(char, side), (round(left), round(top)))
    out = BytesIO()
    # One colour on white with its soft edges needs no more, and every document carries it.
    image.quantize(16).save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def _share(count: int, column: int, columns: int) -> int:
    """How many of `count` characters stand before `column`, the first columns being longer."""
    return column * (count // columns) + min(column, count % columns)


def _glyph(char: str, side: int) -> Image.Image:
    family = family_for(char)
    weight = "Bold" if family == MAIN else "Regular"
    font = ImageFont.truetype(str(FOLDER / f"{FILES[family]}-{weight}.ttf"), 200)
    drawn = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(drawn).text((100, 100), char, font=font, fill=INK, anchor="mm")
    return drawn.resize((side, side), Image.Resampling.LANCZOS)
