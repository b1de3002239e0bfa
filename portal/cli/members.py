"""`flask members`: the people who sign in, found, added and helped (OPS-13)."""

from pathlib import Path

import click
from sqlalchemy import or_, select

from portal.cli.command_line import CommandError, CommandGroup, read_file
from portal.cli.commands import (
    ChangeCommand,
    QuestionCommand,
    TenantCommand,
    TenantContext,
    confirm,
    import_csv,
    yes_option,
)
from portal.cli.output import local_minute, table
from portal.cli.parameters import FILE, json_option, limit_option, printable_name, typed
from portal.config import Tenant
from portal.core import Actor, session, text, transaction_mode
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member
from portal.shared.auth import devices, operator_actions, password_reset
from portal.shared.members import email_change, member_import, operations
from portal.shared.searching import has_words

commands = CommandGroup("members", help="Find, add and help the people who sign in.")
_LINK_MAILED = "the link is on its way"
who_argument = click.argument("who")
email_argument = click.argument("email", callback=typed(text.email))


@commands.command("find", cls=QuestionCommand)
@click.argument("words", default="")
@limit_option()
@json_option
def find(words: str, limit: int, as_json: bool) -> None:
    """Members by words of their name or its reading, login ID, e-mail or account number."""
    statement = select(Member, Account.number).join(Account, Account.id == Member.account_id)
    if words:
        names = Member.family_name, Member.given_name, Member.family_kana, Member.given_kana
        is_called_so = has_words(words, *names)
        is_signed_in_so = or_(Member.login_id == words, Member.email == words)
        is_of_account = Account.number.in_(text.number_spellings(words))
        statement = statement.where(or_(is_called_so, is_signed_in_so, is_of_account))
    found = session().execute(statement.order_by(Account.number, Member.id).limit(limit))
    rows = [
        (
            account_number,
            member.login_id,
            member.name,
            member.email,
            member.status,
            "代表" if member.is_representative else "",
            local_minute(member.last_signed_in_at),
        )
        for member, account_number in found
    ]
    columns = ["account", "login id", "name", "e-mail", "status", "role", "last sign-in"]
    table(columns, rows, as_json)


@commands.command("sign-ins", cls=QuestionCommand)
@who_argument
@limit_option()
@json_option
def sign_ins(who: str, limit: int, as_json: bool) -> None:
    """The newest sign-ins of WHO: when, with which browser, from where."""
    member = accounts.find_member(who)
    visits = devices.visits(member.subject, member.account_id, limit)
    rows = [(local_minute(visit.at), visit.browser, visit.address) for visit in visits]
    table(["at", "browser", "address"], rows, as_json)


@commands.command("add", cls=ChangeCommand)
@click.argument("account")
@click.argument("family_name", callback=typed(printable_name, longest=40))
@click.argument("given_name", callback=typed(printable_name, longest=40))
@email_argument
@click.option(
    "--login-id",
    default="",
    callback=typed(text.login_id),
    help="Where the brand signs in with one: letters, digits and . _ -, 4 to 40.",
)
@click.option(
    "--representative",
    "is_representative",
    is_flag=True,
    help="They may change the account's own data.",
)
@click.pass_obj
def add(
    context: TenantContext,
    account: str,
    family_name: str,
    given_name: str,
    email: str,
    login_id: str,
    is_representative: bool,
) -> str:
    """Add a member to ACCOUNT and mail them a link to set their password."""
    person = accounts.Person(
        family_name=family_name,
        given_name=given_name,
        email=email,
        login_id=login_id,
        is_representative=is_representative,
    )
    found = accounts.find_account(account)
    member = accounts.add_member(context.tenant, found, person, by=context.by)
    # Nobody but the member themself ever knows a password.
    _mail_link(context.tenant, member, by=context.by)
    return _member_line(member, _LINK_MAILED)


@commands.command("import", cls=TenantCommand)
@click.argument("file", type=FILE)
@click.pass_obj
def import_members(context: TenantContext, file: Path) -> str:
    """Import members from CSV, with new accounts; the same file twice changes nothing."""
    return import_csv(context, read_file(file), member_import.Members(context.tenant))


@commands.command("invite", cls=ChangeCommand)
@who_argument
@click.pass_obj
def invite(context: TenantContext, who: str) -> str:
    """Mail the invitation of somebody added or imported once more; it lives three days."""
    member = accounts.find_member(who)
    _mail_link(context.tenant, member, by=context.by)
    return _member_line(member, _LINK_MAILED)


@commands.command("reset-password", cls=ChangeCommand)
@who_argument
@click.pass_obj
def reset_password(context: TenantContext, who: str) -> str:
    """Mail WHO (login ID or e-mail) a link to set a new password."""
    member = accounts.find_member(who)
    _mail_link(context.tenant, member, by=context.by)
    return _member_line(member, _LINK_MAILED)


@commands.command("require-change", cls=ChangeCommand)
@click.argument("who", default="")
@click.option("--all", "everybody", is_flag=True, help="Everybody of the brand.")
@click.pass_obj
def require_change(context: TenantContext, who: str, everybody: bool) -> str:
    """Have WHO, or everybody, set a new password before anything else."""
    if everybody == bool(who):  # neither names nobody, both contradict one another
        raise CommandError("say WHO or --all")
    member = accounts.find_member(who) if who else None
    count = operator_actions.require_change(member, by=context.by)
    return f"{count} must set a new password"


@commands.command("set-email", cls=ChangeCommand)
@who_argument
@email_argument
@click.pass_obj
def set_email(context: TenantContext, who: str, email: str) -> str:
    """Change WHO's e-mail address, e.g. when the mailbox is lost. Both addresses are told."""
    member = accounts.find_member(who)
    email_change.set_by_operator(context.tenant, member, email, by=context.by)
    return f"{who}: {email}"


@commands.command("represent", cls=ChangeCommand)
@who_argument
@click.pass_obj
def represent(context: TenantContext, who: str) -> str:
    """Make WHO the representative of their account, as its customer asked."""
    member = accounts.find_member(who)
    operations.hand_over(context.tenant, member, by=context.by)
    return _member_line(member, "represents the account")


@commands.command("remove", cls=ChangeCommand)
@who_argument
@yes_option
@click.pass_obj
def remove(context: TenantContext, who: str, is_sure: bool) -> str:
    """Remove WHO: they sign in no more, and what they are registered for ends with it."""
    # What is asked about is read in a transaction that ends before: nobody waits for the answer.
    with transaction_mode("read"):
        member = accounts.find_member(who)
        operations.check_removal(context.tenant, member, None)
        question = f"{member.name} {member.login_id or member.email}"
    confirm(context, question, is_sure)
    member = accounts.find_member(who)
    operations.remove(context.tenant, member, by=context.by)
    return _member_line(member, "removed")


@commands.command("end-sessions", cls=ChangeCommand)
@who_argument
@click.pass_obj
def end_sessions(context: TenantContext, who: str) -> str:
    """Sign WHO out everywhere."""
    member = accounts.find_member(who)
    operator_actions.end_sessions(member, by=context.by)
    return _member_line(member, "signed out everywhere")


@commands.command("lock", cls=ChangeCommand)
@who_argument
@click.option(
    "--reason", default="", callback=typed(text.one_line, longest=200), help="For the audit trail."
)
@click.pass_obj
def lock(context: TenantContext, who: str, reason: str) -> str:
    """Sign WHO out everywhere and let them in no more."""
    member = accounts.find_member(who)
    operator_actions.lock(member, reason, by=context.by)
    return _member_line(member, "locked")


@commands.command("unlock", cls=ChangeCommand)
@who_argument
@click.pass_obj
def unlock(context: TenantContext, who: str) -> str:
    """Let WHO sign in again, with the password of before."""
    member = accounts.find_member(who)
    operator_actions.unlock(member, by=context.by)
    return _member_line(member, "unlocked")


@commands.command("reset-factor", cls=ChangeCommand)
@who_argument
@click.pass_obj
def reset_factor(context: TenantContext, who: str) -> str:
    """Take the second factor of WHO off, because it is lost; they are signed out and told by
    mail.
    """
    member = accounts.find_member(who)
    operator_actions.reset_factor(context.tenant, member, by=context.by)
    return _member_line(member, "no second factor any more")


def _mail_link(tenant: Tenant, member: Member, *, by: Actor) -> None:
    """Mail a link to set the password. Raises RuleBroken for who cannot be mailed one."""
    operator_actions.can_be_mailed_a_link(member).require()
    password_reset.invite(tenant, member, by=by)


def _member_line(member: Member, outcome: str) -> str:
    return f"{member.login_id or member.email}: {outcome}"
