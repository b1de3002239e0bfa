"""A square seal (角印) drawn from its characters: columns from the right, each read downwards."""

import base64
from functools import lru_cache
from io import BytesIO
from math import ceil, sqrt

from PIL import Image, ImageDraw, ImageFont

from portal.shared.documents.typefaces import FILES, FOLDER, MAIN, clean, family_for

SIDE, FRAME, GAP = 420, 14, 22
INK = (196, 40, 38)


@lru_cache(maxsize=32)
def seal(text: str) -> str:
    """The seal that says `text`, as a ``data:`` address of a PNG. Raises UndrawableText."""
    image = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(image).rectangle((0, 0, SIDE - 1, SIDE - 1), outline=INK, width=FRAME)
    chars = [char for char in clean(text) if not char.isspace()]
    columns = max(1, round(sqrt(len(chars))))
    rows = max(1, ceil(len(chars) / columns))
    edge, inner = FRAME + GAP, SIDE - 2 * (FRAME + GAP)
    broad = inner // columns
    for column, start in enumerate(range(0, len(chars), rows)):
        drawn = chars[start : start + rows]
        tall = inner // len(drawn)
        for row, char in enumerate(drawn):
            image.paste(_glyph(char, (broad, tall)), (edge + inner - (column + 1) * broad, edge + row * tall))
    out = BytesIO()
    image.quantize(16).save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def _glyph(char: str, size: tuple[int, int]) -> Image.Image:
    family = family_for(char)
    weight = "Bold" if family == MAIN else "Regular"
    font = ImageFont.truetype(str(FOLDER / f"{FILES[family]}-{weight}.ttf"), 200)
    drawn = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(drawn).text((100, 100), char, font=font, fill=INK, anchor="mm")
    return drawn.resize(size, Image.Resampling.LANCZOS)
