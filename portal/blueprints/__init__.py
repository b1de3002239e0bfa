"""Everything that has a URL.

`BRANDS` are the kinds of brand, `BLUEPRINTS` the pages that all of them share.
"""

from flask import Blueprint

from portal.blueprints import (
    account,
    auth,
    chats,
    contacts,
    documents,
    facility,
    health,
    home,
    inquiries,
    knowledge,
    notices,
    registration,
    support,
)
from portal.web.brand import Brand

BRANDS: tuple[Brand, ...] = (
    facility.BRAND,
    Brand("molds"),
    Brand("rental"),
    Brand("shop"),
    support.BRAND,
)

_OF_ALL = (
    health,
    home,
    auth,
    registration,
    account,
    contacts,
    inquiries,
    chats,
    documents,
    notices,
    knowledge,
)
BLUEPRINTS: tuple[Blueprint, ...] = tuple(pages.bp for pages in _OF_ALL)
