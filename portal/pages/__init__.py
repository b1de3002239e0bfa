"""Everything with an address over what brands share; `PAGES` are registered for all of them."""

from flask import Blueprint

from portal.pages import (
    account,
    auth,
    calendars,
    chats,
    contacts,
    documents,
    health,
    home,
    inquiries,
    knowledge,
    notices,
    registration,
)

_ALL = (
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
    calendars,
)
PAGES: tuple[Blueprint, ...] = tuple(module.bp for module in _ALL)
