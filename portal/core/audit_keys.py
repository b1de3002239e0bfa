"""The keys that mark events of the audit trail: only who has the server's secret can make such a
mark.

They are derived from the secret keys, so that a mark tells nothing about them and a leaked audit
key opens no session. docs/decisions/audit-chain.md says what becomes of them when a secret is
changed.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_PURPOSE = b"portal audit trail"
_KEY_ID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class AuditKey:
    """One derived key. `key_id` (8 hexadecimal digits) names it beside the marks it made."""

    key_id: str
    secret: bytes

    @classmethod
    def derive(cls, server_secret: str) -> "AuditKey":
        """The audit key of a server's secret key."""
        secret = hmac.digest(server_secret.encode(), _PURPOSE, hashlib.sha256)
        # Derived once more, so that the id beside each mark gives nothing of the key away.
        key_id = hmac.digest(secret, b"key id", hashlib.sha256).hex()[:_KEY_ID_LENGTH]
        return cls(key_id, secret)

    def mark(self, digest: str) -> str:
        """The mark (HMAC-SHA256, hexadecimal) of an event with this digest."""
        return hmac.digest(self.secret, digest.encode(), hashlib.sha256).hex()


class AuditKeys:
    """The keys of this process, the present one first; set by the application factory."""

    known: tuple[AuditKey, ...] = ()


def set_audit_keys(server_secrets: Iterable[str]) -> None:
    """Derive the keys from the server's secrets, the present one first, then its fallbacks."""
    AuditKeys.known = tuple(AuditKey.derive(secret) for secret in server_secrets)


def current_key() -> AuditKey:
    """The key that marks what happens now."""
    if not AuditKeys.known:
        raise RuntimeError("there are no audit keys; create_app sets them")
    return AuditKeys.known[0]


def check_mark(digest: str, *, key_id: str, mark: str) -> Literal["right", "wrong", "unknown key"]:
    """Whether `mark` was made for `digest` with the key of this id."""
    for key in AuditKeys.known:
        if key.key_id == key_id:
            # In constant time: a comparison that stops at the first difference tells a forger how
            # much of a mark is right.
            return "right" if hmac.compare_digest(key.mark(digest), mark) else "wrong"
    return "unknown key"
