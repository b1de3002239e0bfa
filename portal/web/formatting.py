"""What every template sees: the shell's values, addresses of static files, and how dates and yen
are written.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial

from flask import Flask, current_app, g, request, url_for
from flask_babel import get_locale
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from portal.config import Tenant
from portal.core import dates, format_telephone, gettext_noop, yen
from portal.shared.auth.sessions import SignedIn
from portal.web import amounts, interrupted
from portal.web.brand import NavItem, brands_of, display_name, inquiry_words
from portal.web.bundle import asset, bundle
from portal.web.i18n import speaker, translate
from portal.web.password_rules import password_checklist
from portal.web.requests import settings
from portal.web.urls import path_with_query

_MAX_PIECES = 2_000
_pieces: dict[tuple[object, ...], tuple[Tenant, Markup]] = {}
_TOP = NavItem("マイページ", "house", "home.top", primary=True)
COMMON_NAVIGATION = (
    NavItem(
        "会員情報の変更",
        "user-round",
        "account.profile_form",
        primary=True,
        short=gettext_noop("会員情報"),
    ),
    NavItem("お知らせ", "bell", "notices.index", feature="notices"),
)


def _language() -> str:
    """The reader's language: a view may write a date before its template is drawn, which sets
    `g.lang`.
    """
    if "lang" not in g and "tenant" in g:
        g.lang = str(get_locale())
    return str(g.get("lang", "ja"))


def on_date(value: date | datetime | None) -> str:
    """``2026/11/22(日)`` in Asia/Tokyo; nothing for None."""
    if value is None:
        return ""
    return dates.on_date(value, _language())


def at_time(value: datetime | None) -> str:
    """``2026/11/22(日) 13:30`` in Asia/Tokyo; nothing for None."""
    if value is None:
        return ""
    return dates.at_time(value, _language())


def from_to(start: datetime, end: datetime) -> str:
    """A span of time, the second date left out when it is the same day."""
    return dates.from_to(start, end, _language())


def first_line(text: str | None) -> str:
    """The first line of a text, for lists; nothing for None."""
    lines = (text or "").strip().splitlines()
    return lines[0].strip() if lines else ""


_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_URL_END = ".,;:!?'*)]"
"""What ends a sentence rather than an address."""
_ANCHOR = Markup('<a href="{0}" rel="noopener noreferrer nofollow" data-hx-boost="false">{0}</a>')


def linked(text: str) -> Markup:
    """Plain text as HTML: its lines as they are, http and https addresses as links, all else
    escaped.

    Addresses are told by their own ASCII characters, because Japanese text has no blanks around
    them.
    """
    lines = (_linked_line(line) for line in text.splitlines())
    return Markup("<br>\n").join(lines)


def _linked_line(line: str) -> Markup:
    pieces: list[Markup] = []
    end = 0
    for found in _URL.finditer(line):
        address = found[0].rstrip(_URL_END)
        pieces.append(escape(line[end : found.start()]))
        pieces.append(_ANCHOR.format(address))
        end = found.start() + len(address)
    pieces.append(escape(line[end:]))
    return Markup("").join(pieces)


class Navigation:
    """The member's places, the present one marked; translated only when somebody walks through
    them.
    """

    def __init__(self, tenant: Tenant, path: str, who: SignedIn | None) -> None:
        self.items = _places(tenant, who) if who else {}
        matching = [href for href in self.items if _is_at(href, path)]
        self.here = max(matching, key=len, default="")  # /inquiries/new is no part of /inquiries

    def __iter__(self) -> Iterator[dict[str, object]]:
        """The entries in order, with `current` where the page is."""
        for href, item in self.items.items():
            yield {
                "href": href,
                "icon": item.icon,
                "label": translate(item.label),
                "short": translate(item.short) if item.short else "",
                "primary": item.primary,
                "current": href == self.here,
            }


def _places(tenant: Tenant, who: SignedIn) -> dict[str, NavItem]:
    """Where this member may go, by address, each once.

    Where several modules name a place, the first one's words stand for it, and it is there as soon
    as one of them shows it to the member: what the page itself asks for holds anyway.
    """
    of_brands = [item for brand in brands_of(tenant) for item in brand.navigation]
    first: dict[str, NavItem] = {}
    shown: set[str] = set()
    for item in (_TOP, *of_brands, *COMMON_NAVIGATION):
        href = item.href
        first.setdefault(href, item)
        if item.is_for(tenant, who):
            shown.add(href)
    return {href: item for href, item in first.items() if href in shown}


def _is_at(href: str, path: str) -> bool:
    return path == href or (href != "/" and path.startswith(f"{href}/"))


@pass_context
def cached_fragment(context: Context, template: str) -> Markup:
    """A piece of the page that is the same wherever brand, language and place are the same: drawn
    once, then kept.

    Such a piece shows nothing of the member and carries no token.
    """
    key = (template, *g.chrome)
    kept = _pieces.get(key)
    if kept is not None and kept[0] is g.tenant:
        return kept[1]
    if len(_pieces) > _MAX_PIECES:
        _pieces.clear()
    drawn = context.environment.get_template(template).render(context.get_all())
    piece = Markup(drawn)  # noqa: S704 - what a template drew is escaped already
    _pieces[key] = (g.tenant, piece)  # a reloaded tenant is another object, and so drawn anew
    return piece


def _demo_mailbox() -> str | None:
    """The address of the demo's mailbox, where the demo is part of the program."""
    is_there = settings().demo and "demo" in current_app.blueprints
    return url_for("demo.mailbox") if is_there else None


def _shell() -> dict[str, object]:
    """The values that the layouts need; see layouts/page.html."""
    if "tenant" not in g:
        return {
            "tenant": None,
            "member": None,
            "locale": "ja",
            "request_id": g.get("request_id", ""),
        }
    locale = str(get_locale())
    g.lang = locale
    look = bundle().style_href(g.tenant)
    user = current_user._get_current_object()
    who: SignedIn | None = user if user.is_authenticated else None
    navigation = Navigation(g.tenant, request.path, who)
    g.chrome = (g.tenant.key, locale, navigation.here, len(navigation.items), who and who.rights)
    return {
        "tenant": g.tenant,
        "member": who,
        "member_name": partial(display_name, g.tenant, who) if who else None,
        "inquiry_words": inquiry_words(g.tenant),
        "nav": navigation,
        "locale": locale,
        "_": speaker(),
        "csrf": generate_csrf(),
        "theme_href": look,
        "script_href": bundle().script_href,
        "demo_mailbox": _demo_mailbox(),
        "request_id": g.get("request_id", ""),
        "path": path_with_query(request) if request.method == "GET" else "/",
    }


def init_app(app: Flask) -> None:
    """Give templates their context, filters and functions."""
    app.context_processor(_shell)
    app.jinja_env.globals |= {
        made.__name__: made for made in (asset, cached_fragment, from_to, password_checklist)
    }
    app.jinja_env.globals |= {
        "page_token": interrupted.page_token,
        "filled_in_notice": interrupted.notice,
        "kept_form_waits": interrupted.waits,
    }
    filters = {
        "on_date": on_date,
        "at_time": at_time,
        "yen": amounts.written,
        "price": yen,
        "telephone": format_telephone,
        "until": from_to,
        "linked": linked,
        "first_line": first_line,
    }
    app.jinja_env.filters |= filters
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
