"""Mailed codes of six digits, bound to one pending session (COM-13, RENT-05, security.md §4.13)."""

import secrets
from datetime import timedelta

from sqlalchemy import update

from portal.core import audit, clock
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.tenancy.schema import Tenant
from portal.shared import mailing
from portal.shared.auth import keyring, throttling
from portal.shared.auth.factor_models import OneTimeCode
from portal.shared.auth.models import Member, MemberSession

LIFETIME = timedelta(minutes=10)
MOST_TRIES = 5
PAUSE = timedelta(seconds=60)
_SENT = "second-step-sent"


def send(tenant: Tenant, member: Member, waiting: MemberSession) -> None:
    """Mail a new code for the pending session; its earlier one dies. The caller commits.

    Raises throttling.TooMany within a minute of the session's last one.
    """
    throttling.count(_SENT, f"session\n{waiting.id}", limit=1, window=PAUSE)
    _kill(waiting.id)
    code, now = f"{secrets.randbelow(10**6):06}", clock.now()
    session().add(
        OneTimeCode(
            member_id=member.id,
            session_id=waiting.id,
            code_digest=_digests(waiting.id, code)[0],
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    by = Actor("member", member.name, member.id, member.account_id, waiting.address)
    audit.record("member.send_second_step", member.subject, by=by)
    mailing.compose(
        tenant,
        "second_step",
        member.email,
        account_id=member.account_id,
        member=member,
        code=code,
        until=now + LIFETIME,
    )


def count_try(session_id: int) -> int | None:
    """Count a try at the session's living code, and say which; None when there is none or its tries are used up.

    One conditional UPDATE: whatever number of tries comes at the same moment, five are let through.
    """
    tried = (
        update(OneTimeCode)
        .where(
            OneTimeCode.session_id == session_id,
            OneTimeCode.used_at.is_(None),
            OneTimeCode.expires_at > clock.now(),
            OneTimeCode.tries < MOST_TRIES,
        )
        .values(tries=OneTimeCode.tries + 1)
        .returning(OneTimeCode.id)
        .execution_options(synchronize_session=False)
    )
    return session().execute(tried).scalar_one_or_none()


def use(code_id: int, session_id: int, typed: str) -> bool:
    """Use the code up when `typed` is it: true once. The try is counted before."""
    used = (
        update(OneTimeCode)
        .where(
            OneTimeCode.id == code_id,
            OneTimeCode.session_id == session_id,
            OneTimeCode.used_at.is_(None),
            OneTimeCode.code_digest.in_(_digests(session_id, typed)),
        )
        .values(used_at=clock.now())
        .returning(OneTimeCode.id)
        .execution_options(synchronize_session=False)
    )
    return session().execute(used).scalar_one_or_none() is not None


def _kill(session_id: int) -> None:
    session().execute(
        update(OneTimeCode)
        .where(OneTimeCode.session_id == session_id, OneTimeCode.used_at.is_(None))
        .values(used_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def _digests(session_id: int, code: str) -> list[str]:
    return [mac.hex() for mac in keyring.macs("mailed-code", session_id, code)]
