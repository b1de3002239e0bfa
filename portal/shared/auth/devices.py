"""What members watch and stop: where they are signed in, "これは私ではありません" (COM-14, COM-15,
COM-90).
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from portal.config import Tenant
from portal.core import LONGEST_SUBJECT, Actor, AuditEvent, audit, clock, session, update_where
from portal.shared import mailing
from portal.shared.accounts.models import Member
from portal.shared.auth import links, passkeys, password_reset, sessions, sign_in
from portal.shared.auth.links import Purpose
from portal.shared.auth.models import Device, MemberSession, numbered
from portal.shared.auth.sessions import Client, SignedIn

NEWEST = 20
# What a browser calls itself has parts of others' names: the first that is found counts.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox|FxiOS": "Firefox",
    "Chrome|CriOS": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {mark: mark for mark in ("iPhone", "iPad", "Android", "Windows")}
_SYSTEMS |= {"Mac OS X": "Mac", "CrOS": "ChromeOS", "Linux": "Linux"}


@dataclass(frozen=True, slots=True)
class Visit:
    """One sign-in of the past."""

    at: datetime
    browser: str
    address: str


def browser_name(user_agent: str) -> str:
    """ "Chrome / Windows" for people; what says neither comes back as it is, cut."""
    both = (
        [name for mark, name in names.items() if re.search(mark, user_agent)]
        for names in (_BROWSERS, _SYSTEMS)
    )
    return " / ".join(found[0] for found in both if found) or user_agent[:40]


def places(tenant: Tenant, who: SignedIn) -> list[MemberSession]:
    """Where the member is signed in, the one used last first (COM-15).

    What has been idle too long is over.
    """
    idle = clock.now() - timedelta(minutes=tenant.sign_in.idle_minutes)
    return [row for row in sessions.alive(who.member_id) if row.seen_at > idle]


def visits(subject: str, account_id: int, limit: int) -> list[Visit]:
    """The newest sign-ins of the member whom the audit trail calls `subject` (COM-90, OPS-13)."""
    of_member = AuditEvent.subject == subject[:LONGEST_SUBJECT], AuditEvent.account_id == account_id
    found = select(AuditEvent).where(*of_member, AuditEvent.action == "member.sign_in")
    return [
        Visit(event.at, browser_name(str(event.changes.get("browser", ""))), event.address)
        for event in session().scalars(found.order_by(AuditEvent.sequence.desc()).limit(limit))
    ]


def end_session(who: SignedIn, number: str, *, by: Actor) -> bool:
    """End one of the member's sessions; returns whether it was the present one.

    Commits. Raises NotFound.
    """
    # The member first, as everywhere: whoever signs in or out at this moment waits.
    Member.locked(who.member_id)
    row = numbered(sessions.alive(who.member_id), number)
    if row.id == who.session_id:
        sign_in.sign_out(who, by=by)
        return True
    sessions.end(row.id)
    audit.record("member.end_session", who, by=by, browser=row.user_agent, ip=row.address)
    session().commit()
    return False


def end_other_sessions(who: SignedIn, *, by: Actor) -> None:
    """End every session of the member but the present one (COM-15). Commits."""
    Member.locked(who.member_id)
    sessions.end_all(who.member_id, but=who.session_id)
    audit.record("member.end_sessions", who, by=by)
    session().commit()


def forget_device(who: SignedIn, number: str, *, by: Actor) -> None:
    """Make a browser unknown, and end its sessions save the present one.

    Commits. Raises NotFound.
    """
    Member.locked(who.member_id)
    device = numbered(sessions.devices(who.member_id), number)
    update_where(
        Device, Device.id == device.id, Device.revoked_at.is_(None), revoked_at=clock.now()
    )
    for row in sessions.alive(who.member_id):
        if row.device_id == device.id and row.id != who.session_id:
            sessions.end(row.id)
    audit.record("member.forget_device", who, by=by, browser=device.user_agent)
    session().commit()


def not_me(tenant: Tenant, token: str, client: Client) -> None:
    """The member did not sign in.

    End all sessions, forget all devices, void the password, mail a reset. Commits. Passkeys go, and
    every other link that was mailed dies, but the one back to an earlier address: this button may
    stand in a mailbox that the intruder chose. Raises links.DeadLink; then nothing has changed.
    """
    member, _link = links.use_locked(token, Purpose.NOT_ME)
    by = member.actor(client.address)
    lock_out(member)
    audit.record("member.not_me", member, by=by)
    mailing.notify(tenant, "not_me", member)
    password_reset.send_reset_link(tenant, member, by=by)
    session().commit()


def lock_out(member: Member) -> None:
    """Leave nothing that lets anybody in: no password, session, link, known browser or passkey.

    Only links back to an earlier address stay alive.
    """
    # An empty hash is no password at all: `passwords.verify` never finds one right.
    member.password_hash = ""
    links.revoke(member.id, Purpose.NOT_ME, *links.MOVING)
    sessions.end_all(member.id)
    sessions.forget_devices(member.id)
    passkeys.forget_all(member.id)
