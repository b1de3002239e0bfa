"""Yen: whole numbers only, as they are shown and as customers and operators type them."""

import re
import unicodedata

from portal.core.errors import RuleBroken

MINUS = "−"
LARGEST = 999_999_999_999
"""The largest amount that a page or a document has room for: a yen short of a trillion."""

# ▲ and △ are how bookkeepers write a minus; the others are what input methods make of one.
_DASHES = str.maketrans(dict.fromkeys("−‐‑–—―ー▲△", "-"))
_NUMBER = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)")


def grouped(number: int) -> str:
    """`number` with thousands separated and a real minus sign: ``−1,234``."""
    return f"{MINUS if number < 0 else ''}{abs(number):,}"


def yen(amount: int) -> str:
    """`amount` (yen) as a customer reads it: ``¥1,234``, ``−¥1,234``."""
    return f"{MINUS if amount < 0 else ''}¥{abs(amount):,}"


def parse_yen(text: str) -> int:
    """Whole yen as somebody typed it: full-width digits, commas, ¥ or 円.

    Raises RuleBroken, also above `LARGEST`.
    """
    plain = unicodedata.normalize("NFKC", text.translate(_DASHES)).translate(_DASHES)
    # In Japanese typefaces of old the backslash is the yen sign, and some keyboards still send it.
    plain = re.sub(r"\s", "", plain).replace("¥", "").replace("\\", "").removesuffix("円")
    if not _NUMBER.fullmatch(plain):
        raise RuleBroken("金額は整数（円）で入力してください。")
    digits = plain.replace(",", "")
    # Before int(), which refuses more than 4300 digits with an error of its own.
    if len(digits.lstrip("-0")) > len(str(LARGEST)):
        raise RuleBroken("金額が大きすぎます。")
    return int(digits)
