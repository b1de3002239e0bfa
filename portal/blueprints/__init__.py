"""Everything that has a URL. `BRANDS` are the kinds of brand, `BLUEPRINTS` the pages that all of them share."""

from flask import Blueprint

from portal.blueprints import (
    account,
    auth,
    chats,
    contacts,
    demo,
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

BRANDS: tuple[Brand, ...] = (facility.BRAND, Brand("molds"), Brand("rental"), Brand("shop"), support.BRAND)

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.bp,
    home.bp,
    auth.bp,
    registration.bp,
    account.bp,
    contacts.bp,
    inquiries.bp,
    chats.bp,
    documents.bp,
    notices.bp,
    knowledge.bp,
    demo.bp,
)
