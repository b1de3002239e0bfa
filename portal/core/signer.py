"""Codes, secrets and tokens that a copy of the database does not give away: the server's keys prove
them.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from portal.core.services import get_service
from portal.tenancy.scope import require_key


@dataclass(frozen=True, slots=True)
class Signer:
    """The server's keys, the present one first, then those that it is being rotated from."""

    keys: tuple[bytes, ...]

    @classmethod
    def of_secrets(cls, secrets: Iterable[str]) -> "Signer":
        """A signer with these secrets of the settings, the present one first."""
        return cls(tuple(secret.encode() for secret in secrets))


def signing_keys() -> tuple[bytes, ...]:
    """The keys of the application in context, the present one first."""
    return get_service(Signer).keys


def macs(purpose: str, *parts: object) -> list[bytes]:
    """HMAC-SHA256 of `parts` at the tenant in scope, by each key. The first is what is made now.

    No two purposes, tenants or records share one: all of them are part of what is signed.
    """
    # A zero byte between the parts, which none of them holds: ("ab", "c") is not ("a", "bc").
    message = "\0".join(map(str, (purpose, require_key(), *parts))).encode()
    return [hmac.digest(key, message, hashlib.sha256) for key in signing_keys()]


def digests(purpose: str, *parts: object) -> list[str]:
    """The same as hexadecimal text, as it stands in the database."""
    return [mac.hex() for mac in macs(purpose, *parts)]


def number(kind: str, row_id: int) -> str:
    """What a row is called in addresses on the web: nobody counts through them, or makes one up."""
    # 64 bits: more than anybody can try, and short enough for an address.
    return digests(f"number of {kind}", row_id)[0][:16]


def digest(token: str) -> str:
    """What is kept of a token: 256 random bits need neither key nor slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
