"""Addresses: which paths may be gone back to."""

from functools import partial
from urllib.parse import quote, urlsplit

from flask import Request


def path_with_query(request: Request) -> str:
    """The path of this request with its query."""
    return request.full_path.rstrip("?")


def _leading_back(page: str, back_to: str = "") -> str:
    """The address of `page`, which leads back to the local path `back_to`."""
    if back_to in ("", "/") or local_path(back_to) != back_to:
        return page
    return f"{page}?next={quote(back_to, safe='/')}"


sign_in_url = partial(_leading_back, "/sign-in")
second_step_url = partial(_leading_back, "/sign-in/second-step")
proof_url = partial(_leading_back, "/account/proof")
"""The page that asks for the password once more."""


def local_path(target: str | None, default: str = "/") -> str:
    """`target` when it is a path of this host, else `default` (security.md §4.11)."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return default
    if any(
        ord(c) < 0x20 for c in target
    ):  # first: urlsplit drops them and may then raise over what is left
        return default
    parts = urlsplit(target)
    return default if parts.scheme or parts.netloc else target
