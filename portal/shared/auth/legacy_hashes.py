"""Password hashes of older systems, accepted at import and replaced at the first sign-in (OPS-13, RENT-27).

bcrypt (``$2b$…``), and PBKDF2 and scrypt as Werkzeug (``pbkdf2:sha256:600000$salt$hex``, ``scrypt:32768:8:1$salt$hex``)
and Django (``pbkdf2_sha256$600000$salt$base64``) write them.
"""

import base64
import re

from pwdlib.hashers.bcrypt import BcryptHasher
from werkzeug.security import check_password_hash

_bcrypt = BcryptHasher()
_BCRYPT_READS = 72
"""bcrypt reads so many bytes and no further; systems of its time did not tell."""
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")  # above 16: seconds for each sign-in
_WERKZEUG = re.compile(r"(?:pbkdf2:sha(?:256|512):[0-9]{4,7}|scrypt:[0-9]{2,6}:[1-9]:[1-9])\$[^$]+\$[0-9a-f]+")
_DJANGO = re.compile(r"pbkdf2_sha256\$([0-9]{4,7})\$([^$]+)\$([A-Za-z0-9+/]{43}=)")


def is_known(password_hash: str) -> bool:
    """Whether this is a hash that `verify` can check."""
    kinds = (_WERKZEUG.fullmatch, _DJANGO.fullmatch, _BCRYPT.fullmatch)
    return any(kind(password_hash) for kind in kinds)


def verify(password_hash: str, password: str) -> bool:
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
