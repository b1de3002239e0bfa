"""The sentences and labels of pages, as message ids: what a brand may say in its own words."""

import difflib
import re
from functools import cache
from pathlib import Path

from babel.messages.mofile import read_mo

_CATALOGUE = Path(__file__).parent.parent / "translations" / "en" / "LC_MESSAGES" / "messages.mo"
_PLACEHOLDER = re.compile(r"%\((\w+)\)")


@cache
def known_messages() -> frozenset[str]:
    """Every message id there is: the catalogue holds what the program says and no more."""
    with _CATALOGUE.open("rb") as file:
        return frozenset(str(message.id) for message in read_mo(file) if message.id)


def check_message(message: str) -> str:
    """Refuse what no page says, with what was probably meant. Raises ValueError."""
    known = known_messages()
    if message in known:
        return message
    near = difflib.get_close_matches(message, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"no page says {message!r}{hint}")


def check_word(message: str, word: str) -> None:
    """Refuse a word that cannot stand for its message: what is put in there must be put in here.

    Raises ValueError.
    """
    wanted = set(_PLACEHOLDER.findall(message))
    given = set(_PLACEHOLDER.findall(word))
    if given != wanted:
        names = ", ".join(f"%({name})s" for name in sorted(wanted)) or "nothing"
        raise ValueError(f"{message!r} is filled with {names}; {word!r} must be too")
    try:
        word % dict.fromkeys(wanted, "") if wanted else word
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{word!r} cannot be filled in: {error}") from error
