"""The kinds of brand, each in a folder of its own; they never import one another."""

from portal.blueprints import facility, support
from portal.web.brand import Brand

BRANDS: tuple[Brand, ...] = (
    facility.BRAND,
    Brand("molds"),
    Brand("rental"),
    Brand("shop"),
    support.BRAND,
)
