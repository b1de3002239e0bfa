"""Mailed codes of six digits, bound to one pending session (COM-13, RENT-05, security.md §4.13)."""

import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, select

from portal.core import audit, clock
from portal.core.actor import Actor
from portal.core.db import change, session
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
    change(OneTimeCode, *_unused(waiting.id), used_at=clock.now())
    code, now = f"{secrets.randbelow(10**6):06}", clock.now()
    kept = OneTimeCode(member_id=member.id, session_id=waiting.id, code_digest=_digests(waiting.id, code)[0])
    kept.created_at, kept.expires_at = now, now + LIFETIME
    session().add(kept)
    by = Actor("member", member.name, member.id, member.account_id, waiting.address)
    audit.record("member.send_second_step", member, by=by)
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
    return [mac.hex() for mac in keyring.macs("mailed-code", session_id, code)]
