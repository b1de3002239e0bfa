"""Passwords being set: changed with the old one, or through a mailed link. Used alike by pages and CLI (COM-12)."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from portal.core import audit, clock
from portal.core.actor import Actor
from portal.core.db import session, transaction_mode
from portal.core.errors import RuleBroken
from portal.core.tenancy.schema import Tenant
from portal.shared import mailing
from portal.shared.auth import devices, links, password_rules, passwords, reset, sessions
from portal.shared.auth.links import DeadLink, Purpose
from portal.shared.auth.models import Account, Member

SETTING = (Purpose.SET_PASSWORD, Purpose.RESET_PASSWORD)
"""What links that set a password are for."""


def change_password(tenant: Tenant, member_id: int, old: str, new: str, *, by: Actor, keep_session: int) -> None:
    """Change a password, knowing the old one; ends the member's other sessions and clears a forced change. Commits.

    Raises RuleBroken at field ``old_password`` or ``password``.
    """
    with transaction_mode("read"):
        known = session().get_one(Member, member_id)
        old_hash, check = known.password_hash, _rules_of(tenant, known)
    if not passwords.verify(old_hash, old):
        raise RuleBroken("現在のパスワードが正しくありません。", field="old_password")
    if old == new:
        raise RuleBroken("現在と同じパスワードは使えません。", field="password")
    check(new)
    _set_password(member_id, passwords.hash_password(new), by=by, keep_session=keep_session)
    mailing.tell(tenant, "password_changed", session().get_one(Member, member_id))
    session().commit()


def _rules_of(tenant: Tenant, member: Member) -> Callable[[str], None]:
    """What raises RuleBroken for a password that this member may not set (COM-11)."""
    account = session().get_one(Account, member.account_id)
    return partial(
        passwords.check,
        rules=tenant.sign_in.password,
        login_id=member.login_id,
        email=member.email,
        names=(member.name, account.name),
        brand=password_rules.brand_words(tenant),
    )


def _set_password(member_id: int, password_hash: str, *, by: Actor, keep_session: int | None = None) -> None:
    """Set it; every other session ends, and every link that was mailed for this member dies (COM-15)."""
    member = session().get_one(Member, member_id)
    member.password_hash, member.must_change_password = password_hash, False
    sessions.end_all(member_id, but=keep_session)
    links.revoke(member_id)
    audit.record("member.set_password", member, by=by)


def send_set_password_link(
    tenant: Tenant,
    member: Member,
    *,
    link_base: str,
    by: Actor,
    purpose: Purpose = Purpose.SET_PASSWORD,
    lifetime: timedelta = links.LIFETIME,
) -> None:
    """Mail a link with which the member sets a password; earlier ones of its purpose die. The caller commits."""
    token = links.issue(member.id, purpose, lifetime=lifetime)
    audit.record("member.send_link", member, by=by)
    link, until = f"{link_base}/set-password/{token}", clock.now() + lifetime
    mailing.tell(tenant, "set_password", member, link=link, until=until)


def use_set_password_link(tenant: Tenant, token: str, new: str, *, address: str, email: str = "") -> None:
    """Set a password through a link, using it up; ends all sessions of the member. Commits.

    A reset forgets the member's known devices, so that it never skips a second step. `email` is what was typed where
    the tenant asks for it (SHOP-02). Raises links.DeadLink, or RuleBroken when the password may not be set; then the
    link stays alive.
    """
    with transaction_mode("read"):
        member = session().get_one(Member, links.peek(token, *SETTING).member_id)
        who = Actor("member", member.name, member.id, member.account_id, address)
        check = _rules_of(tenant, member)
        proved = not reset.proves_email(tenant) or reset.is_own_email(member, email)
    if not proved:
        raise RuleBroken("入力内容に誤りがあります。もう一度ご確認ください。")
    check(new)
    password_hash = passwords.hash_password(new)
    try:
        used = links.use(token, *SETTING)
    except DeadLink:
        session().rollback()
        raise
    devices.forget_all(used.member_id)
    _set_password(used.member_id, password_hash, by=who)
    mailing.tell(tenant, "password_changed", session().get_one(Member, used.member_id))
    session().commit()
