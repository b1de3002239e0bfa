"""Browsers that are known to be a member's: told apart by a cookie of their own, kept as a digest.

A known device is not mailed about, still gets in while somebody else hammers at the member's name (security.md §4.5),
and, where the member said so, is not asked for the second step.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, select

from portal.core import clock
from portal.core.db import change, session
from portal.shared.auth.keyring import digest
from portal.shared.auth.models import Device
from portal.shared.auth.sessions import Client

LIFETIME = timedelta(days=400)


def _living(member_id: int) -> tuple[ColumnElement[bool], ...]:
    """Neither revoked nor long unseen."""
    return Device.member_id == member_id, Device.revoked_at.is_(None), Device.seen_at > clock.now() - LIFETIME


def find(member_id: int, token: str) -> Device | None:
    """The member's device that `token` stands for, unless it is revoked or long unseen."""
    ours = select(Device).where(Device.token_digest == digest(token), *_living(member_id))
    return session().scalars(ours).one_or_none() if token else None


def held(member_id: int) -> list[Device]:
    """The member's devices, the one used last first."""
    living = select(Device).where(*_living(member_id)).order_by(Device.seen_at.desc(), Device.id)
    return list(session().scalars(living))


def remember(member_id: int, client: Client) -> tuple[Device, str]:
    """A new device of the member, and its cookie's token. The caller commits."""
    return Device.issue(member_id=member_id, user_agent=client.user_agent[:200], seen_at=clock.now())


def is_trusted(device: Device | None) -> bool:
    """Whether the second step is left out on this device."""
    return bool(device and device.trusted_until and device.trusted_until > clock.now())


def trust_none(member_id: int) -> None:
    """Ask for the second step again on every device of a member."""
    change(Device, Device.member_id == member_id, Device.trusted_until.is_not(None), trusted_until=None)


def forget_all(member_id: int) -> None:
    """Revoke every device of a member: after a reset, a withdrawal, a "これは私ではありません"."""
    change(Device, Device.member_id == member_id, Device.revoked_at.is_(None), revoked_at=clock.now())
