"""The kinds of brand, each in a folder of its own; they never import one another."""

from portal.blueprints import facility, support
from portal.web.brand import Brand

_SALES = {"order": "EC", "quote": "Q"}
BRANDS: tuple[Brand, ...] = (
    facility.BRAND,
    Brand("molds", numbers=_SALES),
    Brand("rental", numbers={"application": "A"}),
    Brand("shop", numbers=_SALES),
    support.BRAND,
)
