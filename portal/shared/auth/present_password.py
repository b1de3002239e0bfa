"""The one gate for every place that asks for the present password (security.md §4.5, §4.17).

A password that is right once is not enough: while it was hashed, its owner may have pressed
"これは私ではありません", replaced it, or signed the other browsers out. So `lock_member` compares
again, under the lock that all of those take. Nothing but this gate and the sign-in page verifies a
member's password (tests/meta/test_present_password.py; docs/decisions/present-password.md).
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from portal.config import Tenant
from portal.core import RuleBroken, gettext_noop, session, transaction_mode
from portal.core.security_log import reporting_refusals
from portal.shared.accounts.models import Member, MemberStatus
from portal.shared.auth import passwords, sessions, throttling
from portal.shared.auth.sessions import SignedIn

_WRONG = gettext_noop("現在のパスワードが正しくありません。")
_COUNTED_AS = "present-password"
_TIMES_A_MEMBER = 5
"""How many times the tenant's limit all sessions of a member may reach together."""


@dataclass(frozen=True, slots=True)
class CheckedPassword:
    """A present password that was right when it was checked, who typed it, and at which field."""

    who: SignedIn
    password_hash: str = field(repr=False)
    form_field: str


def require(
    tenant: Tenant, who: SignedIn, password: str, *, form_field: str = "password"
) -> Member:
    """Return the member, locked, if this is their present password.

    Raises as `check` and `lock_member`.
    """
    return lock_member(check(tenant, who, password, form_field=form_field))


def check(
    tenant: Tenant, who: SignedIn, password: str, *, form_field: str = "password"
) -> CheckedPassword:
    """Count a try and commit that, then verify `password`.

    No transaction is open meanwhile or after. Raises throttling.TooMany past the tenant's limit of
    tries, and RuleBroken at `form_field` for a wrong password.
    """
    with _reporting(who):
        # Counted before it is looked at: who breaks off the request has used a try all the same.
        with throttling.lasting():
            for subject, times in _counters(who):
                throttling.count_by(tenant.sign_in, _COUNTED_AS, subject, times=times)
        with transaction_mode("read"):
            password_hash: str = session().get_one(Member, who.member_id).password_hash
        if not passwords.verify(password_hash, password):
            raise RuleBroken(_WRONG, field=form_field)
    return CheckedPassword(who, password_hash, form_field)


def lock_member(checked: CheckedPassword) -> Member:
    """Return the member, locked until the caller commits, if password and session still hold.

    Rolls back and raises RuleBroken when the password was replaced meanwhile, or the session ended.
    """
    who = checked.who
    member = Member.locked(who.member_id)
    with _reporting(who):
        if member.status != MemberStatus.ACTIVE or not sessions.lock_session(who.session_id):
            session().rollback()
            raise RuleBroken(sessions.ENDED)
        if member.password_hash != checked.password_hash:
            session().rollback()
            raise RuleBroken(_WRONG, field=checked.form_field)
    # Right: only failures are to add up, so that nobody who knows it is ever told to wait.
    for subject, _times in _counters(who):
        throttling.take_back(_COUNTED_AS, subject)
    return member


def _counters(who: SignedIn) -> tuple[tuple[str, int], ...]:
    """What tries are counted by, and how many times the tenant's limit each may reach.

    Each session has its own count, so that whoever guesses in a stolen one does not keep the owner
    from replacing the password in theirs.
    """
    return ((f"session\n{who.session_id}", 1), (f"member\n{who.member_id}", _TIMES_A_MEMBER))


def _reporting(who: SignedIn) -> AbstractContextManager[None]:
    return reporting_refusals(
        "present_password.refused", member=who.member_id, session=who.session_id
    )
