"""Forgotten passwords (COM-12, SHOP-02, RENT-06): a link is mailed, and nobody learns whether one was."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from portal.core import audit, clock, text
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.tenancy.schema import Tenant
from portal.shared import mailing
from portal.shared.auth import links, throttling
from portal.shared.auth.links import Purpose
from portal.shared.auth.models import Account, AccountStatus, Member, MemberStatus
from portal.shared.auth.sessions import Client
from portal.shared.auth.sign_in import login_key

PER_MEMBER = 5
"""So many mails an hour: enough for whoever looks in the wrong mailbox, too few to be a nuisance with."""
_HOUR = timedelta(hours=1)
_FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a person typed who forgot the password; items that are not asked for are empty."""

    email: str
    login_id: str = ""
    telephone: str = ""


def is_offered(tenant: Tenant) -> bool:
    """Whether members reset a password by themselves at this tenant, or ask an operator (COM-12)."""
    return tenant.sign_in.forgot != "operator"


def asked(tenant: Tenant) -> tuple[str, ...]:
    """The items of `Forgotten` that the tenant's page asks for: those that tell its members apart, and its choice."""
    login_id = ("login_id",) if "login_id" in tenant.sign_in.items else ()
    telephone = ("telephone",) if tenant.sign_in.forgot == "mail_phone" else ()
    return (*login_id, "email", *telephone)


def ask(tenant: Tenant, given: Forgotten, client: Client, *, link_base: str) -> None:
    """Mail a link to the member whom `given` names, if it names one. Commits.

    Known, unknown, locked and a wrong telephone are the same to whoever asks: no answer, after the same work
    (security.md §4.2). Raises throttling.TooMany, also for members who do not exist.
    """
    try:
        _count_try(tenant, given, client)
    except throttling.TooMany:
        session().commit()
        raise
    found = _find(tenant, given)
    # Nobody is mailed by mistake, but somebody is needed to do the work for, which is then undone.
    whom = found or session().scalars(select(Member).order_by(Member.id).limit(1)).one_or_none()
    if whom is not None:
        with session().begin_nested() as step:
            by = Actor("system", "system", account_id=whom.account_id, address=client.address)
            send_link(tenant, whom, link_base=link_base, by=by)
            session().flush()
            if found is None:
                step.rollback()
    session().commit()


def _count_try(tenant: Tenant, given: Forgotten, client: Client) -> None:
    """Count by address and by whom is asked for."""
    rules = tenant.sign_in
    window = timedelta(minutes=rules.sign_in_window_minutes)
    throttling.count(_FORGOTTEN, f"address\n{client.address}", limit=rules.sign_in_tries, window=window)
    throttling.count(_FORGOTTEN, f"member\n{_key(tenant, given)}", limit=PER_MEMBER, window=_HOUR)


def _key(tenant: Tenant, given: Forgotten) -> str:
    return login_key(tenant.sign_in.items, login_id=given.login_id, email=given.email)


def _find(tenant: Tenant, given: Forgotten) -> Member | None:
    """The member whom every item names and who may sign in."""
    statement = (
        select(Member, Account.telephone)
        .join(Account, Account.id == Member.account_id)
        .where(
            Member.login_key == _key(tenant, given),
            Member.status == MemberStatus.ACTIVE,
            Account.status == AccountStatus.ACTIVE,
        )
    )
    row = session().execute(statement).one_or_none()
    if row is None:
        return None
    member, account_telephone = row
    if not is_own_email(member, given.email):
        return None
    if "telephone" in asked(tenant) and not _is_own(given.telephone, member.telephone, account_telephone):
        return None
    found: Member = member
    return found


def proves_email(tenant: Tenant) -> bool:
    """Whether a password link asks for the present address too at this tenant (SHOP-02)."""
    return tenant.sign_in.forgot == "mail_phone"


def is_own_email(member: Member, typed: str) -> bool:
    """Whether `typed` is the member's present address, in whatever width and case."""
    return text.normalise(typed).casefold() == member.email.casefold()


def _is_own(typed: str, *registered: str) -> bool:
    """Whether `typed` is one of the registered telephones; an unregistered one is nobody's (SHOP-02)."""
    number = text.digits(typed)
    return bool(number) and number in map(text.digits, registered)


def send_link(tenant: Tenant, member: Member, *, link_base: str, by: Actor) -> None:
    """Mail a link with which the member sets a new password; earlier ones die. The caller commits."""
    token = links.issue(member.id, Purpose.RESET_PASSWORD)
    audit.record("member.send_reset", member, by=by)
    link, until = f"{link_base}/set-password/{token}", clock.now() + links.LIFETIME
    mailing.tell(tenant, "reset_password", member, link=link, until=until)
