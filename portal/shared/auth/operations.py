"""Coming in and going out: sign-in, passwords, one-time links. Used alike by pages and CLI."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select, update

from portal.core import audit, clock, text
from portal.core.actor import Actor
from portal.core.db import session, transaction_mode
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import SignIn, Tenant
from portal.shared import mailing
from portal.shared.auth import passwords, sessions, throttling
from portal.shared.auth.models import Account, AccountStatus, Member, MemberStatus, OneTimeLink

SET_PASSWORD = "set-password"  # noqa: S105 - a purpose, no secret
LINK_LIFETIME = timedelta(minutes=30)
INVITATION_LIFETIME = timedelta(days=3)
_SIGN_IN = "sign-in"
_WRONG = msgid("入力内容に誤りがあります。もう一度ご確認ください。")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a person typed to sign in; unused items are empty."""

    password: str = field(repr=False)
    login_id: str = ""
    email: str = ""


def login_key(items: str, *, login_id: str, email: str) -> str:
    """What must be unique at a brand whose sign-in asks for `items` (COM-10)."""
    parts = {
        "email_password": (email,),
        "login_id_password": (login_id,),
        "login_id_email_password": (login_id, email),
    }[items]
    return "\n".join(text.normalise(part).casefold() for part in parts)


def sign_in(tenant: Tenant, given: Credentials, *, address: str, user_agent: str) -> str:
    """Check the credentials and begin a session; returns the cookie's token. Commits.

    Every wrong item gives one and the same RuleBroken after the same work; past the limits, throttling.TooMany, also
    for members who do not exist (security.md §4.2, §4.5). No transaction is open while the password is hashed.
    """
    rules = tenant.sign_in
    key = login_key(rules.items, login_id=given.login_id, email=given.email)
    _count_try(rules, key, address)
    with transaction_mode("read"):
        found = (
            session()
            .execute(
                select(Member.id, Member.password_hash)
                .join(Account, Account.id == Member.account_id)
                .where(
                    Member.login_key == key,
                    Member.status == MemberStatus.ACTIVE,
                    Account.status == AccountStatus.ACTIVE,
                )
            )
            .one_or_none()
        )
    right = passwords.verify(found.password_hash if found else "", given.password)
    if not right or found is None:
        raise RuleBroken(_WRONG)
    anew = passwords.hash_password(given.password) if passwords.outdated(found.password_hash) else None
    for who, _factor in _counted(key, address):
        throttling.take_back(_SIGN_IN, who)
    return _begin(tenant, found.id, anew, address=address, user_agent=user_agent)


def _counted(key: str, address: str) -> tuple[tuple[str, int], ...]:
    """What tries are counted by, and how many times the tenant's limit each may reach."""
    return ((f"{key}\n{address}", 1), (f"address\n{address}", 10))


def _count_try(rules: SignIn, key: str, address: str) -> None:
    """Count this try before any hashing; the counts stay, whatever comes of it."""
    window = timedelta(minutes=rules.sign_in_window_minutes)
    try:
        for who, factor in _counted(key, address):
            throttling.count(_SIGN_IN, who, limit=rules.sign_in_tries * factor, window=window)
    finally:
        session().commit()


def _begin(tenant: Tenant, member_id: int, anew: str | None, *, address: str, user_agent: str) -> str:
    """Open the session of a member who has proved who they are."""
    member = session().get_one(Member, member_id)
    member.last_signed_in_at = clock.now()
    if anew:
        member.password_hash = anew
    token = sessions.open_session(
        member, hours=tenant.sign_in.absolute_hours, address=address, user_agent=user_agent
    )
    by = Actor("member", member.name, member.id, member.account_id, address)
    audit.record("member.sign_in", member.subject, by=by)
    if tenant.sign_in.notify_sign_in:
        mailing.compose(
            tenant, "sign_in", member.email, account_id=member.account_id, member=member, at=clock.now()
        )
    session().commit()
    return token


def sign_out(member: sessions.SignedIn, *, by: Actor) -> None:
    """End the session this member is using. Commits."""
    sessions.end(member.session_id)
    audit.record("member.sign_out", f"member:{member.login_id or member.email}", by=by)
    session().commit()


def change_password(
    tenant: Tenant, member_id: int, old: str, new: str, *, by: Actor, keep_session: int
) -> None:
    """Change a password, knowing the old one; ends the member's other sessions and clears a forced change. Commits.

    Raises RuleBroken at field ``old_password`` or ``password``.
    """
    with transaction_mode("read"):
        known = session().get_one(Member, member_id)
        old_hash, login_id, email = known.password_hash, known.login_id, known.email
    if not passwords.verify(old_hash, old):
        raise RuleBroken("現在のパスワードが正しくありません。", field="old_password")
    if old == new:
        raise RuleBroken("現在と同じパスワードは使えません。", field="password")
    passwords.check(new, rules=tenant.sign_in.password, login_id=login_id, email=email)
    _set_password(member_id, passwords.hash_password(new), by=by, keep_session=keep_session)
    member = session().get_one(Member, member_id)
    mailing.compose(
        tenant, "password_changed", email, account_id=member.account_id, member=member, at=clock.now()
    )
    session().commit()


def _set_password(member_id: int, password_hash: str, *, by: Actor, keep_session: int | None = None) -> None:
    member = session().get_one(Member, member_id)
    member.password_hash, member.must_change_password = password_hash, False
    sessions.end_all(member_id, but=keep_session)
    audit.record("member.set_password", member.subject, by=by, account_id=member.account_id)


def send_set_password_link(
    tenant: Tenant, member: Member, *, link_base: str, by: Actor, lifetime: timedelta = LINK_LIFETIME
) -> None:
    """Mail a link with which the member sets a password; earlier links die. The caller commits."""
    now = clock.now()
    session().execute(
        update(OneTimeLink)
        .where(
            OneTimeLink.member_id == member.id,
            OneTimeLink.purpose == SET_PASSWORD,
            OneTimeLink.used_at.is_(None),
        )
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    token = secrets.token_urlsafe(32)
    session().add(
        OneTimeLink(
            member_id=member.id,
            purpose=SET_PASSWORD,
            token_digest=sessions.digest(token),
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    audit.record("member.send_link", member.subject, by=by, account_id=member.account_id)
    mailing.compose(
        tenant,
        "set_password",
        member.email,
        account_id=member.account_id,
        member=member,
        link=f"{link_base}/set-password/{token}",
        until=now + lifetime,
    )


def link_member(token: str) -> int | None:
    """The id of the member whose set-password link `token` is alive, or None. Looking does not use it up.

    Who may not sign in any more has no link either.
    """
    return session().scalar(
        select(OneTimeLink.member_id)
        .join(Member, Member.id == OneTimeLink.member_id)
        .join(Account, Account.id == Member.account_id)
        .where(
            OneTimeLink.token_digest == sessions.digest(token),
            OneTimeLink.purpose == SET_PASSWORD,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > clock.now(),
            Member.status == MemberStatus.ACTIVE,
            Account.status == AccountStatus.ACTIVE,
        )
    )


def use_set_password_link(tenant: Tenant, token: str, new: str, *, address: str) -> None:
    """Set a password through a link, using it up; ends all sessions of the member. Commits.

    Raises RuleBroken when the link is dead (whatever the reason, one message) or the password may not be set.
    """
    dead = RuleBroken("このリンクは無効か、期限が切れています。お手数ですが、もう一度お手続きください。")
    with transaction_mode("read"):
        member_id = link_member(token)
        member = session().get(Member, member_id) if member_id else None
        if member is None:
            raise dead
        name, account_id, login_id, email = member.name, member.account_id, member.login_id, member.email
    passwords.check(new, rules=tenant.sign_in.password, login_id=login_id, email=email)
    password_hash = passwords.hash_password(new)
    used = (
        session()
        .execute(
            update(OneTimeLink)
            .where(
                OneTimeLink.token_digest == sessions.digest(token),
                OneTimeLink.used_at.is_(None),
                OneTimeLink.expires_at > clock.now(),
            )
            .values(used_at=clock.now())
            .returning(OneTimeLink.member_id)
            .execution_options(synchronize_session=False)
        )
        .one_or_none()
    )
    if used is None:
        session().rollback()
        raise dead
    _set_password(
        used.member_id, password_hash, by=Actor("member", name, used.member_id, account_id, address)
    )
    session().commit()
