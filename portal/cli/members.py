"""`flask members`: find, add, import and help the people who sign in (OPS-13)."""

from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import or_, select

from portal.core import audit, text
from portal.core.actor import Actor
from portal.core.clock import to_local
from portal.core.db import session
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import (
    administration,
    email_change,
    enrolment,
    links,
    member_import,
    operations,
    security,
    sessions,
)
from portal.shared.auth.models import Account, Member
from portal.web.commands import Mistake, json_option, limit_option, tenant_command, typed
from portal.web.output import table
from portal.web.urls import base_of

members = AppGroup("members", help="Find, add and help the people who sign in.")


@members.command("find")
@click.argument("words", default="")
@limit_option
@json_option
@tenant_command
def find(words: str, limit: int, as_json: bool, **_: Any) -> None:
    """Members by login ID, e-mail, family name or the account's number."""
    statement = (
        select(Member, Account.number)
        .join(Account, Account.id == Member.account_id)
        .order_by(Account.number, Member.id)
        .limit(limit)
    )
    if words:
        exact = [c == words for c in (Member.login_id, Member.email, Member.family_name, Account.number)]
        statement = statement.where(or_(*exact))
    rows = [
        (
            number,
            m.login_id,
            m.name,
            m.email,
            m.status,
            "代表" if m.is_representative else "",
            f"{to_local(m.last_signed_in_at):%Y-%m-%d %H:%M}" if m.last_signed_in_at else "",
        )
        for m, number in session().execute(statement)
    ]
    table(["account", "login id", "name", "e-mail", "status", "role", "last sign-in"], rows, as_json)


@members.command("add")
@click.argument("account")
@click.argument("family_name", callback=typed(longest=40))
@click.argument("given_name", callback=typed(longest=40))
@click.argument("email", callback=typed(text.email))
@click.option("--login-id", default="", callback=typed(longest=60), help="Where the brand signs in with one.")
@click.option("--representative", is_flag=True, help="They may change the account's own data.")
@tenant_command
def add(
    account: str,
    family_name: str,
    given_name: str,
    email: str,
    login_id: str,
    representative: bool,
    tenant: Tenant,
    by: Actor,
    **_: Any,
) -> None:
    """Add a member to ACCOUNT and mail them a link to set their password."""
    person = enrolment.Person(family_name, given_name, email, login_id=login_id, is_representative=representative)
    member = enrolment.add_member(tenant, enrolment.find_account(account), person, by=by)
    _send_link(tenant, member, by)


@members.command("reset-password")
@click.argument("who")
@tenant_command
def reset_password(who: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Mail WHO (login ID or e-mail) a link to set a new password."""
    _send_link(tenant, enrolment.find_member(who), by)


@members.command("invite")
@click.argument("who")
@tenant_command
def invite(who: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Mail the invitation of somebody added or imported once more; it lives three days."""
    _send_link(tenant, enrolment.find_member(who), by)


@members.command("set-email")
@click.argument("who")
@click.argument("email", callback=typed(text.email))
@tenant_command
def set_email(who: str, email: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Change WHO's e-mail address, e.g. when the mailbox is lost. Both addresses are told."""
    email_change.set_by_operator(tenant, enrolment.find_member(who), email, by=by)
    click.echo(f"{who}: {email}")


@members.command("end-sessions")
@click.argument("who")
@tenant_command
def end_sessions(who: str, by: Actor, **_: Any) -> None:
    """Sign WHO out everywhere."""
    member = enrolment.find_member(who)
    sessions.end_all(member.id)
    audit.record("member.end_sessions", member, by=by)
    _say(member, "signed out everywhere")


@members.command("lock")
@click.argument("who")
@click.option("--reason", default="", callback=typed(longest=200), help="For the audit trail.")
@tenant_command
def lock(who: str, reason: str, by: Actor, **_: Any) -> None:
    """Sign WHO out everywhere and let them in no more."""
    member = enrolment.find_member(who)
    administration.lock(member, reason, by=by)
    _say(member, "locked")


@members.command("unlock")
@click.argument("who")
@tenant_command
def unlock(who: str, by: Actor, **_: Any) -> None:
    """Let WHO sign in again, with the password of before."""
    member = enrolment.find_member(who)
    administration.unlock(member, by=by)
    _say(member, "unlocked")


@members.command("sign-ins")
@click.argument("who")
@limit_option
@json_option
@tenant_command
def sign_ins(who: str, limit: int, as_json: bool, **_: Any) -> None:
    """The newest sign-ins of WHO: when, with which browser, from where."""
    member = enrolment.find_member(who)
    found = security.visits(member.subject, member.account_id, limit)
    rows = [(f"{to_local(visit.at):%Y-%m-%d %H:%M}", visit.browser, visit.address) for visit in found]
    table(["at", "browser", "address"], rows, as_json)


@members.command("reset-factor")
@click.argument("who")
@tenant_command
def reset_factor(who: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Take the second factor of WHO off, because it is lost; they are signed out and told by mail."""
    member = enrolment.find_member(who)
    administration.reset_factor(tenant, member, by=by)
    _say(member, "no second factor any more")


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
    added, known = member_import.members(tenant, file.read_bytes(), by=by)
    click.echo(f"{added} added, {known} known already")


def _send_link(tenant: Tenant, member: Member, by: Actor) -> None:
    administration.can_be_mailed_a_link(member).require()
    base = base_of(tenant, current_app.extensions["settings"])
    operations.send_set_password_link(tenant, member, link_base=base, by=by, lifetime=links.INVITATION)
    _say(member, "the link is on its way")


def _say(member: Member, what: str) -> None:
    click.echo(f"{member.login_id or member.email}: {what}")
