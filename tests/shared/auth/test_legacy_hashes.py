"""OPS-13, RENT-27: hashes of older systems open the door once and are made anew by it."""

from __future__ import annotations

import base64
import hashlib

import bcrypt
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from werkzeug.security import generate_password_hash

from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.shared.auth import passwords
from portal.shared.auth import sign_in as entrance
from portal.shared.auth.sessions import Client
from portal.shared.auth.sign_in import Credentials

PASSWORD = "old-Pass-of-2019-茶"


def django(password: str, rounds: int = 1000) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"saltsalt", rounds)
    return f"pbkdf2_sha256${rounds}$saltsalt${base64.b64encode(digest).decode()}"


def with_bcrypt(password: str, prefix: bytes = b"2b") -> str:
    made = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4))
    return made.replace(b"$2b$", b"$" + prefix + b"$").decode()


MAKERS = {
    "bcrypt": with_bcrypt,
    "bcrypt of PHP": lambda password: with_bcrypt(password, b"2y"),
    "werkzeug pbkdf2": lambda password: generate_password_hash(password, "pbkdf2:sha256:1000"),
    "werkzeug pbkdf2 sha512": lambda password: generate_password_hash(
        password, "pbkdf2:sha512:1000"
    ),
    "werkzeug scrypt": lambda password: generate_password_hash(password, "scrypt:1024:8:1"),
    "django": django,
}
every_kind = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@every_kind
def test_the_first_sign_in_makes_the_hash_anew_and_a_wrong_password_does_not(
    here, brand, member, make
):
    """OPS-13: the old hash is gone after one sign-in, the same password goes on working."""
    member().password_hash = old = make(PASSWORD)
    session().commit()

    def come_in(password: str) -> str:
        given = Credentials(login_id="hanako", password=password)
        return entrance.sign_in(brand, given, Client()).token

    for wrong in ("", PASSWORD[:-1], PASSWORD + "x", old, "\0", f"{PASSWORD}\0"):
        with pytest.raises(RuleBroken, match="入力内容に誤り"):
            come_in(wrong)
        assert member().password_hash == old
    assert come_in(PASSWORD)
    assert Argon2Hasher.identify(member().password_hash)
    assert not passwords.outdated(member().password_hash)
    assert come_in(PASSWORD)


@every_kind
def test_passwords_that_are_long_or_hold_a_nul_are_wrong_and_crash_nothing(make):
    """OPS-13: a NUL ends no comparison early, nor is it taken for HMAC's padding."""
    kept = make(PASSWORD)
    for odd in ("x" * 100_000, f"{PASSWORD}\0", f"{PASSWORD}\0more", f"\0{PASSWORD}", "茶" * 5000):
        assert not passwords.verify(kept, odd)


def test_a_long_password_of_a_system_with_bcrypt_still_opens():
    """OPS-13: such a system read 72 bytes of it, and hashed no more."""
    assert passwords.verify(with_bcrypt("long " * 30), "long " * 30)


HOPELESS = [
    "",
    "green-Tea-and-72-cups",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
    "$2b$31$" + "a" * 53,
    "$2b$12$short",
    "pbkdf2:sha1:1000$salt$abc",
    "pbkdf2_sha256$99999999$salt$" + "a" * 43 + "=",
    "scrypt:32768:8:1$$abc",
    "md5$salt$abc",
]


@pytest.mark.parametrize("made", HOPELESS)
def test_what_is_no_hash_that_can_be_checked_is_nobodys(made):
    """OPS-13: unsalted, unknown, cut off, or of a cost that would hold the server up."""
    assert not passwords.is_legacy(made)
    assert not passwords.verify_legacy(made, "password")


@pytest.mark.parametrize("made", ["scrypt:999999:9:9$salt$abcdef", "scrypt:1000:8:1$salt$abcdef"])
def test_costs_that_cannot_be_are_a_wrong_password(made):
    """OPS-13: scrypt itself refuses them; nobody sees a page of ours break."""
    assert not passwords.verify(made, PASSWORD)
