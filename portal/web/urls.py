"""Addresses: which paths may be gone back to."""

from urllib.parse import quote, urlsplit

from flask import Request, url_for


def path_with_query(request: Request) -> str:
    """The path of this request with its query."""
    return request.full_path.rstrip("?")


def _leading_back(page: str, back_to: str = "") -> str:
    """The address of `page`, which leads back to the local path `back_to`."""
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
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return default
    if any(
        ord(c) < 0x20 for c in target
    ):  # first: urlsplit drops them and may then raise over what is left
        return default
    parts = urlsplit(target)
    return default if parts.scheme or parts.netloc else target
