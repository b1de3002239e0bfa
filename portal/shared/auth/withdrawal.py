"""退会 (COM-16): what stands in its way, what is lost, leaving, and the erasure of what is personal.

What stays: documents that the law makes a brand keep, with the business that they came of, and the audit trail. Names,
addresses, mails and everything that lets somebody in are gone after `erase_after_days`.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import inspect, select

from portal.core import audit, clock, jobs
from portal.core.actor import SYSTEM, Actor
from portal.core.db import Base, change, discard, session
from portal.core.errors import NotFound, RuleBroken, msgid
from portal.core.outbox import OutboxMail
from portal.core.tenancy.guard import TenantOwned
from portal.core.tenancy.schema import Tenant
from portal.core.verdict import YES, Verdict
from portal.shared import mailing
from portal.shared.auth import parts, people
from portal.shared.auth.models import Account, AccountStatus, Member, MemberStatus
from portal.shared.auth.proving import proved

GONE = "退会済みのお客様"
_ONLY_REPRESENTATIVE = msgid("退会のお手続きは、代表の方だけが行えます。")
_OPEN = msgid("お手続き中のものがあるため、退会できません。")
_OF_MEMBER = ("name", "email", "kana", "telephone", "login_id", "department", "password_hash", "nonce")
_OF_ACCOUNT = ("name", "postal_code", "prefecture", "city", "street", "building", "telephone")


def open_business(tenant: Tenant, account: Account) -> list[RuleBroken]:
    """What is still open and keeps the account from leaving, one sentence each."""
    return [what for part in parts.of(tenant) for what in part.open_business(tenant, account)]


def losses(tenant: Tenant, account: Account) -> list[RuleBroken]:
    """What the account loses by leaving, one sentence each."""
    return [what for part in parts.of(tenant) for what in part.losses(tenant, account)]


def can_withdraw(tenant: Tenant, account: Account, *, is_representative: bool) -> Verdict:
    """Whether this member may withdraw the account now."""
    if not is_representative:
        return Verdict(_ONLY_REPRESENTATIVE)
    return Verdict(_OPEN) if open_business(tenant, account) else YES


def by_member(tenant: Tenant, member_id: int, reason: str, password: str, *, by: Actor) -> None:
    """Withdraw the member's account, the password typed once more. Commits.

    Raises RuleBroken at ``password``, or when `can_withdraw` says no; throttling.TooMany.
    """
    member = proved(tenant, member_id, password)
    account = session().get_one(Account, member.account_id, with_for_update=True)
    can_withdraw(tenant, account, is_representative=member.is_representative).require()
    withdraw(tenant, account, reason, by=by)
    session().commit()


def withdraw(tenant: Tenant, account: Account, reason: str, *, by: Actor) -> None:
    """Let the account go: nobody of it signs in again, everybody is told, the erasure is set. The caller commits.

    Names one signs in with are free again at once. Raises RuleBroken when it has left already or business is open.
    """
    session().refresh(account, with_for_update=True)
    if account.status == AccountStatus.WITHDRAWN:
        raise RuleBroken("すでに退会済みです。")
    if open_business(tenant, account):
        raise RuleBroken(_OPEN)
    account.status, account.withdrawn_at = AccountStatus.WITHDRAWN, clock.now()
    for member in people.roster(account.id):
        mailing.tell(tenant, "withdrawn", member)
        people.shut_out(member, MemberStatus.REMOVED)
    audit.record("account.withdraw", account, by=by, reason=reason)
    at = clock.now() + timedelta(days=tenant.erase_after_days)
    jobs.enqueue("accounts.erase", {"account": account.id}, at=at)


def erase(account: Account, *, by: Actor) -> None:
    """Make anonymous what is personal of an account that has left; documents stay. The caller commits.

    Raises RuleBroken while it is one.
    """
    if account.status != AccountStatus.WITHDRAWN:
        raise RuleBroken("退会していない会員の情報は消去できません。")
    for part in parts.every():
        part.erase(account)
    own = select(Member.id).where(Member.account_id == account.id)
    for model in _kept_for_members():
        discard(model, model.member_id.in_(own))
    to_them = OutboxMail.recipient.in_(select(Member.email).where(Member.account_id == account.id))
    discard(OutboxMail, (OutboxMail.account_id == account.id) | to_them)
    change(Member, Member.account_id == account.id, **_empty(Member, _OF_MEMBER) | {"family_name": GONE})
    gone = _empty(Account, _OF_ACCOUNT) | {"name": GONE, "erased_at": clock.now()}
    change(Account, Account.id == account.id, **gone)
    audit.record("account.erase", account, by=by)


def _kept_for_members() -> list[Any]:
    """Everything that hangs on a member alone (sessions, links, codes, drafts, …), what points at others first."""
    tables = list(reversed(Base.metadata.sorted_tables))
    models = [m.class_ for m in Base.registry.mappers if issubclass(m.class_, TenantOwned)]
    hanging = [m for m in models if "member_id" in inspect(m).columns and "account_id" not in inspect(m).columns]
    return sorted(hanging, key=lambda model: tables.index(model.__table__))


def _empty(model: type[Base], names: tuple[str, ...]) -> dict[str, str]:
    """The model's text columns with one of `names` in theirs, emptied."""
    return {c.key: "" for c in inspect(model).columns if any(name in c.key for name in names)}


@jobs.handler("accounts.erase")
def _erase(payload: dict[str, Any]) -> None:
    account = session().get(Account, payload["account"])
    if account is None:
        raise NotFound("会員が見つかりません。")
    if account.status == AccountStatus.WITHDRAWN and account.erased_at is None:
        erase(account, by=SYSTEM)
    session().commit()
