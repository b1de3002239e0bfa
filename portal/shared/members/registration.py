"""Registration (MOLD-01): what somebody typed waits until a mailed link, or the code beside it,
proves the address.

One answer whoever has the address already: its holder is mailed that they are registered, nobody
else learns it.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import ColumnElement, select

from portal.config import Tenant
from portal.core import (
    Actor,
    RuleBroken,
    clock,
    delete_where,
    gettext_noop,
    require,
    session,
    signer,
    update_where,
)
from portal.core.signer import digest
from portal.shared import mailing
from portal.shared.accounts import account_hooks
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member, login_key
from portal.shared.auth import passwords, throttling
from portal.shared.auth.links import DeadLink
from portal.shared.auth.models import Registration
from portal.shared.auth.sessions import Client
from portal.shared.members import operations as members

LIFETIME = timedelta(hours=1)
MOST_TRIES = 5
_PAUSE = timedelta(minutes=1)
_MOST_SENT = 5
_WRONG = gettext_noop("認証コードが正しくないか、有効期限が切れています。もう一度ご確認ください。")
_WRONG_PASSWORD = gettext_noop(
    "パスワードが正しくありません。ご登録時に入力したパスワードをご確認ください。"
)


@dataclass(frozen=True, slots=True)
class Application:
    """What somebody typed to register; `data` is the profile's fields."""

    email: str
    data: Mapping[str, str | None]
    password: str = field(repr=False)


def apply(tenant: Tenant, given: Application, client: Client) -> str:
    """Keep the application, mail link and code; returns the handle of the code's page.

    Commits. Raises RuleBroken.
    """
    data = given.data
    person = f"{data['family_name']} {data['given_name']}"
    who = passwords.Context(
        email=given.email,
        names=(data["account_name"] or "", person),
        brand=passwords.brand_words(tenant),
    )
    passwords.check(given.password, rules=tenant.sign_in.password, who=who)
    # Counted, and hashed, before anything is looked up: who is registered costs the same time.
    with throttling.lasting():
        throttling.count_by(tenant.sign_in, "register", f"address\n{client.network}")
        _count_mail(given.email)
    hashed = passwords.hash_password(given.password)
    made = Registration(
        email=given.email, password_hash=hashed, data=dict(data), handle=secrets.token_urlsafe(32)
    )
    made.created_at = clock.now()
    _send(tenant, made)
    return made.handle


def send_again(tenant: Tenant, handle: str) -> None:
    """Mail another link and code; those before die, tries begin anew.

    Commits. Raises DeadLink, TooMany.
    """
    found = waiting(handle)
    throttling.count("register-again", handle, limit=1, window=_PAUSE)
    _count_mail(found.email)
    _send(tenant, found)


def _count_mail(email: str) -> None:
    throttling.count(
        "register", f"mail\n{email.casefold()}", limit=_MOST_SENT, window=timedelta(hours=1)
    )


def _send(tenant: Tenant, made: Registration) -> None:
    """Give it a new link, code and hour, and mail them.

    Who is registered already is mailed that instead. Commits.
    """
    made.tries = 0
    made.expires_at = clock.now() + LIFETIME
    session().add(made)
    token = secrets.token_urlsafe(32)
    # 44 bits, few enough to be typed from another screen: nobody guesses them in five tries.
    plain = secrets.token_hex(6)[:11].upper()
    made.token_digest = digest(token)
    made.code_digest = signer.digests("registration", made.handle, plain)[0]
    key = login_key(tenant.sign_in.items, login_id="", email=made.email)
    # The page says the same in both cases; only whoever reads the mailbox learns which it was.
    if session().scalar(select(Member.id).where(Member.login_key == key)):
        sign_in = tenant.url_to("auth.sign_in")
        forgotten = tenant.url_to("auth.forgotten_password")
        mailing.compose(tenant, "registered_already", made.email, sign_in=sign_in, link=forgotten)
    else:
        link = tenant.url_to("registration.activate", token=token)
        code = f"{plain[:8]}-{plain[8:]}"
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


def activate_by_link(tenant: Tenant, token: str, password: str, client: Client) -> Member:
    """Make the account of whoever opened the link and knows the password that was typed to
    register.

    The link proves that the mailbox is theirs; the password, that they are who registered. Without
    it the owner of an address would finish, with one press, an account that a stranger began in
    their name (MOLD-01). Each try counts like one of the code's. Commits. Raises links.DeadLink,
    and RuleBroken at "password".
    """
    found = peek(token)
    password_hash = found.password_hash
    is_counted = _count_try(found.id)
    # No transaction is open while the password is hashed.
    if not is_counted or not passwords.verify(password_hash, password):
        raise RuleBroken(_WRONG_PASSWORD, field="password")
    return _activate(tenant, peek(token), client)


def activate_by_code(tenant: Tenant, handle: str, typed: str, client: Client) -> Member:
    """Make the account of whoever typed the code, each try counted before.

    Commits. Raises DeadLink, RuleBroken.
    """
    is_counted = _count_try(waiting(handle).id)
    found = waiting(handle)  # anew: counting the try ended the transaction
    code = re.sub(r"[^0-9A-Z]", "", typed.upper())
    if not is_counted or found.code_digest not in signer.digests("registration", handle, code):
        raise RuleBroken(_WRONG, field="code")
    return _activate(tenant, found, client)


def _count_try(registration_id: int) -> bool:
    """Count a try and commit that; False when there were too many."""
    tries_left = (Registration.id == registration_id, Registration.tries < MOST_TRIES)
    counted = update_where(Registration, *tries_left, *_alive(), tries=Registration.tries + 1)
    session().commit()
    return counted == 1


def _activate(tenant: Tenant, found: Registration, client: Client) -> Member:
    """The account, its representative, and what brands have waiting for that address (MOLD-02)."""
    # Used up first, by a guarded UPDATE: of link and code pressed at once, one makes the account.
    if not update_where(Registration, Registration.id == found.id, *_alive(), used_at=clock.now()):
        raise DeadLink
    data = found.data
    by = Actor("member", f"{data['family_name']} {data['given_name']}", address=client.address)
    values = {column: data[name] or "" for name, column in members.ACCOUNT_PROFILE.items()}
    account = accounts.add_account(tenant, by=by, **values)
    person = accounts.Person(
        family_name=data["family_name"] or "",
        given_name=data["given_name"] or "",
        email=found.email,
        family_kana=data["family_kana"] or "",
        given_kana=data["given_kana"] or "",
        department=data["department"] or "",
        telephone=data["telephone"] or "",
        is_representative=True,
    )
    try:
        member = accounts.add_member(
            tenant, account, person, by=by, password_hash=found.password_hash
        )
    except RuleBroken:  # registered meanwhile, or all along: whoever it is was mailed so
        session().rollback()
        raise DeadLink from None
    for part in account_hooks.hooks_of(tenant):
        part.joined(tenant, member)
    mailing.notify(tenant, "registered", member)
    session().commit()
    return member


def forget() -> None:
    """Remove registrations that nobody proved, and what proved ones were made of.

    The caller commits.
    """
    delete_where(Registration, Registration.expires_at < clock.now() - timedelta(days=1))
