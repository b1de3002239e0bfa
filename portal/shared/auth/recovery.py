"""Ten codes that stand in for a lost authenticator app, each burnt by its use (security.md §4.15)."""

import secrets

from sqlalchemy import ColumnElement, func, select

from portal.core import clock
from portal.core.db import change, discard, session
from portal.shared.auth import keyring
from portal.shared.auth.factor_models import RecoveryCode

HOW_MANY = 10
LENGTH = 10
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without those that look alike


def renew(member_id: int) -> list[str]:
    """Ten new codes, to be shown this once; the earlier ones are void. The caller commits."""
    forget(member_id)
    fresh = ["".join(secrets.choice(_LETTERS) for _ in range(LENGTH)) for _ in range(HOW_MANY)]
    now = clock.now()
    session().add_all(
        RecoveryCode(member_id=member_id, code_digest=_digests(member_id, code)[0], created_at=now) for code in fresh
    )
    return [f"{code[:5]}-{code[5:]}" for code in fresh]


def forget(member_id: int) -> None:
    """Void all codes of a member."""
    discard(RecoveryCode, RecoveryCode.member_id == member_id)


def use(member_id: int, typed: str) -> bool:
    """Burn the code that `typed` is, written with or without its hyphen: true once."""
    right = RecoveryCode.code_digest.in_(_digests(member_id, typed))
    return change(RecoveryCode, *_unused(member_id), right, used_at=clock.now()) == 1


def left(member_id: int) -> int:
    """How many of the member's codes are not used yet."""
    return session().scalar(select(func.count(RecoveryCode.id)).where(*_unused(member_id))) or 0


def _unused(member_id: int) -> tuple[ColumnElement[bool], ...]:
    return RecoveryCode.member_id == member_id, RecoveryCode.used_at.is_(None)


def _digests(member_id: int, code: str) -> list[str]:
    plain = code.replace("-", "").upper()
    return [mac.hex() for mac in keyring.macs("recovery-code", member_id, plain)]
