"""`flask members`: find, add, import and help the people who sign in (OPS-13)."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import or_, select

from portal.core import audit, text
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import administration, email_change, enrolment, links, operations, security, sessions
from portal.shared.auth.models import Account, Member
from portal.web.commands import Mistake, tenant_command, typed
from portal.web.output import listing, moment
from portal.web.urls import base_of

members = AppGroup("members", help="Find, add and help the people who sign in.")
_MAILED = "the link is on its way"
_FOUND = (
    ("account", "number"),
    ("login id", "Member.login_id"),
    ("name", "Member.name"),
    ("e-mail", "Member.email"),
    ("status", "Member.status"),
    ("role", lambda found: "代表" if found.Member.is_representative else ""),
    ("last sign-in", moment("Member.last_signed_in_at")),
)


@listing(members, "find", _FOUND, click.argument("words", default=""))
def find(words: str, limit: int, **_: Any) -> Iterable[Any]:
    """Members by login ID, e-mail, family name or the account's number."""
    statement = select(Member, Account.number).join(Account, Account.id == Member.account_id)
    if words:
        exact = [c == words for c in (Member.login_id, Member.email, Member.family_name, Account.number)]
        statement = statement.where(or_(*exact))
    return session().execute(statement.order_by(Account.number, Member.id).limit(limit))


@members.command("add")
@click.argument("account")
@click.argument("family_name", callback=typed(longest=40))
@click.argument("given_name", callback=typed(longest=40))
@click.argument("email", callback=typed(text.email))
@click.option("--login-id", default="", callback=typed(longest=60), help="Where the brand signs in with one.")
@click.option("--representative", is_flag=True, help="They may change the account's own data.")
@tenant_command
def add(account: str, representative: bool, tenant: Tenant, by: Actor, **typed_in: str) -> None:
    """Add a member to ACCOUNT and mail them a link to set their password."""
    person = enrolment.Person(**typed_in, is_representative=representative)
    member = enrolment.add_member(tenant, enrolment.find_account(account), person, by=by)
    _send_link(tenant, member, by=by)
    _say(member, _MAILED)


@members.command("set-email")
@click.argument("who")
@click.argument("email", callback=typed(text.email))
@tenant_command
def set_email(who: str, email: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Change WHO's e-mail address, e.g. when the mailbox is lost. Both addresses are told."""
    email_change.set_by_operator(tenant, enrolment.find_member(who), email, by=by)
    click.echo(f"{who}: {email}")


@members.command("lock")
@click.argument("who")
@click.option("--reason", default="", callback=typed(longest=200), help="For the audit trail.")
@tenant_command
def lock(who: str, reason: str, by: Actor, **_: Any) -> None:
    """Sign WHO out everywhere and let them in no more."""
    member = enrolment.find_member(who)
    administration.lock(member, reason, by=by)
    _say(member, "locked")


@listing(members, "sign-ins", (("at", moment("at")), "browser", "address"), click.argument("who"))
def sign_ins(who: str, limit: int, **_: Any) -> Iterable[Any]:
    """The newest sign-ins of WHO: when, with which browser, from where."""
    member = enrolment.find_member(who)
    return security.visits(member.subject, member.account_id, limit)


@members.command("require-change")
@click.argument("who", default="")
@click.option("--all", "everybody", is_flag=True, help="Everybody of the brand.")
@tenant_command
def require_change(who: str, everybody: bool, by: Actor, **_: Any) -> None:
    """Have WHO, or everybody, set a new password before anything else."""
    if everybody == bool(who):
        raise Mistake("say WHO or --all")
    asked = administration.require_change(enrolment.find_member(who) if who else None, by=by)
    click.echo(f"{asked} must set a new password")


@members.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_command
def import_(file: Path, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Import members from CSV, with new accounts; the same file twice changes nothing."""
    added, known = enrolment.import_members(tenant, file.read_bytes(), by=by)
    click.echo(f"{added} added, {known} known already")


def _send_link(tenant: Tenant, member: Member, *, by: Actor) -> None:
    administration.can_be_mailed_a_link(member).require()
    base = base_of(tenant, current_app.extensions["settings"])
    operations.send_set_password_link(tenant, member, link_base=base, by=by, lifetime=links.INVITATION)


def _end_sessions(_tenant: Tenant, member: Member, *, by: Actor) -> None:
    sessions.end_all(member.id)
    audit.record("member.end_sessions", member, by=by)


def _unlock(_tenant: Tenant, member: Member, *, by: Actor) -> None:
    administration.unlock(member, by=by)


def _say(member: Member, what: str) -> None:
    click.echo(f"{member.login_id or member.email}: {what}")


def _step(name: str, operation: Callable[..., None], said: str, text: str) -> None:
    """A command that does one thing for WHO (login ID or e-mail), and what it says then."""

    @members.command(name, help=text)
    @click.argument("who")
    @tenant_command
    def command(who: str, tenant: Tenant, by: Actor, **_: Any) -> None:
        member = enrolment.find_member(who)
        operation(tenant, member, by=by)
        _say(member, said)


_step("reset-password", _send_link, _MAILED, "Mail WHO (login ID or e-mail) a link to set a new password.")
_step(
    "invite", _send_link, _MAILED, "Mail the invitation of somebody added or imported once more; it lives three days."
)
_step("end-sessions", _end_sessions, "signed out everywhere", "Sign WHO out everywhere.")
_step("unlock", _unlock, "unlocked", "Let WHO sign in again, with the password of before.")
_step(
    "reset-factor",
    administration.reset_factor,
    "no second factor any more",
    "Take the second factor of WHO off, because it is lost; they are signed out and told by mail.",
)
