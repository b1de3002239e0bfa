"""退会 (COM-16): what stands in its way, what is lost, leaving, erasure; and
登録データのダウンロード.

What stays: documents that the law makes a brand keep, with the business that they came of, and the
audit trail. Names, addresses, mails and everything that lets somebody in are gone after
`erase_after_days`.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import IO, Any

from sqlalchemy import FromClause, inspect, select
from sqlalchemy.orm import Mapper

from portal.config import Tenant
from portal.core import (
    ALLOWED,
    SYSTEM,
    Actor,
    Decision,
    OutboxMail,
    TenantOwned,
    audit,
    clock,
    csvio,
    jobs,
)
from portal.core.db import (
    Base,
    delete_where,
    emptied_personal,
    execute_core,
    session,
    transaction_mode,
    update_where,
)
from portal.core.errors import NotFound, RuleBroken, gettext_noop, require
from portal.core.zips import Entry, write_zip
from portal.shared import mailing
from portal.shared.accounts import account_hooks
from portal.shared.accounts.models import Account, AccountStatus, Member, MemberStatus
from portal.shared.auth import present_password
from portal.shared.auth.sessions import SignedIn
from portal.shared.members import history
from portal.shared.members import operations as members

GONE = "退会済みのお客様"
_ERASE = "accounts.erase"
_SECRET = {"password_hash", "login_key", "totp_nonce", "totp_step"}
_OURS = {"id", "tenant_id", "account_id", "version", "tags"}
"""What only the program needs, and what operators sort their customers by."""
_MOST_ACTS = 10_000
_ONLY_REPRESENTATIVE = gettext_noop("退会のお手続きは、代表の方だけが行えます。")
_OPEN = gettext_noop("お手続き中のものがあるため、退会できません。")
_WITHDRAWN = gettext_noop("すでに退会済みです。")
_STAYS = gettext_noop("退会していない会員の情報は消去できません。")


def open_business(tenant: Tenant, account: Account) -> list[account_hooks.OpenBusiness]:
    """What is still open and keeps the account from leaving, kind by kind."""
    return [
        business
        for hooks in account_hooks.hooks_of(tenant)
        for business in hooks.open_business(tenant, account)
    ]


def cautions(tenant: Tenant) -> list[str]:
    """What the rules of the brand say beforehand about leaving, as message ids."""
    return [
        caution for hooks in account_hooks.hooks_of(tenant) for caution in hooks.cautions(tenant)
    ]


def losses(tenant: Tenant, account: Account) -> list[RuleBroken]:
    """What the account loses by leaving, one sentence each."""
    return [
        loss for hooks in account_hooks.hooks_of(tenant) for loss in hooks.losses(tenant, account)
    ]


def can_withdraw(tenant: Tenant, account: Account, *, is_representative: bool) -> Decision:
    """Whether this member may withdraw the account now."""
    if not is_representative:
        return Decision(_ONLY_REPRESENTATIVE, is_forbidden=True)
    return _can_end(tenant, account)


def can_be_withdrawn(tenant: Tenant, account: Account) -> Decision:
    """Whether an operator may let the account go now."""
    if account.status == AccountStatus.WITHDRAWN:
        return Decision(_WITHDRAWN)
    return _can_end(tenant, account)


def _can_end(tenant: Tenant, account: Account) -> Decision:
    if open_business(tenant, account):
        return Decision(_OPEN)
    return ALLOWED


def can_erase(account: Account) -> Decision:
    """Whether what is personal of the account may go: not while it is a customer."""
    if account.status != AccountStatus.WITHDRAWN:
        return Decision(_STAYS)
    return ALLOWED


def by_member(tenant: Tenant, who: SignedIn, reason: str, password: str, *, by: Actor) -> None:
    """Withdraw the member's account, the password typed once more.

    Commits. Raises RuleBroken, throttling.TooMany.
    """
    member = present_password.require(tenant, who, password)
    account = session().get_one(Account, member.account_id, with_for_update=True)
    can_withdraw(tenant, account, is_representative=member.is_representative).require()
    withdraw(tenant, account, reason, by=by)
    session().commit()


def withdraw(tenant: Tenant, account: Account, reason: str, *, by: Actor) -> None:
    """Let the account go: everybody is told and out, their names free, the erasure is set.

    Raises RuleBroken.
    """
    session().refresh(account, with_for_update=True)
    can_be_withdrawn(tenant, account).require()
    account.status = AccountStatus.WITHDRAWN
    account.withdrawn_at = clock.now()
    for member in members.roster(account.id):
        mailing.notify(tenant, "withdrawn", member)
        members.end(tenant, member, by=by)
        members.shut_out(member, MemberStatus.REMOVED)
    audit.record("account.withdraw", account, by=by, reason=reason)
    # A job of the same transaction: no account leaves without its erasure being set.
    at = clock.now() + timedelta(days=tenant.erase_after_days)
    jobs.enqueue(_ERASE, {"account": account.id}, at=at)


def erase(account: Account, *, by: Actor) -> None:
    """Make what is personal anonymous; documents stay.

    The caller commits. Raises RuleBroken while it is one.
    """
    can_erase(account).require()
    # First what modules keep: they find it by the account's and the members' names and addresses.
    for hooks in account_hooks.all_hooks():
        hooks.erase(account)
    own = select(Member.id).where(Member.account_id == account.id)
    for mapper in _kept_for_members():
        delete_where(mapper.class_, mapper.columns["member_id"].in_(own))
    # Before the addresses are emptied, by which these mails are found.
    to_them = OutboxMail.recipient.in_(select(Member.email).where(Member.account_id == account.id))
    delete_where(OutboxMail, (OutboxMail.account_id == account.id) | to_them)
    # The rows themselves stay: bills that the law makes a brand keep point at them.
    nobody = emptied_personal(Member) | {"family_name": GONE}
    update_where(Member, Member.account_id == account.id, **nobody)
    no_customer = emptied_personal(Account) | {"name": GONE}
    update_where(Account, Account.id == account.id, **no_customer, erased_at=clock.now())
    audit.record("account.erase", account, by=by)


def _kept_for_members() -> list[Mapper[TenantOwned]]:
    """Everything that hangs on a member alone (sessions, links, codes, drafts, …), what points at
    others first.
    """
    mappers: dict[FromClause, Mapper[TenantOwned]] = {
        mapper.local_table: mapper
        for mapper in Base.registry.mappers
        if issubclass(mapper.class_, TenantOwned)
        and "member_id" in mapper.columns
        and "account_id" not in mapper.columns
    }
    # Metadata sorts tables so that those that others point at come first; here they go last.
    return [mappers[table] for table in reversed(Base.metadata.sorted_tables) if table in mappers]


def _erase(payload: dict[str, Any]) -> None:
    """Erase after the tenant's days; nothing for who came back, or was erased by an operator."""
    account = require(
        session().get(Account, payload["account"]), NotFound("会員が見つかりません。")
    )
    if account.status == AccountStatus.WITHDRAWN and account.erased_at is None:
        erase(account, by=SYSTEM)
    session().commit()


ERASE_JOB = jobs.JobKind(_ERASE, _erase, jobs.Lease(timedelta(minutes=10)))
"""An account may have orders and threads of many years."""


def archive(tenant: Tenant, who: SignedIn, *, by: Actor) -> IO[bytes]:
    """The ZIP, for the caller to close: all of the account for its representative, themself for
    others.

    Audited. Commits, since nobody shall wait to write while the files of many years are packed.
    """
    audit.record("member.export", who, by=by)
    session().commit()
    with transaction_mode("read"):
        return write_zip(_export_files(tenant, who), clock.now())


def _export_files(tenant: Tenant, who: SignedIn) -> Iterator[Entry]:
    """What goes into the ZIP, one file after another."""
    account = session().get_one(Account, who.account_id)
    included = members.roster(account.id)
    if not who.is_representative:
        included = [member for member in included if member.id == who.member_id]
    data = {
        "exported_at": clock.now(),
        "account": _plain(account),
        "members": [_plain(member) for member in included],
    }
    yield "account.json", json.dumps(data, ensure_ascii=False, indent=2, default=str).encode()
    yield "history.csv", b"".join(_acts(who))
    if who.is_representative:
        yield from _files_of(tenant, account)


def _files_of(tenant: Tenant, account: Account) -> Iterator[Entry]:
    """What every module keeps of the account, each file once: documents belong to several."""
    seen = set()
    for hooks in account_hooks.hooks_of(tenant):
        for name, content in hooks.export_files(tenant, account):
            if name not in seen:
                seen.add(name)
                yield name, content


def _plain(row: Base) -> dict[str, object]:
    """A record's own columns, without secrets and what is not the customer's."""
    keys = (column.key for column in inspect(type(row)).columns)
    return {key: getattr(row, key) for key in keys if key not in _SECRET | _OURS}


def _acts(who: SignedIn) -> Iterator[bytes]:
    query = history.list_acts(who, history.LABELS)
    newest = query.statement.order_by(history.AT.desc(), history.TIE.desc()).limit(_MOST_ACTS)
    rows = (
        (r.at, history.LABELS[r.action], r.subject, r.actor_name, r.address)
        for r in execute_core(newest, query.values)
    )
    return csvio.write_csv(rows, ("日時", "内容", "対象", "行った方", "IPアドレス"))
