"""Codes of authenticator apps: RFC 6238 with SHA-1, six digits, 30 seconds, as all apps have it (security.md §4.14).

The secret is stored nowhere: it is made from the server's key and a nonce (docs/decisions/totp-secret.md).
"""

import base64
import hmac
import re
import secrets

import pyotp

from portal.core import clock
from portal.core.db import change
from portal.shared.auth import keyring
from portal.shared.auth.models import Member

STEP_SECONDS = 30
_WINDOW = (0, -1, 1)  # a phone's clock may be off by one step


def new_nonce() -> str:
    """What makes a member's next secret another one. No secret itself."""
    return secrets.token_hex(16)


def is_nonce(text: str) -> bool:
    """Whether `text` has the shape of a nonce."""
    return re.fullmatch("[0-9a-f]{32}", text) is not None


def secret(member_id: int, nonce: str) -> str:
    """The secret as people type it into their app: base32."""
    return _base32(_secrets(member_id, nonce)[0])


def uri(secret_text: str, *, issuer: str, name: str) -> str:
    """What the QR code says, as apps read it (otpauth)."""
    return pyotp.TOTP(secret_text).provisioning_uri(name=name, issuer_name=issuer)


def step_of(member_id: int, nonce: str, typed: str) -> int | None:
    """The time-step that `typed` is right for: the present one, the one before or after; None when it is wrong."""
    now = int(clock.now().timestamp()) // STEP_SECONDS
    for key in _secrets(member_id, nonce):
        for step in (now + shift for shift in _WINDOW):
            if hmac.compare_digest(code_at(key, step).encode(), typed.encode()):
                return step
    return None


def use(member_id: int, nonce: str, typed: str) -> bool:
    """Whether `typed` is right and newer than the last code that was used: each time-step counts once."""
    step = step_of(member_id, nonce, typed)
    if step is None or not nonce:
        return False
    newer = Member.id == member_id, Member.totp_nonce == nonce, Member.totp_step < step
    return change(Member, *newer, totp_step=step) == 1


def code_at(key: bytes, step: int) -> str:
    """The six digits of a time-step (RFC 4226, §5.3)."""
    return pyotp.HOTP(_base32(key)).at(step)


def _base32(key: bytes) -> str:
    return base64.b32encode(key).decode()


def _secrets(member_id: int, nonce: str) -> list[bytes]:
    return [mac[:20] for mac in keyring.macs("totp", member_id, nonce)]
