"""Codes of the second step (COM-13, RENT-05): six mailed digits, bound to one pending session (security.md §4.13).

And ten recovery codes that stand in for a lost authenticator app, each burnt by its use (security.md §4.15).
"""

import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select

from portal.core import audit, clock
from portal.core.db import change, discard, session
from portal.core.tenancy.schema import Tenant
from portal.shared import mailing
from portal.shared.auth import keyring, throttling
from portal.shared.auth.models import Member, MemberSession, OneTimeCode, RecoveryCode

LIFETIME = timedelta(minutes=10)
MOST_TRIES = 5
PAUSE = timedelta(seconds=60)
HOW_MANY = 10
LENGTH = 10
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without those that look alike


def send(tenant: Tenant, member: Member, waiting: MemberSession) -> None:
    """Mail a new code; the session's earlier one dies. The caller commits. Raises TooMany within a minute."""
    throttling.count("second-step-sent", f"session\n{waiting.id}", limit=1, window=PAUSE)
    change(OneTimeCode, *_unused(waiting.id), used_at=clock.now())
    code, now = f"{secrets.randbelow(10**6):06}", clock.now()
    kept = OneTimeCode(member_id=member.id, session_id=waiting.id, code_digest=_digests(waiting.id, code)[0])
    kept.created_at, kept.expires_at = now, now + LIFETIME
    session().add(kept)
    audit.record("member.send_second_step", member, by=member.actor(waiting.address))
    mailing.tell(tenant, "second_step", member, code=code, until=now + LIFETIME)


def count_try(session_id: int) -> int | None:
    """Count a try at the session's living code, and say which; None when there is none or its tries are used up.

    One conditional UPDATE: whatever number of tries comes at the same moment, five are let through.
    """
    alive = (*_unused(session_id), OneTimeCode.expires_at > clock.now(), OneTimeCode.tries < MOST_TRIES)
    found = session().scalar(select(OneTimeCode.id).where(*alive))
    return found if found and change(OneTimeCode, *alive, tries=OneTimeCode.tries + 1) else None


def use(code_id: int, session_id: int, typed: str) -> bool:
    """Use the code up when `typed` is it: true once. The try is counted before."""
    right = OneTimeCode.id == code_id, OneTimeCode.code_digest.in_(_digests(session_id, typed))
    return change(OneTimeCode, *_unused(session_id), *right, used_at=clock.now()) == 1


def _unused(session_id: int) -> tuple[ColumnElement[bool], ...]:
    return OneTimeCode.session_id == session_id, OneTimeCode.used_at.is_(None)


def _digests(session_id: int, code: str) -> list[str]:
    return keyring.digests("mailed-code", session_id, code)


def renew(member_id: int) -> list[str]:
    """Ten new recovery codes, to be shown this once; the earlier ones are void. The caller commits."""
    void(member_id)
    fresh = ["".join(secrets.choice(_LETTERS) for _ in range(LENGTH)) for _ in range(HOW_MANY)]
    kept = ((_recovery_digests(member_id, code)[0], clock.now()) for code in fresh)
    session().add_all(RecoveryCode(member_id=member_id, code_digest=made, created_at=at) for made, at in kept)
    return [f"{code[:5]}-{code[5:]}" for code in fresh]


def void(member_id: int) -> None:
    """Void all recovery codes of a member."""
    discard(RecoveryCode, RecoveryCode.member_id == member_id)


def burn(member_id: int, typed: str) -> bool:
    """Burn the recovery code that `typed` is, written with or without its hyphen: true once."""
    right = RecoveryCode.code_digest.in_(_recovery_digests(member_id, typed))
    return change(RecoveryCode, *_unburnt(member_id), right, used_at=clock.now()) == 1


def left(member_id: int) -> int:
    """How many of the member's recovery codes are not used yet."""
    return session().scalar(select(func.count(RecoveryCode.id)).where(*_unburnt(member_id))) or 0


def _unburnt(member_id: int) -> tuple[ColumnElement[bool], ...]:
    return RecoveryCode.member_id == member_id, RecoveryCode.used_at.is_(None)


def _recovery_digests(member_id: int, code: str) -> list[str]:
    return keyring.digests("recovery-code", member_id, code.replace("-", "").upper())
