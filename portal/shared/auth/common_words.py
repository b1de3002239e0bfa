"""The words that everybody tries first (security.md §4.3): a list that is read once, and no network."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ANYWHERE = (
    *("password", "passw0rd", "12345678", "qwerty", "abcdef", "iloveyou", "letmein", "administrator"),
    *("pasuwado", "パスワード", "ぱすわーど"),
)
"""So common that they give a password away wherever they stand in it."""
FEWEST_CHARACTERS = 4
"""A password of fewer different characters is guessed, however long."""
_LEET: tuple[dict[int, int], ...] = (
    {},
    str.maketrans("0134578@$!", "oieastbasi"),
    str.maketrans("0134578@$!|", "oleastbasll"),
)
_APART = re.compile(r"[\W_][\W\d_]*\Z")
_AHEAD, _AFTER = re.compile(r"\A[\W\d_]+"), re.compile(r"[\W\d_]+\Z")


@cache
def common_words() -> frozenset[str]:
    """The list, casefolded: one word a line, whole passwords and stems alike."""
    text = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def is_common(password: str) -> bool:
    """Whether many people would think of `password`: a common word, also dressed up, doubled or as p4ssw0rd."""
    folded = password.casefold()
    if len(set(password)) < FEWEST_CHARACTERS or any(word in folded for word in ANYWHERE):
        return True
    return any(form in common_words() for form in _forms(folded))


def _forms(folded: str) -> Iterator[str]:
    """The words that may be behind a password: what stands around a stem taken off, and digits read as letters."""
    stem = _AFTER.sub("", folded)
    for cut in (folded, _APART.sub("", folded), stem, _AHEAD.sub("", stem)):
        for table in _LEET:
            word = cut.translate(table)
            half = len(word) // 2
            yield word
            if word[:half] == word[half:]:
                yield word[:half]
