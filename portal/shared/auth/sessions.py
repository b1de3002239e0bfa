"""Sessions: a row in the database, a random token in the cookie. Ending a row ends the session
everywhere.

Browsers that a member has signed in with have a cookie of their own. A known one is not mailed
about, still gets in while somebody else hammers at the member's name (security.md §4.5), and, where
the member said so, is not asked for the second step.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, func, select

from portal.core import (
    Actor,
    Decision,
    clock,
    execute_core,
    gettext_noop,
    require_key,
    session,
    update_where,
)
from portal.core.signer import digest
from portal.shared.accounts.models import (
    Account,
    AccountStatus,
    Member,
    MemberStatus,
    Right,
    may,
    subject_of,
)
from portal.shared.auth import throttling
from portal.shared.auth.models import Device, MemberSession

TOUCH_EVERY = timedelta(minutes=5)
DEVICE_LIFETIME = timedelta(days=400)
ENDED = gettext_noop("ログインの有効期限が切れました。もう一度ログインしてください。")
"""What is said to whom nothing is open any more."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The member behind a request, with what every page needs of them; read in one query."""

    session_id: int
    member_id: int
    account_id: int
    name: str
    login_id: str
    login_key: str
    email: str
    account_name: str
    is_representative: bool
    rights: str
    tags: str
    must_change_password: bool
    locale: str
    seen_at: datetime
    proved_at: datetime | None
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    @property
    def subject(self) -> str:
        """How the audit trail names this member."""
        return subject_of(self.login_key, self.login_id, self.email)

    def may(self, right: Right) -> Decision:
        """Whether the account lets this member do such things; its representative may do all."""
        return may(right, is_representative=self.is_representative, rights=self.rights)

    def get_id(self) -> str:
        """Flask-Login's idea of an identity; the session row is ours."""
        return str(self.session_id)

    def actor(self, address: str) -> Actor:
        """This member as the audit trail names them."""
        return Actor("member", self.name, self.member_id, self.account_id, address)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from: its address, and the browser as it calls itself."""

    address: str = ""
    user_agent: str = ""

    @property
    def network(self) -> str:
        """What tries from here are counted by."""
        return throttling.network_of(self.address)


def open_session(
    member_id: int,
    client: Client,
    *,
    lifetime: timedelta,
    device_id: int | None = None,
    pending: bool = False,
) -> str:
    """Begin a session; returns the cookie's token.

    A `pending` one opens nothing: another takes its place.
    """
    now = clock.now()
    _row, token = MemberSession.issue(
        member_id=member_id,
        is_pending=pending,
        seen_at=now,
        proved_at=now,
        expires_at=now + lifetime,
        device_id=device_id,
        address=client.address[:45],
        user_agent=client.user_agent[:200],
    )
    return token


def pending(token: str) -> MemberSession | None:
    """The session that `token` stands for while it waits for the second step, or None."""
    of_members = select(MemberSession).join(Member, Member.id == MemberSession.member_id)
    ours = MemberSession.token_digest == digest(token), Member.status == MemberStatus.ACTIVE
    return session().scalars(of_members.where(*ours, *_running(pending=True))).one_or_none()


def end_pending(session_id: int) -> bool:
    """End a session that waits for the second step.

    Of those who come at the same moment, one is told that it did.
    """
    waiting = (MemberSession.id == session_id, *_running(pending=True))
    return update_where(MemberSession, *waiting, ended_at=clock.now()) == 1


def _running(*, pending: bool) -> tuple[ColumnElement[bool], ...]:
    unended = MemberSession.ended_at.is_(None), MemberSession.expires_at > clock.now()
    return MemberSession.is_pending.is_(pending), *unended


# Built once, on bare tables: this runs on every request (performance.md). The tenant is held to by
# hand here, and the SQL guard sees to it that it is.
_S = MemberSession.__table__
_M = Member.__table__
_A = Account.__table__
_LOOK_UP = (
    select(
        _S.c.id.label("session_id"),
        _M.c.id.label("member_id"),
        func.trim(_M.c.family_name + " " + _M.c.given_name).label("name"),
        _A.c.name.label("account_name"),
        _A.c.tags,
        _S.c.seen_at,
        _S.c.proved_at,
        _M.c.account_id,
        _M.c.login_id,
        _M.c.login_key,
        _M.c.email,
        _M.c.is_representative,
        _M.c.rights,
        _M.c.must_change_password,
        _M.c.locale,
    )
    .join(_M, (_M.c.tenant_id == _S.c.tenant_id) & (_M.c.id == _S.c.member_id))
    .join(_A, (_A.c.tenant_id == _M.c.tenant_id) & (_A.c.id == _M.c.account_id))
    .where(
        *(table.c.tenant_id == bindparam("tenant") for table in (_S, _M, _A)),
        _S.c.token_digest == bindparam("digest"),
        _S.c.ended_at.is_(None),
        _S.c.is_pending.is_(False),
        _S.c.expires_at > bindparam("now"),
        _S.c.seen_at > bindparam("idle"),
        _M.c.status == MemberStatus.ACTIVE.value,
        _A.c.status == AccountStatus.ACTIVE.value,
    )
)


def look_up(token: str, *, idle_minutes: int) -> SignedIn | None:
    """The member whose session `token` opens at the tenant in scope, or None.

    Ended, idle, removed or foreign.
    """
    now = clock.now()
    parameters = {
        "tenant": require_key(),
        "digest": digest(token),
        "now": now,
        "idle": now - timedelta(minutes=idle_minutes),
    }
    row = execute_core(_LOOK_UP, parameters).one_or_none()
    if row is None:
        return None
    return SignedIn(**row._mapping)


def touch(session_id: int) -> None:
    """Note that the session is in use; the caller commits."""
    # Not at every request (`TOUCH_EVERY`): a page that only reads would have to write.
    update_where(MemberSession, MemberSession.id == session_id, seen_at=clock.now())


def lock_session(session_id: int) -> bool:
    """Lock a living session, which nobody ends until the transaction does.

    Returns False when it has ended.
    """
    living = MemberSession.id == session_id, *_running(pending=False)
    # Nothing changes but the row's lock: whoever ends the session waits, or has ended it before.
    return update_where(MemberSession, *living, ended_at=None) == 1


def renew(session_id: int) -> str:
    """Note that the password was typed just now.

    Returns the session's new token (security.md §4.6). Whoever has the token from before the
    password was typed has nothing. The caller commits.
    """
    # A new token in the same row: whatever else names the session goes on naming it.
    token = secrets.token_urlsafe(32)
    update_where(
        MemberSession,
        MemberSession.id == session_id,
        *_running(pending=False),
        token_digest=digest(token),
        proved_at=clock.now(),
    )
    return token


def alive(member_id: int) -> list[MemberSession]:
    """Where the member is signed in, the one used last first (COM-15)."""
    running = select(MemberSession).where(
        MemberSession.member_id == member_id, *_running(pending=False)
    )
    return list(session().scalars(running.order_by(MemberSession.seen_at.desc(), MemberSession.id)))


def end(session_id: int) -> None:
    """End one session."""
    _end(MemberSession.id == session_id)


def end_replaced(token: str) -> None:
    """End the session that a browser had before it signed in anew, whoever's (security.md §4.6)."""
    if token:
        _end(MemberSession.token_digest == digest(token))


def end_all(member_id: int, *, but: int | None = None) -> None:
    """End every session of a member, except `but` (COM-15)."""
    # No session has the id 0: with `but` None all of them end.
    _end(MemberSession.member_id == member_id, MemberSession.id != (but or 0))


def _end(*criteria: ColumnElement[bool]) -> None:
    living = MemberSession.ended_at.is_(None)
    update_where(MemberSession, living, *criteria, ended_at=clock.now())


def _living(member_id: int) -> tuple[ColumnElement[bool], ...]:
    """Neither revoked nor long unseen."""
    return (
        Device.member_id == member_id,
        Device.revoked_at.is_(None),
        Device.seen_at > clock.now() - DEVICE_LIFETIME,
    )


def find_device(member_id: int, token: str) -> Device | None:
    """The member's device that `token` stands for, unless it is revoked or long unseen."""
    if not token:
        return None
    ours = select(Device).where(Device.token_digest == digest(token), *_living(member_id))
    return session().scalars(ours).one_or_none()


def devices(member_id: int) -> list[Device]:
    """The member's devices, the one used last first."""
    living = select(Device).where(*_living(member_id)).order_by(Device.seen_at.desc(), Device.id)
    return list(session().scalars(living))


def remember_device(member_id: int, client: Client) -> tuple[Device, str]:
    """A new device of the member, and its cookie's token. The caller commits."""
    return Device.issue(
        member_id=member_id, user_agent=client.user_agent[:200], seen_at=clock.now()
    )


def is_trusted(device: Device | None) -> bool:
    """Whether the second step is left out on this device."""
    return bool(device and device.trusted_until and device.trusted_until > clock.now())


def trust_none(member_id: int) -> None:
    """Ask for the second step again on every device of a member."""
    update_where(
        Device, Device.member_id == member_id, Device.trusted_until.is_not(None), trusted_until=None
    )


def forget_devices(member_id: int) -> None:
    """Revoke every device of a member: after a reset, a withdrawal, a "これは私ではありません"."""
    update_where(
        Device, Device.member_id == member_id, Device.revoked_at.is_(None), revoked_at=clock.now()
    )
