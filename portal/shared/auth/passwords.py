"""Passwords: argon2id, as cheap as OWASP allows, and the rules of what may be set (COM-11)."""

import threading

from pwdlib.hashers.argon2 import Argon2Hasher

from portal.core.errors import RuleBroken
from portal.core.tenancy.schema_password import PasswordRules
from portal.shared.auth import legacy_hashes, password_rules

_hasher = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_slots = threading.BoundedSemaphore(4)  # 19 MiB and a core each: a burst waits instead of starving the pages
_ABSENT = _hasher.hash("no member has this password")


def hash_password(password: str) -> str:
    """The argon2id hash of `password` (t=2, m=19 MiB, p=1). About 25 ms: never inside a write transaction."""
    with _slots:
        return _hasher.hash(password)


def verify(password_hash: str, password: str) -> bool:
    """Whether `password` is the one hashed. An empty hash costs the same time and is never right (COM-10).

    Hashes that a brand brought along from an older system are understood too, until the first sign-in (OPS-13).
    """
    with _slots:
        if password_hash and not Argon2Hasher.identify(password_hash):
            return legacy_hashes.verify(password_hash, password)
        return _hasher.verify(password, password_hash or _ABSENT) and bool(password_hash)


def outdated(password_hash: str) -> bool:
    """Whether the hash was made in another way than today's, so that it is made anew at the next sign-in."""
    return not Argon2Hasher.identify(password_hash) or _hasher.check_needs_rehash(password_hash)


def check(
    password: str,
    *,
    rules: PasswordRules,
    login_id: str = "",
    email: str = "",
    names: tuple[str, ...] = (),
    brand: tuple[str, ...] = (),
) -> None:
    """Raise RuleBroken at field ``password``, naming the first broken rule, when `password` may not be set.

    Only for setting: whoever has a password that the rules no longer allow still signs in with it.
    """
    context = password_rules.Context(login_id, email, names, brand)
    for rule in password_rules.broken(password, password_rules.rules_for(rules), context):
        raise RuleBroken(rule.refusal, field="password", **rule.params)
