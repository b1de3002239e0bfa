"""A real Chromium. Import the fixtures `browser` and `page_for` into a conftest.

Each page belongs to a context of its own (cookies are not shared) and must end without a script error or a breach of
the content security policy.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]
DESKTOP, PHONE = 1280, 390
_HEIGHTS = {DESKTOP: 800, PHONE: 844}
# Chromium writes an error for every answer of 400 and up, htmx for every server that is gone: tests ask for both.
_EXPECTED = re.compile(
    r"Failed to load resource|htmx: htmx:(?:sse:)?error: (?:Failed to fetch|network error)"
)

PageFor = Callable[..., Page]


def launch(playwright: Any) -> Browser:
    """The system's Chromium, without a window and without traffic of its own."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        raise RuntimeError("Chromium is not installed")
    browser: Browser = playwright.chromium.launch(
        executable_path=executable, args=FLAGS, headless=True
    )
    return browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser a session."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def page_for(browser: Browser) -> Iterator[PageFor]:
    """`page_for(width, javascript=True, **options)`: a fresh page, 1280 or 390 wide; options as for a context."""
    contexts: list[BrowserContext] = []
    mistakes: list[str] = []

    def make(width: int = DESKTOP, *, javascript: bool = True, **options: Any) -> Page:
        settings = {
            "locale": "ja-JP",
            "timezone_id": "Asia/Tokyo",
            "has_touch": width == PHONE,
            **options,
        }
        viewport = {"width": width, "height": _HEIGHTS.get(width, 800)}
        context = browser.new_context(viewport=viewport, java_script_enabled=javascript, **settings)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.on("console", lambda message: mistakes.extend(_mistake(message)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not mistakes, "the browser complained:\n" + "\n".join(mistakes)


def _mistake(message: ConsoleMessage) -> list[str]:
    unexpected = message.type == "error" and not _EXPECTED.match(message.text)
    return [message.text] if unexpected else []
