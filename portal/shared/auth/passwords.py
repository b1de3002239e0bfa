"""Password hashes: argon2id, as cheap as OWASP allows, and those of older systems until the first sign-in (COM-11).

Of older systems (OPS-13, RENT-27): bcrypt (``$2b$…``), and PBKDF2 and scrypt as written by Werkzeug
(``pbkdf2:sha256:600000$salt$hex``, ``scrypt:32768:8:1$salt$hex``) and Django (``pbkdf2_sha256$600000$salt$base64``).
"""

import base64
import re
import threading

from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher
from werkzeug.security import check_password_hash

from portal.core.errors import RuleBroken
from portal.core.tenancy.schema_password import PasswordRules
from portal.shared.auth import password_rules

_hasher = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_slots = threading.BoundedSemaphore(4)  # 19 MiB and a core each: a burst waits instead of starving the pages
_ABSENT = _hasher.hash("no member has this password")
_bcrypt = BcryptHasher()
_BCRYPT_READS = 72
"""bcrypt reads so many bytes and no further; systems of its time did not tell."""
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")  # above 16: seconds for each sign-in
_WERKZEUG = re.compile(r"(?:pbkdf2:sha(?:256|512):[0-9]{4,7}|scrypt:[0-9]{2,6}:[1-9]:[1-9])\$[^$]+\$[0-9a-f]+")
_DJANGO = re.compile(r"pbkdf2_sha256\$([0-9]{4,7})\$([^$]+)\$([A-Za-z0-9+/]{43}=)")


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
            return verify_legacy(password_hash, password)
        return _hasher.verify(password, password_hash or _ABSENT) and bool(password_hash)


def outdated(password_hash: str) -> bool:
    """Whether the hash was made in another way than today's, so that it is made anew at the next sign-in."""
    return not Argon2Hasher.identify(password_hash) or _hasher.check_needs_rehash(password_hash)


def is_legacy(password_hash: str) -> bool:
    """Whether this is an older system's hash that can be checked."""
    return any(kind.fullmatch(password_hash) for kind in (_WERKZEUG, _DJANGO, _BCRYPT))


def verify_legacy(password_hash: str, password: str) -> bool:
    """Whether `password` is the one hashed; what is no known hash is nobody's."""
    if "\0" in password:  # bcrypt refuses it, HMAC takes it for padding
        return False
    try:
        if _BCRYPT.fullmatch(password_hash):
            return _bcrypt.verify(password.encode()[:_BCRYPT_READS], password_hash)
        django = _DJANGO.fullmatch(password_hash)
        if django:
            rounds, salt, digest = django.groups()
            password_hash = f"pbkdf2:sha256:{rounds}${salt}${base64.b64decode(digest).hex()}"
        return bool(_WERKZEUG.fullmatch(password_hash)) and check_password_hash(password_hash, password)
    except ValueError:  # costs that nobody can pay
        return False


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
    who = password_rules.Context(login_id, email, names, brand)
    for rule in password_rules.broken(password, password_rules.rules_for(rules), who):
        raise RuleBroken(rule.refusal, field="password", **rule.params)
