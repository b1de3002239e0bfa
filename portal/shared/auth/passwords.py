"""Passwords: argon2id, as cheap as OWASP allows, and the rules of what may be set (COM-11)."""

from __future__ import annotations

import re
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.core.errors import RuleBroken
from portal.core.tenancy.schema import PasswordRules

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_slots = threading.BoundedSemaphore(4)  # 19 MiB and a core each: a burst waits instead of starving the pages
_ABSENT = _hasher.hash("no member has this password")

PRESETS: dict[str, tuple[int, int, str]] = {
    "default": (12, 128, ""),
    "legacy-8-12": (8, 12, r"(?=.*[a-z])(?=.*[0-9])"),
    "legacy-6-20": (6, 20, r"(?=.*[A-Za-z])(?=.*[0-9])"),
}
_COMMON = ("password", "passw0rd", "12345678", "qwerty", "abcdef", "iloveyou", "letmein", "administrator")


def hash_password(password: str) -> str:
    """The argon2id hash of `password` (t=2, m=19 MiB, p=1). About 25 ms: never inside a write transaction."""
    with _slots:
        return _hasher.hash(password)


def verify(password_hash: str, password: str) -> bool:
    """Whether `password` is the one hashed. An empty hash costs the same time and is never right (COM-10)."""
    with _slots:
        try:
            _hasher.verify(password_hash or _ABSENT, password)
        except (VerificationError, InvalidHashError):
            return False
    return bool(password_hash)


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with other costs than today's, so that it is made anew at the next sign-in."""
    return _hasher.check_needs_rehash(password_hash)


def check(password: str, *, rules: PasswordRules, login_id: str = "", email: str = "") -> None:
    """Raise RuleBroken, naming the rule, when `password` may not be set under the tenant's `rules`."""
    shortest, longest, classes = PRESETS[rules.preset]
    shortest, longest = rules.min_length or shortest, rules.max_length or longest
    if len(password) < shortest:
        raise RuleBroken("パスワードは%(n)s文字以上で入力してください。", field="password", n=shortest)
    if len(password) > longest:
        raise RuleBroken("パスワードは%(n)s文字以内で入力してください。", field="password", n=longest)
    if classes and not re.match(classes, password):
        raise RuleBroken("パスワードには英字と数字の両方を使ってください。", field="password")
    lowered = password.casefold()
    if any(word and word.casefold() in lowered for word in (login_id, email.partition("@")[0])):
        raise RuleBroken("ログインIDやメールアドレスを含むパスワードは使えません。", field="password")
    if any(word in lowered for word in _COMMON) or len(set(password)) < 4:
        raise RuleBroken("推測されやすいパスワードは使えません。", field="password")
