"""Signing in and out: the password step, what follows it, and the session that comes of it (COM-10, COM-13, COM-14).

`sign_in` checks the password. Where a second step is due it opens a pending session, which `second_factor` turns into
a real one; otherwise `enter` opens the real one at once. Every way in ends in `enter`.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from portal.core import audit, clock
from portal.core.actor import Actor
from portal.core.db import session, transaction_mode
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import devices, links, passwords, second_factor, sessions, throttling
from portal.shared.auth.links import Purpose
from portal.shared.auth.models import Device, Factor, Member, MemberStatus, login_key, of_who_may_sign_in
from portal.shared.auth.sessions import Client

PENDING = timedelta(minutes=15)
NOT_ME = timedelta(days=14)
_SIGN_IN = "sign-in"
_WRONG = msgid("入力内容に誤りがあります。もう一度ご確認ください。")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a person typed to sign in; unused items are empty."""

    password: str = field(repr=False)
    login_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The session's token for the cookie; the device's, when it is new; whether the second step is still to come."""

    token: str
    device_token: str | None = None
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """What the password step reads of a member."""

    id: int
    password_hash: str
    device: Device | None


def sign_in(tenant: Tenant, given: Credentials, client: Client, *, link_base: str, device_token: str = "") -> Entry:
    """Check the credentials and begin a session, pending where a second step is due. Commits.

    Every wrong item gives one and the same RuleBroken after the same work; past the limits, throttling.TooMany, also
    for members who do not exist (security.md §4.2, §4.5). No transaction is open while the password is hashed.
    """
    key = login_key(tenant.sign_in.items, login_id=given.login_id, email=given.email)
    with transaction_mode("read"):
        found = _find(key, device_token)
    counters = _counters(key, client.address, found.device if found else None)
    with throttling.lasting():  # counted before any hashing
        for who, times in counters:
            throttling.count_by(tenant.sign_in, _SIGN_IN, who, times=times)
    right = passwords.verify(found.password_hash if found else "", given.password)
    if not right or found is None:
        raise RuleBroken(_WRONG)
    anew = passwords.hash_password(given.password) if passwords.outdated(found.password_hash) else None
    # Locked: who was locked, or whose password was changed, while it was hashed does not come in any more.
    member = Member.locked(found.id)
    if member.password_hash != found.password_hash or member.status != MemberStatus.ACTIVE:
        raise RuleBroken(_WRONG)
    for who, _times in counters:
        throttling.take_back(_SIGN_IN, who)
    if anew:
        member.password_hash = anew
    entry = _first_step_done(tenant, member, client, link_base=link_base, device_token=device_token)
    session().commit()
    return entry


def _find(key: str, device_token: str) -> _Known | None:
    named = select(Member.id, Member.password_hash).where(Member.login_key == key)
    row = session().execute(of_who_may_sign_in(named)).one_or_none()
    if row is None:
        return None
    device = devices.find(row.id, device_token)
    if device is not None:
        session().expunge(device)
    return _Known(row.id, row.password_hash, device)


def _counters(key: str, address: str, device: Device | None) -> tuple[tuple[str, int], ...]:
    """What tries are counted by, and how many times the tenant's limit each may reach.

    A device that the member has signed in with before has a counter of its own, which nobody else can fill: whoever
    hammers at a member's name never locks the member out (security.md §4.5).
    """
    if device is not None:
        return ((f"device\n{device.id}", 1),)
    return ((f"{key}\n{address}", 1), (f"address\n{address}", 10), (f"member\n{key}", 5))


def _first_step_done(tenant: Tenant, member: Member, client: Client, *, link_base: str, device_token: str) -> Entry:
    device = devices.find(member.id, device_token)
    if second_factor.factor_of(tenant, member) == Factor.OFF or devices.is_trusted(device):
        return enter(tenant, member, client, link_base=link_base, device_token=device_token)
    token = sessions.open_session(member.id, client, lifetime=PENDING, pending=True)
    second_factor.begin(tenant, member, token)
    return Entry(token, is_pending=True)


def enter(tenant: Tenant, member: Member, client: Client, *, link_base: str, device_token: str = "") -> Entry:
    """Open the session of a member who has proved who they are, by whatever way in. The caller commits.

    A browser that is new for this member becomes a known device, and its token is for the browser to keep.
    """
    device, fresh_token = devices.find(member.id, device_token), None
    if device is None:
        device, fresh_token = devices.remember(member.id, client)
    device.seen_at = member.last_signed_in_at = clock.now()
    lifetime = timedelta(hours=tenant.sign_in.absolute_hours)
    token = sessions.open_session(member.id, client, lifetime=lifetime, device_id=device.id)
    audit.record("member.sign_in", member, by=member.actor(client.address), browser=client.user_agent[:200])
    _tell(tenant, member, client, link_base, is_new=fresh_token is not None)
    return Entry(token, fresh_token)


def _tell(tenant: Tenant, member: Member, client: Client, link_base: str, *, is_new: bool) -> None:
    """Mail the member about this sign-in: each one, or those from a new browser, as the tenant says (COM-14)."""
    rules = tenant.sign_in
    if not rules.notify_sign_in and not (is_new and rules.notify_new_device):
        return
    said: dict[str, Any] = {"browser": client.user_agent[:200], "is_new": is_new}
    links.mail(tenant, member, Purpose.NOT_ME, "sign_in", link_base=link_base, lifetime=NOT_ME, **said)


def sign_out(member: sessions.SignedIn, *, by: Actor) -> None:
    """End the session this member is using. Commits."""
    sessions.end(member.session_id)
    audit.record("member.sign_out", member, by=by)
    session().commit()
