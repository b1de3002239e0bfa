"""Japanese line breaking (行頭・行末禁則) for xhtml2pdf, whose own tears numbers, words and pairs apart."""

from collections.abc import Sequence
from typing import Any

from xhtml2pdf import reportlab_paragraph

NO_START = frozenset(
    "、。，．・：；？！゛゜ヽヾゝゞ々ー）〕］｝〉》」』】｠〙〗〟’”»‐–〜～゠"
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ｡､･ｰﾞﾟ｣ｧｨｩｪｫｬｭｮｯ!?),.:;]}>／‼⁇⁈⁉※"
)
"""What never begins a line."""

NO_END = frozenset("（〔［｛〈《「『【｟〘〖〝‘“«([{<￥¥＄$£＃#〒№｢−第")
"""What never ends a line."""

UNITS = frozenset("%％‰℃°円個式箱台本枚名人件回階号番年月日時分秒週歳点部色㎜㎝㎞㎏㎡")
"""What never begins a line after a digit."""

_TOLERANCE = 1e-3
_JOINERS = frozenset("._-+/@:#&'=%,±−¥")


def can_break(before: str, after: str) -> bool:
    """Whether a line may end between two characters that follow each other."""
    if before == " ":
        return True
    if after == " " or after in NO_START or before in NO_END:
        return False
    if before.isdigit() and after in UNITS:
        return False
    return not ((_in_word(before) and _in_word(after)) or (_katakana(before) and _katakana(after)))


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


def _in_word(char: str) -> bool:
    return (char < "\u0250" and char.isalnum()) or char in _JOINERS


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
        breaks = hasattr(frag, "lineBreak")
        text = "" if breaks else getattr(frag, "text", "") or ""
        units += [reportlab_paragraph.cjkU(char, frag, paragraph.encoding) for char in text or [""]]
        chars += ["\n"] if breaks else list(text) or ["\u200b"]
    lines: list[Any] = []
    start = 0
    for end in line_ends(chars, [unit.width for unit in units], room):
        # A space before a line's end would push right-aligned text off its edge.
        hanging = end < len(units) and end - start > 1 and units[end - 1] == " "
        kept = units[start : end - hanging]
        space = room[min(len(lines), len(room) - 1)] - sum(unit.width for unit in kept)
        lines.append(reportlab_paragraph.makeCJKParaLine(kept, space, False))
        start = end
    return reportlab_paragraph.ParaLines(kind=1, lines=lines)
