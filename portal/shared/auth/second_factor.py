"""The second step of signing in (COM-13): who is asked for it, what for, and how it begins.

`second_step` is how it ends; `factor_choice` is how members choose.
"""

from datetime import timedelta

from sqlalchemy import select

from portal.core.db import session
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import codes, sessions, throttling
from portal.shared.auth.models import Factor, Member

_BEGUN = "second-step-begun"
_MOST_BEGUN = 10
_HOUR = timedelta(hours=1)


def is_offered(tenant: Tenant) -> bool:
    """Whether the tenant has a second step at all."""
    return tenant.sign_in.second_factor != "off"


def factor_of(tenant: Tenant, member: Member) -> Factor:
    """What this member is asked for here: where all must, whoever has chosen nothing gets a mailed code."""
    if not is_offered(tenant):
        return Factor.OFF
    if member.second_factor == Factor.OFF and tenant.sign_in.second_factor == "required":
        return Factor.MAIL
    return member.second_factor


def is_due(tenant: Tenant, member: Member) -> bool:
    """Whether the member's password alone is not enough at this tenant."""
    return factor_of(tenant, member) != Factor.OFF


def begin(tenant: Tenant, member: Member, pending_token: str) -> None:
    """Begin the second step of a pending session: mail the code, where it is one. The caller commits.

    Raises throttling.TooMany for a member with ten of them within the hour.
    """
    waiting = sessions.pending(pending_token)
    if waiting is None or factor_of(tenant, member) != Factor.MAIL:
        return
    throttling.count(_BEGUN, f"member\n{member.id}", limit=_MOST_BEGUN, window=_HOUR)
    codes.send(tenant, member, waiting)


def locked(member_id: int) -> Member:
    """The member's row, locked and read anew: first of all rows, so that no two wait for each other for ever."""
    statement = select(Member).where(Member.id == member_id)
    return session().scalars(statement.with_for_update().execution_options(populate_existing=True)).one()
