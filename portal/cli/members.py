"""`flask members`: find, add, send a set-password link, end sessions (OPS-13)."""

from __future__ import annotations

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
from portal.shared.auth import enrolment, links, operations, sessions
from portal.shared.auth.models import Account, Member
from portal.web.commands import json_option, limit_option, tenant_command, typed
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
    person = enrolment.Person(
        family_name, given_name, email, login_id=login_id, is_representative=representative
    )
    member = enrolment.add_member(tenant, enrolment.find_account(account), person, by=by)
    _send_link(tenant, member, by)
    click.echo(f"{member.login_id or member.email}: the link is on its way")


@members.command("reset-password")
@click.argument("who")
@tenant_command
def reset_password(who: str, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Mail WHO (login ID or e-mail) a link to set a new password."""
    member = enrolment.find_member(who)
    _send_link(tenant, member, by)
    click.echo(f"{member.login_id or member.email}: the link is on its way")


@members.command("end-sessions")
@click.argument("who")
@tenant_command
def end_sessions(who: str, by: Actor, **_: Any) -> None:
    """Sign WHO out everywhere."""
    member = enrolment.find_member(who)
    sessions.end_all(member.id)
    audit.record("member.end_sessions", member.subject, by=by, account_id=member.account_id)
    click.echo(f"{member.login_id or member.email}: signed out everywhere")


def _send_link(tenant: Tenant, member: Member, by: Actor) -> None:
    base = base_of(tenant, current_app.extensions["settings"])
    operations.send_set_password_link(tenant, member, link_base=base, by=by, lifetime=links.INVITATION)
