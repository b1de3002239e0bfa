"""A password is verified where tries are counted: sign-in, the gate, a registration (security.md §4.5, §4.17)."""

from __future__ import annotations

import ast
from typing import TypeGuard

import pytest

from tests.meta.counts import ROOT, files

VERIFYING = {"verify", "verify_legacy", "check_password_hash", "_hasher", "_bcrypt"}
"""What says whether a password is the one hashed, in `passwords` and in the libraries below it."""
HOME = "portal/shared/auth/passwords.py"
GATE = "portal/shared/auth/present_password.py"
SIGN_IN = "portal/shared/auth/sign_in.py"
REGISTRATION = "portal/shared/members/registration.py"
"""The password of nobody yet: five tries, as many as its code has."""
LIBRARIES = {"werkzeug", "pwdlib", "argon2", "bcrypt"}


def verified_in(source: str) -> list[int]:
    """The lines that call, import or compare what only gate and sign-in may."""
    return [node.lineno for node in ast.walk(ast.parse(source)) if _verifies(node)]


def _verifies(node: ast.AST) -> TypeGuard[ast.expr | ast.stmt]:
    if isinstance(node, ast.Attribute):
        of = node.value.id if isinstance(node.value, ast.Name) else ""
        return node.attr in VERIFYING and of in {"passwords", "_hasher"}
    if isinstance(node, ast.ImportFrom):
        return _is_from_a_verifier(node)
    return isinstance(node, ast.Compare) and _compares_with_a_new_hash(node)


def _is_from_a_verifier(node: ast.ImportFrom) -> bool:
    module = node.module or ""
    if module != "portal.shared.auth.passwords" and module.partition(".")[0] not in LIBRARIES:
        return False
    names = [alias.name for alias in node.names]
    return any(name in VERIFYING or name.endswith(("Hasher", "Hash")) for name in names)


def _compares_with_a_new_hash(node: ast.Compare) -> bool:
    """``password_hash == hash_password(typed)``, which is always false, and one of these days is made true."""
    calls = [side.func for side in (node.left, *node.comparators) if isinstance(side, ast.Call)]
    names = [call.attr if isinstance(call, ast.Attribute) else ast.unparse(call) for call in calls]
    return "hash_password" in names


def test_a_password_is_verified_where_tries_are_counted_only() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for folder in ("portal", "demo", "scripts")
        for path in files(folder, "*.py")
        if (lines := verified_in(path.read_text("utf-8")))
    }
    assert set(found) == {HOME, GATE, SIGN_IN, REGISTRATION}, found


def test_each_of_them_verifies_once() -> None:
    for path in (GATE, SIGN_IN, REGISTRATION):
        assert len(verified_in((ROOT / path).read_text("utf-8"))) == 1, path


@pytest.mark.parametrize(
    "source",
    [
        "passwords.verify(member.password_hash, typed)",
        "from portal.shared.auth.passwords import verify",
        "check = passwords.verify\ncheck(a, b)",
        "passwords.verify_legacy(kept, typed)",
        "from werkzeug.security import check_password_hash",
        "from argon2 import PasswordHasher",
        "from pwdlib.hashers.argon2 import Argon2Hasher",
        "passwords._hasher.verify(typed, kept)",
        "member.password_hash == passwords.hash_password(typed)",
    ],
)
def test_a_planted_comparison_is_found(source: str) -> None:
    assert verified_in(source)


def test_what_only_makes_a_hash_is_no_comparison() -> None:
    assert not verified_in("member.password_hash = passwords.hash_password(typed)")
    assert not verified_in("member.password_hash != checked.password_hash")
