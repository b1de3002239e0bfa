"""`flask accounts`, `flask members` and `flask limits`: customers, their people and limits (OPS-13,
COM-43).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import click
from sqlalchemy import or_, select

from portal.cli.command_line import CommandError, CommandGroup, Number
from portal.cli.commands import (
    DAY,
    call,
    command,
    confirmation,
    importing,
    json_option,
    printable,
    printable_name,
    question,
    record,
    typed,
)
from portal.cli.output import json_out, listing, moment, table
from portal.config import Tenant
from portal.core import Actor, session, text
from portal.core.folding import Folded
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member
from portal.shared.auth import devices, operator_actions, password_reset
from portal.shared.limits import operations as allowed
from portal.shared.limits.definitions import get_definition
from portal.shared.members import email_change, member_import, withdrawal
from portal.shared.members import operations as members

account_commands = CommandGroup("accounts", help="Find, add, show and merge customers.")
member_commands = CommandGroup("members", help="Find, add and help the people who sign in.")
limits = CommandGroup(
    "limits", help="Explain limits, lift them for one customer, list who is over."
)
_ACCOUNT = record("account", accounts.find_account)
_WHO = record("who", accounts.find_member, "WHO")
_WORDS = click.argument("words", default="")


def _names(words: Mapping[str, Any]) -> str:
    """The accounts that a command is about, as it is asked about them."""
    named = [words[name] for name in ("source", "target", "account") if name in words]
    return " → ".join(f"{account.number} {account.name}" for account in named)


def _person(words: Mapping[str, Any]) -> str:
    """The member that a command is about, as it is asked about them."""
    who: Member = words["who"]
    return f"{who.name} {who.login_id or who.email}"


def _can_remove(words: Mapping[str, Any]) -> None:
    members.check_removal(words["tenant"], words["who"], None)


_YES_TO_PERSON = confirmation(_person, _can_remove)


def _can_merge(words: Mapping[str, Any]) -> None:
    operator_actions.can_merge(words["source"], words["target"]).require()


def _can_withdraw(words: Mapping[str, Any]) -> None:
    """Refuse, and name on standard error all that is open."""
    tenant = words["tenant"]
    account = words["account"]
    for what in withdrawal.open_business(tenant, account):
        click.echo(str(what.message), err=True)
    withdrawal.can_be_withdrawn(tenant, account).require()


def _can_erase(words: Mapping[str, Any]) -> None:
    withdrawal.can_erase(words["account"]).require()


_MAILED = "the link is on its way"
_CUSTOMER = (
    click.argument("name", callback=typed(printable, longest=100)),
    click.option(
        "--telephone", default="", callback=typed(text.telephone), help="With or without hyphens."
    ),
)
_BOTH = (
    record("source", accounts.find_account, "FROM"),
    record("target", accounts.find_account, "INTO"),
)
_EMAIL = click.argument("email", callback=typed(text.email))
_PERSON = (
    click.argument("family_name", callback=typed(printable_name, longest=40)),
    click.argument("given_name", callback=typed(printable_name, longest=40)),
    _EMAIL,
    click.option(
        "--login-id",
        default="",
        callback=typed(text.login_id),
        help="Where the brand signs in with one: letters, digits and . _ -, 4 to 40.",
    ),
    click.option(
        "--representative",
        "is_representative",
        is_flag=True,
        help="They may change the account's own data.",
    ),
)
_WHY = click.option(
    "--reason", required=True, callback=typed(longest=1000), help="Why; kept in the audit trail."
)
_REASON = click.option(
    "--reason", default="", callback=typed(longest=200), help="For the audit trail."
)
_ALL = click.option("--all", "everybody", is_flag=True, help="Everybody of the brand.")
_LIMIT = click.argument("name"), click.argument("number")
_LIFT = (
    click.argument("value", type=Number(0, 100_000)),
    click.option(
        "--reason", required=True, callback=typed(longest=200), help="For the audit trail."
    ),
    click.option("--until", **DAY, help="The last day it holds; otherwise for good."),
)
_MEMBERS = (
    ("account", "number"),
    ("login id", "Member.login_id"),
    ("name", "Member.name"),
    ("e-mail", "Member.email"),
    ("status", "Member.status"),
    ("role", lambda found: "代表" if found.Member.is_representative else ""),
    ("last sign-in", moment("Member.last_signed_in_at")),
)


@listing(account_commands, "find", ("number", "name", "status", "telephone", "address"), _WORDS)
def find(words: str, limit: int) -> Iterable[Account]:
    """Accounts by number or part of the name."""
    named = or_(
        Account.number == words, Folded(Account.name).contains(text.folded(words), autoescape=True)
    )
    return session().scalars(select(Account).where(named).order_by(Account.number).limit(limit))


@command(account_commands, "add", *_CUSTOMER)
def add(name: str, telephone: str, tenant: Tenant, by: Actor) -> str:
    """Add the customer NAME; then add its representative with `members add`."""
    return accounts.add_account(tenant, by=by, name=name, telephone=telephone).number


@question(account_commands, "show", _ACCOUNT, json_option)
def show(account: Account, as_json: bool) -> None:
    """Everything about one customer: data, members, what is theirs, the newest events."""
    found = operator_actions.overview(account)
    if as_json:
        json_out(found)
        return
    for part in ("account", "rows"):
        table([part, ""], list(found[part].items()))
    for part in ("members", "events"):
        click.echo()
        table(
            list(found[part][0]) if found[part] else [part],
            [list(row.values()) for row in found[part]],
        )


@command(account_commands, "tag", _ACCOUNT, click.argument("tags", nargs=-1))
def tag(account: Account, tags: tuple[str, ...], by: Actor) -> str:
    """Sort a customer by TAGS, and by no others; notices can be for those with a tag alone."""
    try:
        operator_actions.set_tags(account, map(operator_actions.tag, tags), by=by)
    except ValueError as error:
        raise CommandError(str(error)) from None
    return f"{account.number}: {account.tags.strip(',') or 'no tags'}"


@command(account_commands, "merge", *_BOTH, confirmation(_names, _can_merge))
def merge(source: Account, target: Account, by: Actor) -> None:
    """Give all that FROM has to INTO: members, reservations, documents. FROM is withdrawn."""
    table(["table", "moved"], list(operator_actions.merge(source, target, by=by).items()))


@command(account_commands, "withdraw", _ACCOUNT, _WHY, confirmation(_names, _can_withdraw))
def withdraw(account: Account, reason: str, tenant: Tenant, by: Actor) -> str:
    """退会 for a customer who asked by telephone: nobody of it signs in again.

    Open business refuses it.
    """
    _can_withdraw({"tenant": tenant, "account": account})
    withdrawal.withdraw(tenant, account, reason, by=by)
    return f"{account.number}: withdrawn; erased in {tenant.erase_after_days} days"


@command(account_commands, "erase", _ACCOUNT, confirmation(_names, _can_erase))
def erase(account: Account, by: Actor) -> str:
    """Erase now what is personal of a customer who has left. Documents and the audit trail stay."""
    withdrawal.erase(account, by=by)
    return f"{account.number}: erased"


@listing(member_commands, "find", _MEMBERS, _WORDS)
def find_members(words: str, limit: int) -> Iterable[Any]:
    """Members by login ID, e-mail, family name or the account's number."""
    statement = select(Member, Account.number).join(Account, Account.id == Member.account_id)
    if words:
        exact = [
            c == words for c in (Member.login_id, Member.email, Member.family_name, Account.number)
        ]
        statement = statement.where(or_(*exact))
    return session().execute(statement.order_by(Account.number, Member.id).limit(limit))


@command(member_commands, "add", record("account", accounts.find_account, "ACCOUNT"), *_PERSON)
def add_member(account: Account, tenant: Tenant, by: Actor, **person: Any) -> str:
    """Add a member to ACCOUNT and mail them a link to set their password."""
    member = accounts.add_member(tenant, account, accounts.Person(**person), by=by)
    _send_link(tenant, member, by)
    return _said(member, _MAILED)


@listing(member_commands, "sign-ins", (("at", moment("at")), "browser", "address"), _WHO)
def sign_ins(who: Member, limit: int) -> Iterable[Any]:
    """The newest sign-ins of WHO: when, with which browser, from where."""
    return devices.visits(who.subject, who.account_id, limit)


@command(member_commands, "require-change", click.argument("who", default=""), _ALL)
def require_change(who: str, everybody: bool, by: Actor) -> str:
    """Have WHO, or everybody, set a new password before anything else."""
    if everybody == bool(who):
        raise CommandError("say WHO or --all")
    asked = operator_actions.require_change(accounts.find_member(who) if who else None, by=by)
    return f"{asked} must set a new password"


def _said(member: Member, what: str) -> str:
    return f"{member.login_id or member.email}: {what}"


@command(member_commands, "set-email", click.argument("who"), _EMAIL)
def set_email(who: str, email: str, tenant: Tenant, by: Actor) -> str:
    """Change WHO's e-mail address, e.g. when the mailbox is lost. Both addresses are told."""
    email_change.set_by_operator(tenant, accounts.find_member(who), email, by=by)
    return f"{who}: {email}"


def _send_link(tenant: Tenant, member: Member, by: Actor) -> None:
    operator_actions.can_be_mailed_a_link(member).require()
    password_reset.invite(tenant, member, by=by)


def _step(name: str, do: Callable[..., None], said: str, text: str, *options: Any) -> None:
    """A command that does one thing for WHO (login ID or e-mail), and what it says then."""

    def take(who: Member, **words: Any) -> str:
        call(do, {"member": who, **words})
        return _said(who, said)

    command(member_commands, name, _WHO, *options, help=text)(take)


_step(
    "reset-password",
    _send_link,
    _MAILED,
    "Mail WHO (login ID or e-mail) a link to set a new password.",
)
_step(
    "invite",
    _send_link,
    _MAILED,
    "Mail the invitation of somebody added or imported once more; it lives three days.",
)
_step(
    "represent",
    members.hand_over,
    "represents the account",
    "Make WHO the representative of their account, as its customer asked.",
)
_step(
    "remove",
    members.remove,
    "removed",
    "Remove WHO: they sign in no more, and what they are registered for ends with it.",
    _YES_TO_PERSON,
)
_step(
    "end-sessions",
    operator_actions.end_sessions,
    "signed out everywhere",
    "Sign WHO out everywhere.",
)
_step(
    "lock",
    operator_actions.lock,
    "locked",
    "Sign WHO out everywhere and let them in no more.",
    _REASON,
)
_step(
    "unlock",
    operator_actions.unlock,
    "unlocked",
    "Let WHO sign in again, with the password of before.",
)
_OFF = (
    "Take the second factor of WHO off, because it is lost; they are signed out and told by mail."
)
_step("reset-factor", operator_actions.reset_factor, "no second factor any more", _OFF)
importing(member_commands, "import", member_import.Members, "members", ", with new accounts")


@question(limits, "explain", *_LIMIT, json_option)
def explain(name: str, number: str, as_json: bool, tenant: Tenant) -> None:
    """How many of NAME (e.g. members) the customer or contract NUMBER may have, and how that came
    about.
    """
    found = allowed.usage_of(tenant, name, get_definition(name).find(number))
    if as_json:
        json_out(asdict(found))
        return
    table(
        ["", "count", "of"], [(step.label, step.count, "、".join(step.of)) for step in found.steps]
    )
    click.echo(f"{found.used} / {found.limit}{' (frozen)' if found.used > found.limit else ''}")


@command(limits, "lift", *_LIMIT, *_LIFT)
def lift(
    name: str, number: str, value: int, reason: str, until: date | None, tenant: Tenant, by: Actor
) -> str:
    """Let NUMBER have VALUE of NAME in place of what the rules give; 0 goes back to those."""
    found = allowed.override(
        tenant, name, get_definition(name).find(number), value, reason, until=until, by=by
    )
    return f"{number}: {found.used} / {found.limit}"


@question(limits, "over", json_option)
def over(as_json: bool, tenant: Tenant) -> None:
    """Who has more than the limit says: they keep what they have and can add nothing."""
    rows = [(name, owner.subject, use.used, use.limit) for name, owner, use in allowed.over(tenant)]
    table(["limit", "owner", "used", "limit is"], rows, as_json)
