"""What an operator does for members and accounts: lock, help back in, look, merge (OPS-13).

The caller commits.
"""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Mapper

from portal.config import Tenant
from portal.core import (
    ALLOWED,
    Actor,
    Decision,
    RuleBroken,
    TenantOwned,
    audit,
    clock,
    gettext_noop,
    states,
)
from portal.core.db import Base, session, update_where
from portal.shared import mailing
from portal.shared.accounts.models import Account, AccountStatus, Factor, Member, MemberStatus
from portal.shared.auth import links, passkeys, second_factor, sessions

NEWEST = 10
_MOST_TAGS = 9
_MOVES = {
    MemberStatus.ACTIVE: frozenset({MemberStatus.LOCKED}),
    MemberStatus.LOCKED: frozenset({MemberStatus.ACTIVE}),
}
_SAME = gettext_noop("同じ会員どうしは統合できません。")
_INTO_WITHDRAWN = gettext_noop("退会した会員へは統合できません。")
_ERASED = gettext_noop("個人情報を消去した会員は統合できません。")
_NOT_ACTIVE = gettext_noop("この担当者は停止されています。停止を解除してからお手続きください。")


def lock(member: Member, reason: str = "", *, by: Actor) -> None:
    """Let a member in no more: sessions end, mailed links die.

    Raises RuleBroken unless the member is active.
    """
    states.move(Member.locked(member.id), MemberStatus.LOCKED, _MOVES, by=by)
    _throw_out(member)
    audit.record("member.lock", member, by=by, reason=reason)


def unlock(member: Member, *, by: Actor) -> None:
    """Let a locked member in again, with the password of before.

    Raises RuleBroken unless the member is locked.
    """
    states.move(Member.locked(member.id), MemberStatus.ACTIVE, _MOVES, by=by)
    audit.record("member.unlock", member, by=by)


def end_sessions(member: Member, *, by: Actor) -> None:
    """Sign a member out everywhere."""
    sessions.end_all(member.id)
    audit.record("member.end_sessions", member, by=by)


def can_be_mailed_a_link(member: Member) -> Decision:
    """Whether a link would open anything: not for who is locked."""
    if member.status != MemberStatus.ACTIVE:
        return Decision(_NOT_ACTIVE)
    return ALLOWED


def reset_factor(tenant: Tenant, member: Member, *, by: Actor) -> None:
    """A lost second factor: back to none, with everything that stood in for it.

    The member is told (COM-13).
    """
    # Passkeys go too: who lost the phone lost them with it, and so may whoever found it.
    Member.locked(member.id)
    before = member.second_factor
    member.second_factor = Factor.OFF
    member.totp_nonce = ""
    second_factor.void_recovery_codes(member.id)
    passkeys.forget_all(member.id)
    sessions.trust_none(member.id)
    _throw_out(member)
    factor = [before.value, Factor.OFF.value]
    audit.record("member.reset_factor", member, by=by, factor=factor)
    what = second_factor.factor_of(tenant, member).value  # where all must have one, a mailed code
    mailing.notify(tenant, "second_factor_changed", member, what=what)


def require_change(member: Member | None, *, by: Actor) -> int:
    """Have a member, or everybody (None), set a new password at the next page (RENT-03).

    Returns how many.
    """
    filters = [Member.status != MemberStatus.REMOVED, ~Member.must_change_password]
    if member is not None:
        filters.append(Member.id == member.id)
    asked = update_where(Member, *filters, must_change_password=True)
    audit.record("member.require_change", member or "members:all", by=by, asked=asked)
    return asked


def tag(text: str) -> str:
    """A tag as it is kept: letters, digits and hyphens. Raises ValueError for anything else."""
    if not re.fullmatch(r"[^\W_](?:[^\W_]|-){0,29}", text):
        raise ValueError("write letters, digits and hyphens, at most 30")
    return text


def set_tags(account: Account, tags: Iterable[str], *, by: Actor) -> None:
    """Sort a customer by these tags and no others (COM-60). Raises RuleBroken for more than fit."""
    kept = sorted(set(tags))
    if len(kept) > _MOST_TAGS:
        raise RuleBroken("タグは%(most)s個までです。", most=_MOST_TAGS)
    before = account.tags
    account.tags = "".join(f",{one}" for one in kept) + ","
    audit.record("account.tag", account, by=by, tags=[before, account.tags])


def overview(account: Account) -> dict[str, Any]:
    """All that is known about an account.

    Its data, members, living sessions, rows that are its own, newest events. The dictionary is what
    the command prints, also as JSON: Any, since each part has another shape.
    """
    members = (
        session()
        .scalars(select(Member).where(Member.account_id == account.id).order_by(Member.id))
        .all()
    )
    mine = (audit.AuditEvent.account_id == account.id) | (
        audit.AuditEvent.subject == account.subject
    )
    events = (
        select(audit.AuditEvent)
        .where(mine)
        .order_by(audit.AuditEvent.sequence.desc())
        .limit(NEWEST)
    )
    counts = {
        mapper.local_table.description: _count(mapper, account) for mapper in tables_of_accounts()
    }
    return {
        "account": _account_row(account),
        "members": [_member_row(member) for member in members],
        "rows": counts,
        "events": [_event_row(event) for event in session().scalars(events)],
    }


def _account_row(account: Account) -> dict[str, object]:
    names = [column.key for column in Account.__table__.columns]
    row = {name: getattr(account, name) for name in names if name not in ("id", "tenant_id")}
    row["tags"] = account.tags.strip(",")
    return row


def _event_row(event: audit.AuditEvent) -> dict[str, object]:
    return {
        "at": clock.to_local(event.at),
        "who": event.actor_name,
        "action": event.action,
        "subject": event.subject,
    }


def _member_row(member: Member) -> dict[str, object]:
    return {
        "login id": member.login_id,
        "name": member.name,
        "e-mail": member.email,
        "status": member.status.value,
        "role": "代表" if member.is_representative else "",
        "sessions": len(sessions.alive(member.id)),
    }


def _count(mapper: Mapper[TenantOwned], account: Account) -> int:
    counting = select(func.count()).select_from(mapper.class_)
    return session().scalar(counting.where(mapper.columns["account_id"] == account.id)) or 0


def tables_of_accounts() -> list[Mapper[TenantOwned]]:
    """What is mapped and has rows of an account, by the tables' names."""
    # By the column and not by a list: a new module's table is counted, and merged, as all others.
    found = [
        mapper
        for mapper in Base.registry.mappers
        if issubclass(mapper.class_, TenantOwned) and "account_id" in mapper.columns
    ]
    return sorted(found, key=_table_name)


def _table_name(mapper: Mapper[TenantOwned]) -> str:
    return str(mapper.local_table.description)


def can_merge(source: Account, target: Account) -> Decision:
    """Whether `target` may take over all that `source` has."""
    if source.id == target.id:
        return Decision(_SAME)
    if target.status != AccountStatus.ACTIVE:
        return Decision(_INTO_WITHDRAWN)
    if source.erased_at is not None:
        return Decision(_ERASED)
    return ALLOWED


def merge(source: Account, target: Account, *, by: Actor) -> dict[str, int]:
    """Give all of `source` but its audit trail (COM-90) to `target` and withdraw it.

    Returns rows moved, by table.
    """
    # Both are locked in the order of their ids, whichever is merged into which: two merges of the
    # same two accounts, the other way round, wait for one another and not for ever.
    both = select(Account).where(Account.id.in_((source.id, target.id))).order_by(Account.id)
    session().scalars(both.with_for_update().execution_options(populate_existing=True)).all()
    can_merge(source, target).require()
    led = select(Member.id).where(Member.account_id == target.id, Member.is_representative).limit(1)
    # Only one member represents an account: where there is one, those who come over step back.
    if session().scalar(led.where(Member.status != MemberStatus.REMOVED)):
        update_where(Member, Member.account_id == source.id, is_representative=False)
    moved: dict[str, int] = {}
    for mapper in tables_of_accounts():
        if mapper.class_ is not audit.AuditEvent:
            moved[mapper.local_table.description] = update_where(
                mapper.class_, mapper.columns["account_id"] == source.id, account_id=target.id
            )
    # The statements went past the rows in memory, which still name the account of before.
    session().expire_all()
    source.status = AccountStatus.WITHDRAWN
    source.withdrawn_at = source.withdrawn_at or clock.now()
    audit.record("account.merge", source, by=by, into=target.number, moved=moved)
    audit.record("account.take_in", target, by=by, merged=source.number)
    return moved


def _throw_out(member: Member) -> None:
    sessions.end_all(member.id)
    links.revoke(member.id)
