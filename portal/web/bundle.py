"""What every page loads: one style sheet with the brand's colours at its end, one script; joined
once.

Together with the page and the icons that makes four requests for a first page.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from portal.config.schema import Tenant, theme_css
from portal.core import path_to

STATIC = Path(__file__).parent.parent / "static"
STYLE = "css/portal.css"
SCRIPTS = (
    "vendor/htmx.min.js",
    "vendor/hx-preload.min.js",
    "vendor/hx-sse.min.js",
    "js/counter.js",
    "js/failure.js",
    "js/focus.js",
    "js/menu.js",
    "js/once.js",
    "js/password.js",
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The common style sheet and the joined script; their addresses change with their content."""

    style: str
    style_digest: str
    script: str
    script_href: str

    def style_of(self, tenant: Tenant) -> str:
        """The whole style sheet of a brand."""
        return f"{self.style}\n{theme_css(tenant)}\n"

    def style_href(self, tenant: Tenant) -> str:
        """Its address, which changes with its content, so that a new look is never hidden by a
        cache.
        """
        version = self.style_digest + digest(theme_css(tenant).encode())
        return path_to("home.theme", v=version)


def digest(data: bytes) -> str:
    """A short digest."""
    return hashlib.sha256(data).hexdigest()[:10]


def join(static: Path) -> Bundle:
    """Read the files."""
    style = (static / STYLE).read_text(encoding="utf-8")
    # The empty statement: a script whose last line lacks its semicolon would go on in the next.
    script = "\n;\n".join((static / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return Bundle(
        style, digest(style.encode()), script, path_to("home.script", v=digest(script.encode()))
    )


@cache
def bundle() -> Bundle:
    """The files that every page loads, read once."""
    return join(STATIC)


@cache
def asset(path: str) -> str:
    """The address of a static file, with a digest of its content."""
    return path_to("static", filename=path, v=digest((STATIC / path).read_bytes()))
