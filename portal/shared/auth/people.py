"""The members of an account, looked after by themselves (RENT-10, COM-30), and their profiles (FAC-07).

On pages a member goes by a number that only the server can make, so that nobody counts through them. What is refused
raises RuleBroken (and its kinds Stale, NotFound, LimitReached, TooMany); the caller commits.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from portal.core import (
    YES,
    Actor,
    NotFound,
    RuleBroken,
    Tenant,
    Verdict,
    audit,
    msgid,
    need,
    save_changes,
    session,
)
from portal.shared import mailing
from portal.shared.auth import enrolment, keyring, links, operations, passkeys, sessions, throttling
from portal.shared.auth.models import Account, Member, MemberStatus, Right
from portal.shared.limits import operations as limits

WORDS = (msgid("担当者"), msgid("利用者"))
"""What a tenant may call its accounts' members."""
_ONLY_REPRESENTATIVE = msgid("追加・削除は、代表の方と権限のある方だけが行えます。")
_LAST = msgid("最後のお一人は削除できません。")
_REPRESENTATIVE = msgid("代表の方は削除できません。先に代表を変更してください。")
_MOST_ADDED = 30
_THERE = (Member.status != MemberStatus.REMOVED,)
PROFILE = ("family_name", "given_name", "family_kana", "given_kana", "department", "telephone")
ACCOUNT_PROFILE = {
    "account_name": "name",
    "account_kana": "name_kana",
    "account_telephone": "telephone",
} | {part: part for part in ("postal_code", "prefecture", "city", "street", "building")}


def roster(account_id: int) -> list[Member]:
    """The account's members, the representative first, then as they came."""
    there = select(Member).where(Member.account_id == account_id, *_THERE)
    return list(session().scalars(there.order_by(Member.is_representative.desc(), Member.id)))


limits.counted(
    limits.Counted("members", Member, Member.account_id, Account, _THERE, enrolment.find_account)
)


def number_of(member: Member) -> str:
    """What the member is called in addresses."""
    return number_by_id(member.id)


def number_by_id(member_id: int) -> str:
    """What the member with this primary key is called in addresses."""
    return keyring.number("member", member_id)


def find(account_id: int, number: str) -> Member:
    """The account's own member with this number. Raises NotFound."""
    found = next((member for member in roster(account_id) if number_of(member) == number), None)
    return need(found, NotFound("担当者が見つかりません。"))


def can_manage(tenant: Tenant, who: sessions.SignedIn) -> Verdict:
    """Whether this member adds and removes members: who has the right to, or everyone, as the tenant says."""
    everyone = tenant.sign_in.managed_by == "everyone"
    return YES if everyone or who.may(Right.MANAGE) else Verdict(_ONLY_REPRESENTATIVE)


def can_edit(tenant: Tenant, who: sessions.SignedIn, member: Member) -> Verdict:
    """Whether `who` edits this member: themself, or everybody for who manages them (FAC-08)."""
    return YES if member.id == who.member_id else can_manage(tenant, who)


def can_give_rights(tenant: Tenant, who: sessions.SignedIn, member: Member) -> bool:
    """Whether `who` says what this member may do: who manages them, never of oneself or the representative."""
    return (
        not member.is_representative
        and member.id != who.member_id
        and bool(can_manage(tenant, who))
    )


def can_remove(tenant: Tenant, member: Member, others: int) -> Verdict:
    """Whether this member can be removed: never the last one; the representative only where everyone manages."""
    if not others:
        return Verdict(_LAST)
    if member.is_representative and tenant.sign_in.managed_by != "everyone":
        return Verdict(_REPRESENTATIVE)
    return YES


def add(
    tenant: Tenant, account_id: int, person: enrolment.Person, *, by: Actor, link_base: str
) -> Member:
    """Add a member, with the account's login ID where it has one (RENT-01); a link to set the password is mailed."""
    throttling.count(
        "add-member", f"account\n{account_id}", limit=_MOST_ADDED, window=timedelta(hours=1)
    )
    account = session().get_one(Account, account_id)
    limits.reserve(tenant, "members", account)
    if tenant.sign_in.items == "login_id_email_password":
        person = replace(person, login_id=roster(account_id)[0].login_id)
    member = enrolment.add_member(tenant, account, person, by=by)
    operations.invite(tenant, member, by=by, link_base=link_base)
    return member


def invite_again(tenant: Tenant, member: Member, *, by: Actor, link_base: str) -> None:
    """Mail the link again, the last one dies. The caller commits. Raises RuleBroken, TooMany within a minute."""
    if member.password_hash:
        raise RuleBroken("この方は、すでにパスワードを設定しています。")
    throttling.count("invite-member", f"member\n{member.id}", limit=1, window=timedelta(minutes=1))
    operations.invite(tenant, member, by=by, link_base=link_base)


def remove(tenant: Tenant, member: Member, *, by: Actor) -> None:
    """Remove a member at once and mail the address (RENT-10); the name stays on what was done (COM-33)."""
    account = _locked(member)
    others = [other for other in roster(account.id) if other.id != member.id]
    can_remove(tenant, member, len(others)).require()
    shut_out(member, MemberStatus.REMOVED)
    if member.is_representative:
        member.is_representative, others[0].is_representative = False, True
    audit.record("member.remove", member, by=by, email=member.email)
    mailing.tell(tenant, "member_changed", member, what="removed", representative="")


def _locked(member: Member) -> Account:
    """The member's account, locked, and the member read anew behind it. Raises NotFound for who is removed by now."""
    account: Account = session().get_one(Account, member.account_id, with_for_update=True)
    session().refresh(member)
    if member.status == MemberStatus.REMOVED:
        raise NotFound("担当者が見つかりません。")
    return account


def shut_out(member: Member, status: MemberStatus) -> None:
    """Take away every way in: sessions, links, known browsers, and the name one signs in with, which is free again."""
    member.status = status
    member.login_key = f"{status}\n{member.id}"
    sessions.end_all(member.id)
    links.revoke(member.id)
    sessions.forget_devices(member.id)
    passkeys.forget_all(member.id)


def hand_over(tenant: Tenant, to: Member, *, by: Actor) -> None:
    """代表を変更: make `to` the representative in place of whoever is (COM-30). The caller commits."""
    _locked(to)
    if not to.password_hash:
        raise RuleBroken("パスワードの設定が済んでいない方は、代表になれません。")
    before = [
        member
        for member in roster(to.account_id)
        if member.is_representative and member.id != to.id
    ]
    for member in before:
        member.is_representative = False
    to.is_representative = True
    audit.record("account.representative", to, by=by, representative=to.name)
    for member in (to, *before):
        mailing.tell(
            tenant, "member_changed", member, what="representative", representative=to.name
        )


def read_profile(member_id: int) -> dict[str, Any]:
    """The profile as the form shows it, with the versions it is based on."""
    member = session().get_one(Member, member_id)
    account = session().get_one(Account, member.account_id)
    values = {name: getattr(member, name) for name in PROFILE}
    values |= {name: getattr(account, column) for name, column in ACCOUNT_PROFILE.items()}
    return values | {"version": member.version, "account_version": account.version}


def save_profile(tenant: Tenant, member_id: int, data: dict[str, Any], *, by: Actor) -> None:
    """Save what changed of a member, and of the account if they represent it and the form has it. Raises Stale."""
    member = session().get_one(Member, member_id)
    wanted = {name: data[name] for name in (*PROFILE, "rights") if name in data}
    pairs = save_changes(member, int(data["version"]), wanted)
    if member.is_representative and "account_version" in data:
        account = session().get_one(Account, member.account_id)
        of_account = {column: data[name] for name, column in ACCOUNT_PROFILE.items()}
        changed = save_changes(account, int(data["account_version"]), of_account)
        pairs |= {f"account_{name}": pair for name, pair in changed.items()}
    if pairs:
        audit.record("member.profile", member, by=by, **pairs)
        tell_changes(tenant, "profile_changed", [member])


def tell_changes(tenant: Tenant, event: str, whom: Iterable[Member], **said: Any) -> None:
    """会員情報変更のお知らせ to the persons concerned, where the tenant has them told (COM-34). The caller commits."""
    for member in whom if tenant.sign_in.notify_changes else ():
        mailing.tell(tenant, event, member, **said)
