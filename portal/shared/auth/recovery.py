"""Ten codes that stand in for a lost authenticator app, each burnt by its use (security.md §4.15)."""

import secrets

from sqlalchemy import delete, func, select, update

from portal.core import clock
from portal.core.db import session
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
    session().execute(
        delete(RecoveryCode).where(RecoveryCode.member_id == member_id).execution_options(synchronize_session=False)
    )


def use(member_id: int, typed: str) -> bool:
    """Burn the code that `typed` is, written with or without its hyphen: true once."""
    burnt = (
        update(RecoveryCode)
        .where(
            RecoveryCode.member_id == member_id,
            RecoveryCode.used_at.is_(None),
            RecoveryCode.code_digest.in_(_digests(member_id, typed)),
        )
        .values(used_at=clock.now())
        .returning(RecoveryCode.id)
        .execution_options(synchronize_session=False)
    )
    return session().execute(burnt).scalar_one_or_none() is not None


def left(member_id: int) -> int:
    """How many of the member's codes are not used yet."""
    statement = select(func.count(RecoveryCode.id)).where(
        RecoveryCode.member_id == member_id, RecoveryCode.used_at.is_(None)
    )
    return session().scalar(statement) or 0


def _digests(member_id: int, code: str) -> list[str]:
    plain = code.replace("-", "").upper()
    return [mac.hex() for mac in keyring.macs("recovery-code", member_id, plain)]
