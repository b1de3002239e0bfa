"""Passwords: changed, set through a mailed link, forgotten, and typed again for what matters
(COM-12).

Used alike by pages and CLI. Of a forgotten one nobody learns whether a link was mailed (SHOP-02,
RENT-06).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from portal.config import Tenant
from portal.core import Actor, RuleBroken, audit, clock, session, text, transaction_mode
from portal.shared import mailing
from portal.shared.accounts.models import Account, Member, login_key, of_who_may_sign_in
from portal.shared.auth import invitations, links, passwords, present_password, sessions, throttling

SETTING = (links.Purpose.SET_PASSWORD, links.Purpose.RESET_PASSWORD)
"""What links that set a password are for."""
PER_MEMBER = 5
"""So many mails an hour: enough for whoever looks in the wrong mailbox, too few to be a nuisance
with.
"""
_FORGOTTEN = "forgotten"


def change_password(
    tenant: Tenant, who: sessions.SignedIn, old: str, new: str, *, by: Actor
) -> str:
    """Change a password, knowing the old one; returns the new token of the session.

    Every other session ends. Commits. Raises as `present_password.require` at ``old_password``, and
    RuleBroken at ``password``.
    """
    checked = present_password.check(tenant, who, old, form_field="old_password")
    if old == new:
        raise RuleBroken("現在と同じパスワードは使えません。", field="password")
    with transaction_mode("read"):
        member = session().get_one(Member, who.member_id)
        rules_context = _context_of(tenant, member)
    passwords.check(new, rules=tenant.sign_in.password, who=rules_context)
    # Hashing takes 25 ms: it is done before anything is locked.
    password_hash = passwords.hash_password(new)
    member = present_password.lock_member(checked)
    _set_password(tenant, member, password_hash, by=by, keep_session=who.session_id)
    token = sessions.renew(who.session_id)
    session().commit()
    return token


def _context_of(tenant: Tenant, member: Member) -> passwords.Context:
    """What others know of this member, which may not stand in the password (COM-11)."""
    account = session().get_one(Account, member.account_id)
    # A login ID that this brand's sign-in does not ask for is nothing that the member knows of.
    login_id = member.login_id if "login_id" in tenant.sign_in.items else ""
    return passwords.Context(
        login_id=login_id,
        email=member.email,
        names=(member.name, account.name),
        brand=passwords.brand_words(tenant),
    )


def _set_password(
    tenant: Tenant, member: Member, hashed: str, *, by: Actor, keep_session: int | None = None
) -> None:
    """Set it for a member who is locked; every other session ends (COM-15). The caller commits.

    Links that were mailed die, save the owner's ways back: whoever knows the password does not take
    those away.
    """
    member.password_hash = hashed
    member.must_change_password = False
    sessions.end_all(member.id, but=keep_session)
    links.revoke(member.id, *links.MOVING)
    audit.record("member.set_password", member, by=by)
    mailing.notify(tenant, "password_changed", member)


def send_set_password_link(
    tenant: Tenant, member: Member, *, by: Actor, lifetime: timedelta = links.LIFETIME
) -> None:
    """Mail a link with which the member sets a password; earlier ones of its purpose die.

    The caller commits.
    """
    invited = invitations.payload(member, by)
    links.mail(
        tenant,
        member,
        links.Purpose.SET_PASSWORD,
        "set_password",
        lifetime=lifetime,
        payload=invited,
        context={
            "company": invited["company"],
            "inviter": invited["inviter"],
            "names": invitations.sign_in_names(tenant, member),
            "sign_in": tenant.url_to("auth.sign_in"),
        },
    )
    audit.record("member.send_link", member, by=by)


def invite(tenant: Tenant, member: Member, *, by: Actor) -> None:
    """Mail a new member a link to set a password, alive long enough for who did not ask for it.

    The caller commits.
    """
    send_set_password_link(tenant, member, by=by, lifetime=links.INVITATION)


def send_reset_link(tenant: Tenant, member: Member, *, by: Actor) -> None:
    """Mail a link with which the member sets a new password; earlier ones die.

    The caller commits.
    """
    links.mail(tenant, member, links.Purpose.RESET_PASSWORD, "reset_password")
    audit.record("member.send_reset", member, by=by)


def use_set_password_link(
    tenant: Tenant, token: str, new: str, *, address: str, email: str = ""
) -> None:
    """Set a password through a link.

    All sessions end, devices are forgotten. Commits. Raises links.DeadLink. `email` is what was
    typed where the tenant asks for it (SHOP-02). After RuleBroken the link stays alive.
    """
    with transaction_mode("read"):
        member = session().get_one(Member, links.peek(token, *SETTING).member_id)
        by = member.actor(address)
        rules_context = _context_of(tenant, member)
        is_proved = not proves_email(tenant) or is_own_email(member, email)
    if not is_proved:
        raise RuleBroken("入力内容に誤りがあります。もう一度ご確認ください。")
    passwords.check(new, rules=tenant.sign_in.password, who=rules_context)
    password_hash = passwords.hash_password(new)
    # Used up only now: while the password was looked at and hashed, the link stayed alive for it.
    member, _link = links.use_locked(token, *SETTING)
    # Whoever knew the old password may have made a browser of theirs known.
    sessions.forget_devices(member.id)
    _set_password(tenant, member, password_hash, by=by)
    session().commit()


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a person typed who forgot the password; items that are not asked for are empty."""

    email: str
    login_id: str = ""
    telephone: str = ""


def is_reset_offered(tenant: Tenant) -> bool:
    """Whether members reset a password by themselves, or ask an operator (COM-12)."""
    return tenant.sign_in.forgot != "operator"


def proves_email(tenant: Tenant) -> bool:
    """Whether a password link asks for the present address too at this tenant (SHOP-02)."""
    return tenant.sign_in.forgot == "mail_phone"


def asked(tenant: Tenant) -> tuple[str, ...]:
    """The items of `Forgotten` that the tenant's page asks for.

    Those that tell its members apart, and its choice.
    """
    items = ["email"]
    if "login_id" in tenant.sign_in.items:
        items.insert(0, "login_id")
    if tenant.sign_in.forgot == "mail_phone":
        items.append("telephone")
    return tuple(items)


def ask_reset(tenant: Tenant, given: Forgotten, client: sessions.Client) -> None:
    """Mail a link to the member whom `given` names, if it names one.

    Commits. Raises throttling.TooMany. Known, unknown, locked and a wrong telephone are the same to
    whoever asks, after the same work (security.md §4.2).
    """
    key = login_key(tenant.sign_in.items, login_id=given.login_id, email=given.email)
    with throttling.lasting():
        throttling.count_by(tenant.sign_in, _FORGOTTEN, f"address\n{client.network}")
        throttling.count(_FORGOTTEN, f"member\n{key}", limit=PER_MEMBER, window=timedelta(hours=1))
    # Nobody is mailed by mistake, but somebody is needed to do the work for, which is then undone.
    anybody = session().scalars(select(Member).order_by(Member.id).limit(1)).one_or_none()
    found = _find(tenant, given, key)
    whom = found or anybody
    if whom is not None:
        with session().begin_nested() as step:
            by = Actor("system", "system", account_id=whom.account_id, address=client.address)
            send_reset_link(tenant, whom, by=by)
            session().flush()
            if found is None:
                step.rollback()
    session().commit()


def _find(tenant: Tenant, given: Forgotten, key: str) -> Member | None:
    """The member whom every item names and who may sign in.

    An unregistered telephone is nobody's (SHOP-02).
    """
    named = select(Member, Account.telephone).where(Member.login_key == key)
    row = session().execute(of_who_may_sign_in(named)).one_or_none()
    if row is None or not is_own_email(row.Member, given.email):
        return None
    member: Member = row.Member
    if "telephone" not in asked(tenant):
        return member
    number = text.digits(given.telephone)
    registered = [text.digits(member.telephone), text.digits(row.telephone)]
    # Where none is registered, an empty one would match: it names nobody.
    return member if number and number in registered else None


def is_own_email(member: Member, typed: str) -> bool:
    """Whether `typed` is the member's present address, in whatever width and case."""
    return text.normalise(typed).casefold() == member.email.casefold()


def is_fresh(tenant: Tenant, proved_at: datetime | None) -> bool:
    """Whether the password was typed recently enough for what asks for it (security.md §4.17)."""
    lasting = timedelta(minutes=tenant.sign_in.fresh_minutes)
    return proved_at is not None and clock.now() - proved_at < lasting


def prove_password(
    tenant: Tenant, who: sessions.SignedIn, password: str, *, form_field: str = "password"
) -> str:
    """Let the session do what needs a password typed just now; returns its new token.

    Commits. Raises as `present_password.require`.
    """
    present_password.require(tenant, who, password, form_field=form_field)
    token = sessions.renew(who.session_id)
    session().commit()
    return token
