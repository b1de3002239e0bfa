"""Addresses: where a tenant lives, and which paths may be gone back to."""

from functools import partial
from urllib.parse import quote, urlsplit

from flask import Request

from portal.core.tenancy.schema import Tenant
from portal.settings import Settings


def host_of(tenant: Tenant, settings: Settings) -> str:
    """The tenant's host as a browser types it, with the port where it is not the usual one."""
    host = tenant.domains[0] if tenant.domains else f"{tenant.subdomain}.{settings.base_domain}"
    return f"{host}:{settings.port}" if settings.port else host


def base_of(tenant: Tenant, settings: Settings) -> str:
    """The start of the tenant's addresses, from the configuration and never from a Host header (security.md §4.8)."""
    return f"{settings.scheme}://{host_of(tenant, settings)}"


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
