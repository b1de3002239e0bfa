"""メールアドレスの変更 (RENT-11, SHOP-03): the new address is proved before it counts, the old one
told.

Asked for with the present address and password, or through a link that only the old address gets;
the tenant says which. Links go to one address each, so that holding the session alone moves
nothing. RuleBroken names the field to blame, and a link stays alive then; a dead one raises
links.DeadLink.
"""

from datetime import timedelta

from portal.config import Tenant
from portal.core import Actor, NotFound, RuleBroken, audit, clock, session
from portal.shared import mailing
from portal.shared.accounts.models import Member, login_key
from portal.shared.accounts.operations import unique_login
from portal.shared.auth import devices, links, password_reset, present_password, throttling
from portal.shared.auth.sessions import SignedIn

UNDO = timedelta(days=14)
_MOST_ASKED = 5


def ask_with_password(
    tenant: Tenant, who: SignedIn, present: str, password: str, new: str, *, by: Actor
) -> None:
    """Mail the new address a link, given the present address and password (SHOP-03).

    Commits. Raises RuleBroken.
    """
    _must_be(tenant, "password")
    member = present_password.require(tenant, who, password)
    if not password_reset.is_own_email(member, present):
        raise RuleBroken("現在のメールアドレスが正しくありません。", field="present")
    _send_proof(tenant, member, new, by=by)
    session().commit()


def ask_old_address(tenant: Tenant, member_id: int, *, by: Actor) -> None:
    """メールアドレス変更依頼 (RENT-11): a link to where the new one is typed.

    The caller commits. Raises TooMany.
    """
    _must_be(tenant, "old_address")
    member = session().get_one(Member, member_id)
    _count(member)
    links.mail(tenant, member, links.Purpose.CHANGE_EMAIL, "email_change_asked")
    audit.record("member.ask_email_change", member, by=by)


def name_new(tenant: Tenant, token: str, new: str, *, address: str) -> None:
    """Take the new address through the old one's link, using that up, and mail the new one
    (RENT-11). Commits.
    """
    member, _link = links.use_locked(token, links.Purpose.CHANGE_EMAIL)
    _send_proof(tenant, member, new, by=member.actor(address))
    session().commit()


def _send_proof(tenant: Tenant, member: Member, new: str, *, by: Actor) -> None:
    """Mail the new address a link. Raises RuleBroken, throttling.TooMany.

    Whether somebody has the address already is not told here: only its holder learns it, by the
    link.
    """
    if new.casefold() == member.email.casefold():
        raise RuleBroken("現在と同じメールアドレスです。", field="email")
    _count(member)
    links.mail(
        tenant,
        member,
        links.Purpose.PROVE_EMAIL,
        "email_change_proof",
        to=new,
        payload={"email": new},
    )
    audit.record("member.name_new_email", member, by=by, email=new)


def confirm(tenant: Tenant, token: str, *, address: str) -> None:
    """The new address counts: its holder pressed the button.

    The old one is told, with a way back. Commits.
    """
    member, link = links.use_locked(token, links.Purpose.PROVE_EMAIL)
    old = member.email
    _set(tenant, member, link.payload["email"], by=member.actor(address))
    # The link back to an earlier address stays alive: whoever moved the account once would move it
    # again to kill that.
    links.revoke(member.id, links.Purpose.NOT_ME, *links.MOVING)
    links.mail(
        tenant,
        member,
        links.Purpose.UNDO_EMAIL,
        "email_changed_old",
        to=old,
        lifetime=UNDO,
        payload={"email": old},
        context={"new": member.email},
    )
    mailing.notify(tenant, "email_changed", member)
    session().commit()


def undo(tenant: Tenant, token: str, *, address: str) -> None:
    """The old address did not ask: back to it, all out, and a reset mailed there.

    Both are told. Commits. Links back to later addresses die; one back to an earlier address stays
    alive, and so has the last word. Raises as `confirm`.
    """
    member, link = links.use_locked(token, links.Purpose.UNDO_EMAIL)
    by = member.actor(address)
    taken_back = member.email
    _set(tenant, member, link.payload["email"], by=by)
    _tell_both(tenant, member, taken_back)
    devices.lock_out(member)
    links.revoke_later(link)
    password_reset.send_reset_link(tenant, member, by=by)
    session().commit()


def set_by_operator(tenant: Tenant, member: Member, new: str, *, by: Actor) -> None:
    """An operator's change, e.g. when a mailbox is lost.

    Both addresses are told. The caller commits.
    """
    old = member.email
    _set(tenant, member, new, by=by)
    links.revoke(member.id)
    _tell_both(tenant, member, old)


def _tell_both(tenant: Tenant, member: Member, old: str) -> None:
    """Mail the address of before and the present one that it was changed (COM-34)."""
    now = clock.now()
    for recipient in (old, member.email):
        mailing.compose(
            tenant, "email_changed", recipient, account_id=member.account_id, member=member, at=now
        )


def _set(tenant: Tenant, member: Member, email: str, *, by: Actor) -> None:
    # In a savepoint: the database alone knows whether somebody took the address meanwhile.
    with unique_login("email"):
        audit.record("member.email", member, by=by, email=[member.email, email])
        member.email = email
        member.login_key = login_key(tenant.sign_in.items, login_id=member.login_id, email=email)


def _must_be(tenant: Tenant, way: str) -> None:
    if tenant.sign_in.email_change != way:
        raise NotFound("ページが見つかりません")


def _count(member: Member) -> None:
    throttling.count(
        "email-change", f"member\n{member.id}", limit=_MOST_ASKED, window=timedelta(hours=1)
    )
