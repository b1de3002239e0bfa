"""The present password, typed again for what matters (security.md §4.17)."""

from datetime import datetime, timedelta

from portal.core import clock
from portal.core.db import session, transaction_mode
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import passwords, second_factor, sessions, throttling
from portal.shared.auth.models import Member
from portal.shared.auth.sessions import SignedIn

GRACE = timedelta(minutes=30)
"""A form that was opened in time may be sent so much later: nobody loses what they typed."""
_PROOF = "proof"
_WRONG = msgid("現在のパスワードが正しくありません。")


def is_fresh(tenant: Tenant, proved_at: datetime | None, *, grace: timedelta = timedelta()) -> bool:
    """Whether the password was typed recently enough for what asks for it."""
    lasting = timedelta(minutes=tenant.sign_in.fresh_minutes) + grace
    return proved_at is not None and clock.now() - proved_at < lasting


def prove(tenant: Tenant, member_id: int, password: str) -> str:
    """Check the present password, counting tries first; no transaction is open while it is hashed.

    Returns the hash it was checked against, for who looks again under a lock. Raises RuleBroken at ``password``, or
    throttling.TooMany.
    """
    rules = tenant.sign_in
    window = timedelta(minutes=rules.sign_in_window_minutes)
    try:
        throttling.count(_PROOF, f"member\n{member_id}", limit=rules.sign_in_tries, window=window)
    finally:
        session().commit()
    with transaction_mode("read"):
        known: str = session().get_one(Member, member_id).password_hash
    if not passwords.verify(known, password):
        raise RuleBroken(_WRONG, field="password")
    throttling.take_back(_PROOF, f"member\n{member_id}")
    return known


def proved(tenant: Tenant, member_id: int, password: str) -> Member:
    """The member, locked, whose password is right and still the one that was checked. Raises as `prove`."""
    checked = prove(tenant, member_id, password)
    member = second_factor.locked(member_id)
    if member.password_hash != checked:
        session().rollback()
        raise RuleBroken(_WRONG, field="password")
    return member


def refresh(tenant: Tenant, who: SignedIn, password: str) -> None:
    """Let the present session do what needs a password typed just now. Commits. Raises as `prove`."""
    prove(tenant, who.member_id, password)
    sessions.prove(who.session_id)
    session().commit()
