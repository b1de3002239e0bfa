"""Registration (MOLD-01): what somebody typed waits until a mailed link, or the code beside it, proves the address.

One answer whoever has the address already: its holder is mailed that they are registered, nobody else learns it.
Whoever holds the address need not be who typed: behind the link, in another browser than that, a password of their
own is set, so that no stranger's opens the account.
"""

import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, select

from portal.core import (
    Actor,
    RuleBroken,
    Tenant,
    clock,
    delete_where,
    gettext_noop,
    require,
    session,
    transaction_mode,
    update_where,
)
from portal.shared import mailing
from portal.shared.auth import account_hooks, accounts, members, passwords, signer, throttling
from portal.shared.auth.links import DeadLink
from portal.shared.auth.models import Member, Registration, login_key
from portal.shared.auth.sessions import Client
from portal.shared.auth.signer import digest

LIFETIME = timedelta(hours=1)
MOST_TRIES = 5
_PAUSE = timedelta(minutes=1)
_MOST_SENT = 5
_WRONG = gettext_noop("認証コードが正しくないか、有効期限が切れています。もう一度ご確認ください。")


@dataclass(frozen=True, slots=True)
class Application:
    """What somebody typed to register; `data` is the profile's fields."""

    email: str
    data: dict[str, Any]
    password: str = field(repr=False)


def apply(tenant: Tenant, given: Application, client: Client, *, link_base: str) -> str:
    """Keep the application, mail link and code; returns the handle of the code's page. Commits. Raises RuleBroken."""
    _check_password(tenant, given)
    with throttling.lasting():
        throttling.count_by(tenant.sign_in, "register", f"address\n{client.network}")
        _count_mail(given.email)
    hashed = passwords.hash_password(given.password)
    made = Registration(
        email=given.email, password_hash=hashed, data=given.data, handle=secrets.token_urlsafe(32)
    )
    made.created_at = clock.now()
    _send(tenant, made, link_base=link_base)
    return made.handle


def _check_password(tenant: Tenant, given: Application) -> None:
    """Refuse what the tenant's rules do not take. Raises RuleBroken at ``password``."""
    names = (given.data["account_name"], f"{given.data['family_name']} {given.data['given_name']}")
    who = passwords.Context("", given.email, names, passwords.brand_words(tenant))
    passwords.check(given.password, rules=tenant.sign_in.password, who=who)


def send_again(tenant: Tenant, handle: str, *, link_base: str) -> None:
    """Mail another link and code; those before die, tries begin anew. Commits. Raises DeadLink, TooMany."""
    found = waiting(handle)
    throttling.count("register-again", handle, limit=1, window=_PAUSE)
    _count_mail(found.email)
    _send(tenant, found, link_base=link_base)


def _count_mail(email: str) -> None:
    throttling.count(
        "register", f"mail\n{email.casefold()}", limit=_MOST_SENT, window=timedelta(hours=1)
    )


def _send(tenant: Tenant, made: Registration, *, link_base: str) -> None:
    """Give it a new link, code and hour, and mail them; who is registered already is mailed that instead. Commits."""
    made.tries, made.expires_at = 0, clock.now() + LIFETIME
    session().add(made)
    token, plain = secrets.token_urlsafe(32), secrets.token_hex(6)[:11].upper()
    made.token_digest, made.code_digest = (
        digest(token),
        signer.digests("registration", made.handle, plain)[0],
    )
    key = login_key(tenant.sign_in.items, login_id="", email=made.email)
    if session().scalar(select(Member.id).where(Member.login_key == key)):
        sign_in, forgotten = f"{link_base}/sign-in", f"{link_base}/forgotten-password"
        mailing.compose(tenant, "registered_already", made.email, sign_in=sign_in, link=forgotten)
    else:
        link, code = f"{link_base}/register/activate/{token}", f"{plain[:8]}-{plain[8:]}"
        mailing.compose(
            tenant, "registration", made.email, code=code, link=link, until=made.expires_at
        )
    session().commit()


def waiting(handle: str) -> Registration:
    """The registration that waits for its code. Raises links.DeadLink."""
    return _one(Registration.handle == handle)


def peek(token: str) -> Registration:
    """The registration that the link activates; looking changes nothing. Raises links.DeadLink."""
    return _one(Registration.token_digest == digest(token))


def _one(which: ColumnElement[bool]) -> Registration:
    return require(
        session().scalars(select(Registration).where(which, *_alive())).one_or_none(), DeadLink()
    )


def _alive() -> tuple[ColumnElement[bool], ...]:
    return Registration.used_at.is_(None), Registration.expires_at > clock.now()


def is_of(found: Registration, handle: str) -> bool:
    """Whether the browser that knows this handle is the one in which the registration was typed."""
    return secrets.compare_digest(found.handle.encode(), handle.encode())


def activate_by_link(
    tenant: Tenant, token: str, client: Client, *, handle: str = "", password: str = ""
) -> Member:
    """Make the account of whoever pressed the button behind the link. Commits.

    Where `handle` does not say that it is the browser of before, `password` takes the place of the one that was typed
    there. Raises links.DeadLink, and RuleBroken at ``password``.
    """
    with transaction_mode("read"):
        found = peek(token)
        given = Application(found.email, dict(found.data), password)
        is_same_browser = is_of(found, handle)
    if is_same_browser:
        return _activate(tenant, peek(token), client)
    _check_password(tenant, given)
    password_hash = passwords.hash_password(password)
    return _activate(tenant, peek(token), client, password_hash=password_hash)


def activate_by_code(tenant: Tenant, handle: str, typed: str, client: Client) -> Member:
    """Make the account of whoever typed the code, each try counted before. Commits. Raises DeadLink, RuleBroken."""
    found_id = waiting(handle).id
    tries_left = Registration.id == found_id, Registration.tries < MOST_TRIES
    counted = update_where(Registration, *tries_left, *_alive(), tries=Registration.tries + 1)
    session().commit()
    found, code = waiting(handle), re.sub(r"[^0-9A-Z]", "", typed.upper())
    if not counted or found.code_digest not in signer.digests("registration", handle, code):
        raise RuleBroken(_WRONG, field="code")
    return _activate(tenant, found, client)


def _activate(
    tenant: Tenant, found: Registration, client: Client, *, password_hash: str = ""
) -> Member:
    """Make the account, its representative, and give them what brands have waiting for that address (MOLD-02).

    They sign in with the password that was typed before, or with that of `password_hash`.
    """
    if not update_where(Registration, Registration.id == found.id, *_alive(), used_at=clock.now()):
        raise DeadLink
    data = found.data
    by = Actor("member", f"{data['family_name']} {data['given_name']}", address=client.address)
    values = {column: data[name] or "" for name, column in members.ACCOUNT_PROFILE.items()}
    account = accounts.add_account(tenant, by=by, **values)
    who = {name: data[name] or "" for name in members.PROFILE}
    person = accounts.Person(**who, email=found.email, is_representative=True)
    try:
        member = accounts.add_member(
            tenant, account, person, by=by, password_hash=password_hash or found.password_hash
        )
    except RuleBroken:  # registered meanwhile, or all along: whoever it is was mailed so
        session().rollback()
        raise DeadLink from None
    for part in account_hooks.hooks_of(tenant):
        part.joined(tenant, member)
    mailing.tell(tenant, "registered", member)
    session().commit()
    return member


def forget() -> None:
    """Remove registrations that nobody proved, and what proved ones were made of. The caller commits."""
    delete_where(Registration, Registration.expires_at < clock.now() - timedelta(days=1))
