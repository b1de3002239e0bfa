"""What every template sees: the shell's values, addresses of static files, and how dates and yen are written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from flask import Flask, g, get_flashed_messages, request
from flask_babel import get_locale
from flask_login import current_user
from flask_wtf.csrf import generate_csrf

from portal.core.clock import to_local
from portal.core.errors import msgid
from portal.core.money import yen
from portal.core.text import format_telephone
from portal.web.brand import NavItem, brands_of
from portal.web.bundle import bundle
from portal.web.i18n import translate
from portal.web.requests import settings
from portal.web.urls import path_with_query

_WEEKDAYS_JA = "月火水木金土日"
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
COMMON_NAVIGATION = (
    NavItem("会員情報の変更", "user-round", "/account/profile", primary=True, short=msgid("会員情報")),
    NavItem("お知らせ", "bell", "/notices", feature="notices"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A navigation entry as this page shows it."""

    label: str
    icon: str
    href: str
    primary: bool
    current: bool
    count: int | None = None
    short: str = ""


def on_date(value: date | datetime | None) -> str:
    """``2026/11/22(日)`` in Asia/Tokyo; nothing for None."""
    if value is None:
        return ""
    day = to_local(value) if isinstance(value, datetime) else value
    return _day(day)


def _day(day: date) -> str:
    weekday = (_WEEKDAYS_EN if g.get("lang") == "en" else _WEEKDAYS_JA)[day.weekday()]
    return f"{day.year}/{day.month:02d}/{day.day:02d}({weekday})"


def at_time(value: datetime | None) -> str:
    """``2026/11/22(日) 13:30`` in Asia/Tokyo; nothing for None."""
    if value is None:
        return ""
    return _moment(to_local(value))


def _moment(local: datetime) -> str:
    return f"{_day(local)} {local.hour:02d}:{local.minute:02d}"


def from_to(start: datetime, end: datetime) -> str:
    """A span of time, the second date left out when it is the same day."""
    first, last = to_local(start), to_local(end)
    if first.date() == last.date():
        return f"{_moment(first)}–{last.hour:02d}:{last.minute:02d}"
    return f"{_moment(first)} – {_moment(last)}"


def _navigation() -> list[Place]:
    """The member's places, the present one marked."""
    path = request.path
    items = [NavItem("マイページ", "house", "/", primary=True)]
    for brand in brands_of(g.tenant):
        items.extend(brand.navigation)
    items.extend(COMMON_NAVIGATION)
    return [
        Place(
            translate(item.label),
            item.icon,
            item.href,
            item.primary,
            path == item.href or (item.href != "/" and path.startswith(f"{item.href}/")),
            short=translate(item.short) if item.short else "",
        )
        for item in items
        if not item.feature or g.tenant.has(item.feature)
    ]


def _shell() -> dict[str, Any]:
    """The values that the layouts need; see layouts/page.html."""
    if "tenant" not in g:
        return {"tenant": None, "member": None, "locale": "ja", "request_id": g.get("request_id", "")}
    locale = str(get_locale())
    g.lang = locale
    who = current_user._get_current_object()
    signed_in = who.is_authenticated
    return {
        "tenant": g.tenant,
        "member": who if signed_in else None,
        "nav": _navigation() if signed_in else [],
        "locale": locale,
        "csrf": generate_csrf(),
        "theme_href": bundle().style_href(g.tenant),
        "script_href": bundle().script_href,
        "flashes": get_flashed_messages(with_categories=True),
        "demo_mailbox": "/demo/mailbox" if settings().demo else None,
        "request_id": g.get("request_id", ""),
        "language_href": "/language",
        "path": path_with_query(request) if request.method == "GET" else "/",
    }


def init_app(app: Flask) -> None:
    """Give templates their context, filters and `asset`."""
    versions: dict[str, str] = {}
    folder = Path(str(app.static_folder))

    def asset(path: str) -> str:
        """The address of a static file, with a digest of its content."""
        if path not in versions:
            content = (folder / path).read_bytes()
            versions[path] = f"/static/{path}?v={hashlib.sha256(content).hexdigest()[:10]}"
        return versions[path]

    app.context_processor(_shell)
    app.jinja_env.globals["asset"] = asset
    app.jinja_env.filters |= {
        "on_date": on_date,
        "at_time": at_time,
        "yen": yen,
        "telephone": format_telephone,
    }
    app.jinja_env.globals["from_to"] = from_to
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
