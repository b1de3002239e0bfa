"""メールアドレスの変更 (RENT-11, SHOP-03): the new address is proved before it counts, the old one told.

Asked for with the present address and password, or through a link that only the old address gets; the tenant says
which. Links go to one address each, so that holding the session alone moves nothing.
"""

from datetime import timedelta

from portal.core import audit, clock
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.core.tenancy.schema import Tenant
from portal.shared import mailing
from portal.shared.auth import links, reset, second_factor, security, throttling
from portal.shared.auth.enrolment import unique_login
from portal.shared.auth.links import Purpose
from portal.shared.auth.models import Member, OneTimeLink
from portal.shared.auth.proving import proved
from portal.shared.auth.sign_in import login_key

UNDO = timedelta(days=14)
_MOST_ASKED = 5


def ask_with_password(
    tenant: Tenant, member_id: int, present: str, password: str, new: str, *, by: Actor, link_base: str
) -> None:
    """Mail the new address a link, given the present address and password (SHOP-03). Commits.

    Raises RuleBroken at ``present``, ``password`` or ``email``; throttling.TooMany.
    """
    _must_be(tenant, "password")
    member = proved(tenant, member_id, password)
    if not reset.is_own_email(member, present):
        raise RuleBroken("現在のメールアドレスが正しくありません。", field="present")
    _send_proof(tenant, member, new, by=by, link_base=link_base)
    session().commit()


def ask_old_address(tenant: Tenant, member_id: int, *, by: Actor, link_base: str) -> None:
    """メールアドレス変更依頼: mail the old address a link to where the new one is typed (RENT-11). The caller commits.

    Raises throttling.TooMany.
    """
    _must_be(tenant, "old_address")
    member = session().get_one(Member, member_id)
    _count(member)
    token = links.issue(member.id, Purpose.CHANGE_EMAIL)
    audit.record("member.ask_email_change", member, by=by)
    link, until = f"{link_base}/change-email/{token}", clock.now() + links.LIFETIME
    mailing.tell(tenant, "email_change_asked", member, link=link, until=until)


def name_new(tenant: Tenant, token: str, new: str, *, address: str, link_base: str) -> None:
    """Take the new address through the old one's link, using that up, and mail the new one (RENT-11). Commits.

    Raises links.DeadLink, or RuleBroken at ``email``; then the link stays alive.
    """
    member = session().get_one(Member, links.use(token, Purpose.CHANGE_EMAIL).member_id)
    _send_proof(tenant, member, new, by=_by(member, address), link_base=link_base)
    session().commit()


def _send_proof(tenant: Tenant, member: Member, new: str, *, by: Actor, link_base: str) -> None:
    """Whether somebody has the new address already is not told here: only its holder learns it, by the link."""
    if new.casefold() == member.email.casefold():
        raise RuleBroken("現在と同じメールアドレスです。", field="email")
    _count(member)
    token = links.issue(member.id, Purpose.PROVE_EMAIL, payload={"email": new})
    audit.record("member.name_new_email", member, by=by, email=new)
    link, until = f"{link_base}/prove-email/{token}", clock.now() + links.LIFETIME
    _mail(tenant, "email_change_proof", member, new, link=link, until=until)


def confirm(tenant: Tenant, token: str, *, address: str, link_base: str) -> None:
    """The new address counts from now on: its holder pressed the button behind its link. Commits.

    Every other link of the member dies. The old address is told, with a link that takes all of it back. Raises
    links.DeadLink, or RuleBroken when somebody else signs in with that address.
    """
    member, link = _used(token, Purpose.PROVE_EMAIL)
    old = member.email
    _set(tenant, member, link.payload["email"], by=_by(member, address))
    links.revoke(member.id)
    undo = links.issue(member.id, Purpose.UNDO_EMAIL, lifetime=UNDO, payload={"email": old})
    _mail(tenant, "email_changed_old", member, old, new=member.email, link=f"{link_base}/undo-email/{undo}")
    mailing.tell(tenant, "email_changed", member)
    session().commit()


def undo(tenant: Tenant, token: str, *, address: str, link_base: str) -> None:
    """The old address says that it did not ask: back to it, everybody out, and a reset mailed there. Commits.

    Raises links.DeadLink, or RuleBroken when somebody else signs in with that address by now.
    """
    member, link = _used(token, Purpose.UNDO_EMAIL)
    by = _by(member, address)
    _set(tenant, member, link.payload["email"], by=by)
    security.lock_out(member)
    reset.send_link(tenant, member, link_base=link_base, by=by)
    session().commit()


def set_by_operator(tenant: Tenant, member: Member, new: str, *, by: Actor) -> None:
    """An operator's change, e.g. when a mailbox is lost. Both addresses are told. The caller commits.

    Raises RuleBroken when somebody else signs in with that address.
    """
    old = member.email
    _set(tenant, member, new, by=by)
    links.revoke(member.id)
    for recipient in (old, new):
        _mail(tenant, "email_changed", member, recipient)


def _used(token: str, purpose: Purpose) -> tuple[Member, OneTimeLink]:
    """The member, locked first as everywhere, and their link, used up. Raises links.DeadLink."""
    member = second_factor.locked(links.peek(token, purpose).member_id)
    return member, links.use(token, purpose)


def _set(tenant: Tenant, member: Member, email: str, *, by: Actor) -> None:
    with unique_login("email"):
        audit.record("member.email", member, by=by, email=[member.email, email])
        member.email = email
        member.login_key = login_key(tenant.sign_in.items, login_id=member.login_id, email=email)


def _must_be(tenant: Tenant, way: str) -> None:
    if tenant.sign_in.email_change != way:
        raise NotFound("ページが見つかりません")


def _count(member: Member) -> None:
    throttling.count("email-change", f"member\n{member.id}", limit=_MOST_ASKED, window=timedelta(hours=1))


def _by(member: Member, address: str) -> Actor:
    return Actor("member", member.name, member.id, member.account_id, address)


def _mail(tenant: Tenant, event: str, member: Member, recipient: str, **more: object) -> None:
    more |= {"member": member, "at": clock.now()}
    mailing.compose(tenant, event, recipient, account_id=member.account_id, **more)
