"""Codes, secrets and tokens that a copy of the database does not give away: the server's keys prove
them.
"""

import hashlib
import hmac
from collections.abc import Iterable

from portal.tenancy.scope import require_key


class Signer:
    """The server's keys, the present one first, then those it is being rotated from; set by
    `create_app`.
    """

    keys: tuple[bytes, ...] = ()


def set_keys(keys: Iterable[str]) -> None:
    """Work with these keys, the present one first."""
    Signer.keys = tuple(key.encode() for key in keys)


def macs(purpose: str, *parts: object) -> list[bytes]:
    """HMAC-SHA256 of `parts` at the tenant in scope, by each key. The first is what is made now.

    No two purposes, tenants or records share one: all of them are part of what is signed.
    """
    if not Signer.keys:
        raise RuntimeError("the keyring is empty; create_app fills it")
    message = "\0".join(map(str, (purpose, require_key(), *parts))).encode()
    return [hmac.digest(key, message, hashlib.sha256) for key in Signer.keys]


def digests(purpose: str, *parts: object) -> list[str]:
    """The same as text, as it stands in the database."""
    return [mac.hex() for mac in macs(purpose, *parts)]


def number(kind: str, row_id: int) -> str:
    """What a row is called in addresses on the web: nobody counts through them, or makes one up."""
    return digests(f"number of {kind}", row_id)[0][:16]


def digest(token: str) -> str:
    """What is kept of a token: 256 random bits need neither key nor slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
