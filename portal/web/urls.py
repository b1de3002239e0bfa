"""Addresses: which paths may be gone back to."""

from urllib.parse import quote, urlsplit

from flask import Request, url_for


def path_with_query(request: Request) -> str:
    """The path of this request with its query."""
    return request.full_path.rstrip("?")


def _leading_back(page: str, back_to: str) -> str:
    if back_to in ("", "/") or local_path(back_to) != back_to:
        return page
    return f"{page}?next={quote(back_to, safe='/')}"


def sign_in_url(back_to: str = "") -> str:
    """The sign-in page, which leads on to `back_to`."""
    return _leading_back(url_for("auth.sign_in"), back_to)


def second_step_url(back_to: str = "") -> str:
    """The page that asks for the second step, which leads on to `back_to`."""
    return _leading_back(url_for("auth.second_step"), back_to)


def proof_url(back_to: str = "") -> str:
    """The page that asks for the password once more, which leads on to `back_to`."""
    return _leading_back(url_for("account.proof"), back_to)


def local_path(target: str | None, default: str = "/") -> str:
    """`target` when it is a path of this host, else `default` (security.md §4.11)."""
    # Browsers read a backslash as a slash: //host and /\host are addresses of other hosts.
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return default
    # Before urlsplit, which drops control characters and may raise over what is left.
    if any(ord(character) < 0x20 for character in target):
        return default
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return default
    return target
