"""Signing in and out: by password, second step or passkey (COM-10, COM-13, COM-14, RENT-05).

`sign_in` checks the password. Where a second step is due it opens a pending session, in whose place
`finish` puts a real one. Every way in ends in `_enter`.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select

from portal.config import Tenant
from portal.core import (
    Actor,
    NotFound,
    RuleBroken,
    audit,
    clock,
    gettext_noop,
    require,
    session,
    transaction_mode,
)
from portal.core.security_log import reporting_refusals
from portal.shared.accounts.models import (
    Factor,
    Member,
    MemberStatus,
    login_key,
    of_who_may_sign_in,
)
from portal.shared.auth import links, passkeys, passwords, second_factor, sessions, throttling
from portal.shared.auth.links import Purpose
from portal.shared.auth.models import MemberSession
from portal.shared.auth.sessions import Client

PENDING = timedelta(minutes=15)
NOT_ME = timedelta(days=14)
_SIGN_IN = "sign-in"
_TRIED = "second-step"
_WRONG_CODE = gettext_noop(
    "認証コードが正しくないか、有効期限が切れています。もう一度ご確認ください。"
)


class Gone(NotFound):
    """No sign-in waits for its second step here: begin again at the sign-in page."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the page of the second step says; of the address enough to know it by."""

    factor: Factor
    email: str
    days: int
    has_passkey: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, or signed by a passkey.

    `trust` leaves the second step out on this device from now on.
    """

    code: str = field(repr=False)
    trust: bool = False
    passkey: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a person typed to sign in; unused items are empty."""

    password: str = field(repr=False)
    login_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The session's token for the cookie.

    `device_token` is the device's, when it is new; `is_pending` says whether the second step is
    still to come.
    """

    token: str
    device_token: str | None = None
    is_pending: bool = False


def sign_in(
    tenant: Tenant,
    given: Credentials,
    client: Client,
    *,
    device_token: str = "",
    session_token: str = "",
) -> Entry:
    """Check the credentials and begin a session, pending where a second step is due. Commits.

    Every wrong item gives one and the same RuleBroken after the same work; past the limits,
    throttling.TooMany, also for members who do not exist (security.md §4.2, §4.5). No transaction
    is open while the password is hashed. `session_token`, which the browser had before, ends.
    """
    key = login_key(tenant.sign_in.items, login_id=given.login_id, email=given.email)
    with transaction_mode("read"):
        member_id, password_hash, device_id = _find(key, device_token)
    counters = _counters(tenant, key, client, device_id)
    with reporting_refusals("sign_in.refused", member=member_id or None, address=client.address):
        _count_tries(tenant, counters)
        if not passwords.verify(password_hash, given.password):
            raise RuleBroken(passkeys.WRONG)
        anew = None
        if passwords.outdated(password_hash):
            anew = passwords.hash_password(given.password)
        # Locked: who was locked, or whose password was changed, while it was hashed does not come
        # in any more.
        member = Member.locked(member_id)
        if member.password_hash != password_hash or member.status != MemberStatus.ACTIVE:
            raise RuleBroken(passkeys.WRONG)
    for who, _limit in counters:
        throttling.take_back(_SIGN_IN, who)
    if anew:
        member.password_hash = anew
    sessions.end_replaced(session_token)
    entry = _first_step_done(tenant, member, client, device_token)
    session().commit()
    return entry


def _count_tries(tenant: Tenant, counters: tuple[tuple[str, int], ...]) -> None:
    """Count a try by each of these. Commits. Raises throttling.TooMany."""
    window = timedelta(minutes=tenant.sign_in.sign_in_window_minutes)
    # Before any hashing: whoever sends thousands of tries is not to cost 25 ms with each.
    with throttling.lasting():
        for who, limit in counters:
            throttling.count(_SIGN_IN, who, limit=limit, window=window)


def _find(key: str, device_token: str) -> tuple[int, str, int | None]:
    """The member's id, password hash and device's id.

    No hash, which no password matches, where there is none.
    """
    named = select(Member.id, Member.password_hash).where(Member.login_key == key)
    row = session().execute(of_who_may_sign_in(named)).one_or_none()
    if row is None:
        return 0, "", None
    device = sessions.find_device(row.id, device_token)
    device_id = None if device is None else device.id
    return row.id, row.password_hash, device_id


def _counters(
    tenant: Tenant, key: str, client: Client, device_id: int | None
) -> tuple[tuple[str, int], ...]:
    """What tries are counted by, and how many each may reach; the last is for all of the tenant's.

    A device that the member has signed in with before has a counter of its own, which nobody else
    can fill: whoever hammers at a member's name, or at everybody's, never locks the member out
    (security.md §4.5).
    """
    tries = tenant.sign_in.sign_in_tries
    if device_id is not None:
        return ((f"device\n{device_id}", tries),)
    return (
        (f"{key}\n{client.network}", tries),
        (f"address\n{client.network}", tries * 10),
        (f"member\n{key}", tries * 5),
        ("everybody", tenant.sign_in.sign_in_tries_overall),
    )


def _first_step_done(tenant: Tenant, member: Member, client: Client, device_token: str) -> Entry:
    """In, or on to the second step.

    Raises throttling.TooMany for a member with ten mailed codes within the hour.
    """
    factor = second_factor.factor_of(tenant, member)
    if factor == Factor.OFF or sessions.is_trusted(sessions.find_device(member.id, device_token)):
        return _enter(tenant, member, client, device_token)
    token = sessions.open_session(member.id, client, lifetime=PENDING, pending=True)
    if factor == Factor.MAIL:
        throttling.count("second-step-begun", f"member\n{member.id}", limit=10)
        second_factor.send(tenant, member, _pending(tenant, token))
    return Entry(token, is_pending=True)


def _enter(tenant: Tenant, member: Member, client: Client, device_token: str) -> Entry:
    """Open the session of a member who has proved who they are, by whatever way in.

    The caller commits. A browser that is new for this member becomes a known device, and its token
    is for the browser to keep. The member is mailed about each sign-in, or about those from a new
    browser, as the tenant says (COM-14).
    """
    device = sessions.find_device(member.id, device_token)
    fresh_token = None
    if device is None:
        device, fresh_token = sessions.remember_device(member.id, client)
    device.seen_at = member.last_signed_in_at = clock.now()
    rules = tenant.sign_in
    is_new = fresh_token is not None
    browser = client.user_agent[:200]
    lifetime = timedelta(hours=rules.absolute_hours)
    token = sessions.open_session(member.id, client, lifetime=lifetime, device_id=device.id)
    audit.record("member.sign_in", member, by=member.actor(client.address), browser=browser)
    if rules.notify_sign_in or (is_new and rules.notify_new_device):
        links.mail(
            tenant,
            member,
            Purpose.NOT_ME,
            "sign_in",
            lifetime=NOT_ME,
            context={"browser": browser, "is_new": is_new},
        )
    return Entry(token, fresh_token)


def by_passkey(
    tenant: Tenant, answer: str, client: Client, *, device_token: str = "", session_token: str = ""
) -> Entry:
    """Begin a session by passkey.

    The one that the browser had before, `session_token`, ends. Commits. Raises NotFound, or
    Unproved in the words of a wrong password.
    """
    with reporting_refusals("passkey.refused", address=client.address):
        member = passkeys.proved(tenant, answer, client)
    sessions.end_replaced(session_token)
    entry = _enter(tenant, member, client, device_token)
    session().commit()
    return entry


def get_waiting(tenant: Tenant, token: str) -> Waiting:
    """What `token`'s pending session waits for. Raises Gone."""
    member = session().get_one(Member, _pending(tenant, token).member_id)
    factor = second_factor.factor_of(tenant, member)
    has_passkey = tenant.sign_in.passkeys != "off" and bool(passkeys.list_passkeys(member.id))
    name, _at, host = member.email.partition("@")
    return Waiting(
        factor=factor,
        email=f"{name[:1]}***@{host}",
        days=tenant.sign_in.remember_device_days,
        has_passkey=has_passkey,
    )


def request_options(tenant: Tenant, token: str, client: Client) -> passkeys.RequestOptions:
    """What the browser signs instead of a code.

    Commits. Raises Gone, or as `passkeys.request_options`.
    """
    return passkeys.request_options(tenant, client, member_id=_pending(tenant, token).member_id)


def send_again(tenant: Tenant, token: str) -> None:
    """Mail another code.

    Commits. Raises Gone; TooMany within a minute, and past five an hour, however begun.
    """
    waiting = _pending(tenant, token)
    member = Member.locked(waiting.member_id)
    if second_factor.factor_of(tenant, member) != Factor.MAIL:
        raise Gone(sessions.ENDED)
    throttling.count("second-step-again", f"member\n{member.id}", limit=5)
    second_factor.send(tenant, member, waiting)
    session().commit()


def finish(
    tenant: Tenant, token: str, typed: Typed, client: Client, *, device_token: str = ""
) -> Entry:
    """End the pending session and open the real one. Commits.

    A code that is wrong, expired, used or another's gives one and the same RuleBroken, as a passkey
    gives Unproved; raises Gone, or throttling.TooMany past the limits. Each try is counted, and
    stays so, before it is looked at.
    """
    waiting = _pending(tenant, token)
    session_id = waiting.id
    member_id = waiting.member_id
    device = sessions.find_device(member_id, device_token)
    # As at the password step: nobody else can fill the counter of a browser that is known
    # (security.md §4.5).
    who = f"device\n{device.id}" if device else f"member\n{member_id}"
    with reporting_refusals("second_step.refused", member=member_id, address=client.address):
        code_id = _count_try(session_id, who)
        member = Member.locked(member_id)
        by = member.actor(client.address)
        if typed.passkey:
            passkeys.proved(tenant, typed.passkey, client, member_id=member_id)
        elif not _is_right(tenant, member, session_id, code_id, typed.code, by=by):
            raise RuleBroken(_WRONG_CODE, field="code")
    if not sessions.end_pending(session_id):
        session().rollback()
        raise Gone(sessions.ENDED)
    throttling.take_back(_TRIED, who)
    entry = _enter(tenant, member, client, device_token)
    if typed.trust:
        _trust(tenant, member, client, entry.device_token or device_token, by=by)
    session().commit()
    return entry


def _count_try(session_id: int, who: str) -> int | None:
    """Count one try at the second step before it is looked at.

    Returns the mailed code's id, if there is one. Commits.
    """
    with throttling.lasting():
        throttling.count(_TRIED, who, limit=20)
    code_id = second_factor.count_try(session_id)
    # Committed apart from the count before: below, the two rows are locked the other way round, and
    # two tries at the same moment would wait for each other.
    session().commit()
    if code_id is None:
        subject = f"session\n{session_id}"
        with throttling.lasting():
            throttling.count(_TRIED, subject, limit=second_factor.MOST_TRIES, window=PENDING)
    return code_id


def _pending(tenant: Tenant, token: str) -> MemberSession:
    if not token or not second_factor.is_offered(tenant):
        raise Gone(sessions.ENDED)
    return require(sessions.pending(token), Gone(sessions.ENDED))


def _is_right(
    tenant: Tenant, member: Member, session_id: int, code_id: int | None, typed: str, *, by: Actor
) -> bool:
    """Use up what was typed, when it is right for what this member is asked for."""
    if second_factor.factor_of(tenant, member) != Factor.TOTP:
        return code_id is not None and second_factor.use_mailed(code_id, session_id, typed)
    if second_factor.use_app(member.id, member.totp_nonce, typed):
        return True
    if not second_factor.use_recovery_code(member.id, typed):
        return False
    audit.record(
        "member.use_recovery_code",
        member,
        by=by,
        left=second_factor.count_recovery_codes(member.id),
    )
    return True


def _trust(tenant: Tenant, member: Member, client: Client, device_token: str, *, by: Actor) -> None:
    days = tenant.sign_in.remember_device_days
    device = sessions.find_device(member.id, device_token)
    if days and device:
        device.trusted_until = clock.now() + timedelta(days=days)
        audit.record(
            "member.trust_device", member, by=by, browser=client.user_agent[:200], days=days
        )


def sign_out(member: sessions.SignedIn, *, by: Actor) -> None:
    """End the session this member is using. Commits."""
    sessions.end(member.session_id)
    audit.record("member.sign_out", member, by=by)
    session().commit()
