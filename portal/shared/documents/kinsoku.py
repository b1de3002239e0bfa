"""Japanese line breaking (行頭・行末禁則) for xhtml2pdf, whose own tears numbers, words and pairs
apart.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from xhtml2pdf import reportlab_paragraph

NO_START = frozenset(
    "、。，．・：；？！゛゜ヽヾゝゞ々〻〵ー）〕］｝〉》」』】｠⦆〙〗〟’”»‐–〜～゠\u3099\u309a"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ"
    "｡､･ｰﾞﾟ｣ｧｨｩｪｫｬｭｮｯ!?),.:;]}>／‼⁇⁈⁉※™®"
)
"""What never begins a line."""

NO_END = frozenset("（〔［｛〈《「『【｟⦅〘〖〝‘“«([{<￥¥＄$£€＃#〒№｢−第")
"""What never ends a line."""

UNITS = frozenset(
    "%％‰℃℉°′″Å㎜㎝㎞㎏㎡㎥円銭万億兆千百割倍年月日時分秒週歳才泊度回次番号位等級点件条項章節頁"
    "人名様社校店組個箇か所軒戸棟室席基面台両隻機本枚冊部巻束箱函袋包缶瓶杯皿着足対式品種類色株輪玉"
    "粒錠滴匹頭羽口階段層列行桁字文通坪畳帖升合尺寸丁門灯つ"
)
"""What never begins a line after a digit; nor do squared units (㌔, ㏄) and katakana (3キロ)."""

INSEPARABLE = frozenset("…‥―—─⸺〳〴")
"""What is set twice to make one mark (……, ――): never torn from another of its kind."""

# Widths are sums of floats: a line that just fits may come out a hair too wide.
_TOLERANCE = 1e-3
_JOINERS = frozenset("._-+/@:#&'=%,±−¥＿－＋＠＆")
_DIGIT_GROUPS = frozenset("，．")
_LARGE_NUMBERS = frozenset("百千万億兆ヶヵ")


# Asked of each pair of neighbours on every page; there are few different ones.
@lru_cache(maxsize=1 << 14)
def can_break(before: str, after: str) -> bool:
    """Whether a line may end between two characters that follow each other."""
    if before == " ":
        return True
    if after == " " or after in NO_START or before in NO_END:
        return False
    return not (_is_number(before, after) or _is_word(before, after))


def line_ends(chars: Sequence[str], widths: Sequence[float], room: Sequence[float]) -> list[int]:
    """Where lines end: indexes into `chars`, the last being their number.

    `widths` are the characters' widths, `room` the lines' (the last holds for all that follow). A
    newline ends its line. A word longer than a line is broken where it must be.
    """
    ends: list[int] = []
    start = index = 0
    best = 0
    used = 0.0
    while index < len(chars):
        if index > start and can_break(chars[index - 1], chars[index]):
            best = index
        used += widths[index]
        # A space may stick out over the edge, where nobody sees it.
        too_wide = used > room[min(len(ends), len(room) - 1)] + _TOLERANCE
        if too_wide and index > start and chars[index] not in " \n":
            index = best if best > start else index
        elif chars[index] == "\n":
            index += 1
        else:
            index += 1
            continue
        ends.append(index)
        start = index
        best = index
        used = 0.0
    return ends if start == len(chars) else [*ends, len(chars)]


def install() -> None:
    """Make xhtml2pdf break every ``-pdf-word-wrap: CJK`` paragraph here."""
    reportlab_paragraph.Paragraph.breakLinesCJK = _break_lines


def _is_number(before: str, after: str) -> bool:
    """Whether both belong to one number, with what it counts: 1,200, 3個, 5キロ, 2万円."""
    if before.isdigit():
        return after in UNITS or "\u3300" <= after <= "\u33ff" or _katakana(after)
    if before in _DIGIT_GROUPS:
        return after.isdigit()
    return before in _LARGE_NUMBERS and after in UNITS


def _is_word(before: str, after: str) -> bool:
    """Whether both belong to one word, code, number or doubled mark (……)."""
    if before == after and after in INSEPARABLE:
        return True
    return (_in_word(before) and _in_word(after)) or (_katakana(before) and _katakana(after))


def _in_word(char: str) -> bool:
    """Whether `char` is of a number, a code or a word in Latin letters, full width or not."""
    is_latin = char < "\u0250" or "０" <= char <= "ｚ"
    return (is_latin and char.isalnum()) or char in _JOINERS


def _katakana(char: str) -> bool:
    return "ァ" <= char <= "ヺ" or char == "ー"


def _break_lines(paragraph: Any, width: Any) -> Any:
    """`Paragraph.breakLinesCJK`: the pieces of a paragraph as lines for ReportLab, be it one piece
    or many.
    """
    room: Sequence[float] = width if isinstance(width, list | tuple) else [width]
    units: list[Any] = []
    chars: list[str] = []
    for frag in paragraph.frags:
        # What has no text of its own (a picture, an empty piece) still takes its place in the line,
        # so it is one unit of no width.
        breaks = hasattr(frag, "lineBreak")
        text = "" if breaks else getattr(frag, "text", "") or ""
        units += [reportlab_paragraph.cjkU(char, frag, paragraph.encoding) for char in text or [""]]
        chars += ["\n"] if breaks else list(text) or ["\u200b"]
    lines: list[Any] = []
    start = 0
    for end in line_ends(chars, [unit.width for unit in units], room):
        last = end
        # A space before a line's end would push right-aligned text off its edge.
        if end < len(units) and end - start > 1 and units[end - 1] == " ":
            last = end - 1
        kept = units[start:last]
        space = room[min(len(lines), len(room) - 1)] - sum(unit.width for unit in kept)
        lines.append(reportlab_paragraph.makeCJKParaLine(kept, space, False))
        start = end
    # Lines of kind 1 are made of pieces with their own typefaces, those of kind 0 of plain text.
    return reportlab_paragraph.ParaLines(kind=1, lines=lines)
