"""The end of the second step: a right code turns the pending session into a real one (COM-13, RENT-05)."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from portal.core import audit, clock
from portal.core.actor import Actor
from portal.core.db import change, session
from portal.core.errors import NotFound, RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import codes, devices, second_factor, sessions, sign_in, throttling, totp
from portal.shared.auth import passkeys as keys
from portal.shared.auth.models import Factor, Member, MemberSession
from portal.shared.auth.sessions import Client
from portal.shared.auth.sign_in import Entry

_TRIED, _SENT_AGAIN = "second-step", "second-step-again"
_MOST_SENT_AGAIN = 5
_MOST_TRIES_AN_HOUR = 20
_HOUR = timedelta(hours=1)
_WRONG = msgid("認証コードが正しくないか、有効期限が切れています。もう一度ご確認ください。")
_GONE = msgid("ログインの有効期限が切れました。もう一度ログインしてください。")


class Gone(NotFound):
    """No sign-in waits for its second step here: begin again at the sign-in page."""

    def __init__(self) -> None:
        super().__init__(_GONE)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the page of the second step says."""

    factor: Factor
    email: str
    days: int
    has_passkey: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, or signed by a passkey; `trust` leaves the second step out on this device from now on."""

    code: str = field(repr=False)
    trust: bool = False
    passkey: str = field(default="", repr=False)


def look(tenant: Tenant, token: str) -> Waiting:
    """What `token`'s pending session waits for. Raises Gone."""
    member = session().get_one(Member, _pending(tenant, token).member_id)
    factor = second_factor.factor_of(tenant, member)
    has_passkey = tenant.sign_in.passkeys != "off" and bool(keys.held(member.id))
    return Waiting(factor, _veiled(member.email), tenant.sign_in.remember_device_days, has_passkey)


def to_sign(tenant: Tenant, token: str, client: Client, *, link_base: str) -> dict[str, Any]:
    """What the browser signs instead of a code. Commits. Raises Gone, or as `passkeys.to_sign`."""
    return keys.to_sign(tenant, client, link_base=link_base, member_id=_pending(tenant, token).member_id)


def send_again(tenant: Tenant, token: str) -> None:
    """Mail another code. Commits. Raises Gone; TooMany within a minute, and past five an hour, however begun."""
    waiting = _pending(tenant, token)
    member = Member.locked(waiting.member_id)
    if second_factor.factor_of(tenant, member) != Factor.MAIL:
        raise Gone
    try:
        codes.send(tenant, member, waiting)
        throttling.count(_SENT_AGAIN, f"member\n{member.id}", limit=_MOST_SENT_AGAIN, window=_HOUR)
    except throttling.TooMany:
        session().rollback()
        raise
    session().commit()


def finish(
    tenant: Tenant, token: str, typed: Typed, client: Client, *, link_base: str, device_token: str = ""
) -> Entry:
    """End the pending session and open the real one. Commits.

    A code that is wrong, expired, used or another's gives one and the same RuleBroken, as a passkey gives Unproved;
    raises Gone, or throttling.TooMany past the limits. Each try is counted, and stays so, before it is looked at.
    """
    waiting = _pending(tenant, token)
    session_id, member_id = waiting.id, waiting.member_id
    device = devices.find(member_id, device_token)
    # As at the password step: nobody else can fill the counter of a browser that is known (security.md §4.5).
    who = f"device\n{device.id}" if device else f"member\n{member_id}"
    with throttling.lasting():
        throttling.count(_TRIED, who, limit=_MOST_TRIES_AN_HOUR, window=_HOUR)
        code_id = codes.count_try(session_id)
    if code_id is None:
        with throttling.lasting():
            throttling.count(_TRIED, f"session\n{session_id}", limit=codes.MOST_TRIES, window=sign_in.PENDING)
    member = Member.locked(member_id)
    by = member.actor(client.address)
    if typed.passkey:
        _prove_passkey(tenant, member_id, typed.passkey, client, link_base=link_base)
    elif not _is_right(tenant, member, session_id, code_id, typed.code, by=by):
        session().rollback()
        raise RuleBroken(_WRONG, field="code")
    # Of those who come at the same moment, one is told that it ended the pending session.
    if not change(MemberSession, MemberSession.id == session_id, *sessions.waiting(), ended_at=clock.now()):
        session().rollback()
        raise Gone
    throttling.take_back(_TRIED, who)
    entry = sign_in.enter(tenant, member, client, link_base=link_base, device_token=device_token)
    if typed.trust:
        _trust(tenant, member, client, entry.device_token or device_token, by=by)
    session().commit()
    return entry


def _pending(tenant: Tenant, token: str) -> MemberSession:
    found = sessions.pending(token) if second_factor.is_offered(tenant) and token else None
    if found is None:
        raise Gone
    return found


def _is_right(tenant: Tenant, member: Member, session_id: int, code_id: int | None, typed: str, *, by: Actor) -> bool:
    """Use up what was typed, when it is right for what this member is asked for."""
    if second_factor.factor_of(tenant, member) != Factor.TOTP:
        return code_id is not None and codes.use(code_id, session_id, typed)
    if totp.use(member.id, member.totp_nonce, typed):
        return True
    if not codes.burn(member.id, typed):
        return False
    audit.record("member.use_recovery_code", member, by=by, left=codes.left(member.id))
    return True


def _prove_passkey(tenant: Tenant, member_id: int, answer: str, client: Client, *, link_base: str) -> None:
    """Raises NotFound, or Unproved; what was used up by then stays so."""
    keys.must_be_on(tenant)
    if keys.proved(answer, client, link_base=link_base, member_id=member_id) is None:
        session().commit()
        raise keys.Unproved(keys.UNPROVED)


def _trust(tenant: Tenant, member: Member, client: Client, device_token: str, *, by: Actor) -> None:
    days = tenant.sign_in.remember_device_days
    device = devices.find(member.id, device_token)
    if not days or device is None:
        return
    device.trusted_until = clock.now() + timedelta(days=days)
    audit.record("member.trust_device", member, by=by, browser=client.user_agent[:200], days=days)


def _veiled(email: str) -> str:
    """Enough of the address to know it by."""
    name, _at, host = email.partition("@")
    return f"{name[:1]}***@{host}"
