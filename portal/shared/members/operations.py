"""The members of an account, looked after by themselves (RENT-10, COM-30), and their profiles
(FAC-07).

On pages a member goes by a number that only the server can make, so that nobody counts through
them. What is refused raises RuleBroken (and its kinds Stale, NotFound, LimitReached, TooMany); the
caller commits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from portal.config import Tenant
from portal.core import (
    Actor,
    NotFound,
    RuleBroken,
    audit,
    gettext_noop,
    require,
    save_changes,
    session,
    signer,
    text,
)
from portal.shared import mailing
from portal.shared.accounts import account_hooks, rights
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member, MemberStatus, Right
from portal.shared.auth import links, passkeys, password_reset, sessions, throttling
from portal.shared.limits import operations as limits
from portal.shared.limits.definitions import LimitDefinition

WORDS = (gettext_noop("担当者"), gettext_noop("利用者"))
"""What a tenant may call its accounts' members."""
_KEPT = gettext_noop("この方は削除できません。%(what)s%(remedy)s")
_MOST_ADDED = 30
_MOST_TRIED = 60
_THERE = (Member.status != MemberStatus.REMOVED,)
LIMIT = LimitDefinition(
    name="members",
    usual=50,
    model=Member,
    by=Member.account_id,
    owner=Account,
    where=_THERE,
    find=accounts.find_account,
)
"""How many members an account may have (COM-41)."""
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


def roster_by_reading(account_id: int) -> list[Member]:
    """The account's members as lists show them: the representative first, then by セイ and メイ
    (五十音順), and who has no reading behind them by name.
    """
    return sorted(roster(account_id), key=_reading_order)


def _reading_order(member: Member) -> tuple[object, ...]:
    family = text.reading_order(member.family_kana)
    given = text.reading_order(member.given_kana)
    return not member.is_representative, family, given, member.name, member.id


def number_of(member: Member) -> str:
    """What the member is called in addresses."""
    return number_by_id(member.id)


def number_by_id(member_id: int) -> str:
    """What the member with this primary key is called in addresses."""
    return signer.number("member", member_id)


def find(account_id: int, number: str) -> Member:
    """The account's own member with this number. Raises NotFound."""
    found = next((member for member in roster(account_id) if number_of(member) == number), None)
    return require(found, NotFound("担当者が見つかりません。"))


def add(tenant: Tenant, account_id: int, person: accounts.Person, *, by: Actor) -> Member:
    """Add a member, with the account's login ID where it has one (RENT-01).

    A link to set the password is mailed. The representative is told when somebody else adds one.
    Raises RuleBroken, LimitReached, TooMany.
    """
    throttling.count(
        "add-member", f"account\n{account_id}", limit=_MOST_ADDED, window=timedelta(hours=1)
    )
    account = session().get_one(Account, account_id)
    limits.reserve(tenant, "members", account)
    # Behind the lock of the limit: a right that was taken meanwhile adds nobody any more.
    who = rights.acting(by)
    if who is not None:
        rights.can_manage(tenant, who).require()
    if tenant.sign_in.items == "login_id_email_password":
        person = replace(person, login_id=roster(account_id)[0].login_id)
    member = accounts.add_member(tenant, account, person, by=by)
    password_reset.invite(tenant, member, by=by)
    _tell_rights(tenant, _others_in_charge(member, by), member, before=frozenset(), by=by)
    return member


def count_check(account_id: int) -> None:
    """Count that an address or login ID was tried: whoever asks for many waits.

    Commits. Raises TooMany.
    """
    with throttling.lasting():
        throttling.count(
            "check-member", f"account\n{account_id}", limit=_MOST_TRIED, window=timedelta(hours=1)
        )


def check_new(
    tenant: Tenant, account_id: int, data: Mapping[str, str | None], *, by: Actor
) -> None:
    """What stands in the way of adding this person, asked before the last press.

    Raises RuleBroken at its field. Of other customers nobody learns anything by it: see
    `accounts.require_free`.
    """
    login_id = data.get("login_id")
    if login_id:
        accounts.check_login_id(login_id)
    accounts.require_free(
        tenant, account_id, login_id=data.get("login_id") or "", email=data["email"] or ""
    )
    rights.require_held(by, data["rights"] or "")


def invite_again(tenant: Tenant, member: Member, *, by: Actor) -> None:
    """Mail the link again, the last one dies.

    The caller commits. Raises RuleBroken, TooMany within a minute.
    """
    _locked(member)
    who = rights.acting(by)
    if who is not None:
        rights.can_manage(tenant, who).require()
    if member.password_hash:
        raise RuleBroken("この方は、すでにパスワードを設定しています。")
    throttling.count("invite-member", f"member\n{member.id}", limit=1, window=timedelta(minutes=1))
    password_reset.invite(tenant, member, by=by)


def open_business(tenant: Tenant, account_id: int) -> dict[int, list[account_hooks.OpenBusiness]]:
    """What keeps members of the account from being removed, by the member's id (SUP-04)."""
    found: dict[int, list[account_hooks.OpenBusiness]] = {}
    for hooks in account_hooks.hooks_of(tenant):
        for member_id, business in hooks.member_business(tenant, account_id).items():
            found.setdefault(member_id, []).extend(business)
    return found


def losses(tenant: Tenant, member: Member) -> list[RuleBroken]:
    """What ends with the member's sign-in, one sentence each."""
    return [
        loss
        for hooks in account_hooks.hooks_of(tenant)
        for loss in hooks.member_losses(tenant, member)
    ]


def _others(member: Member) -> list[Member]:
    """Who else signs in for the member's account."""
    return [other for other in roster(member.account_id) if other.id != member.id]


def check_removal(tenant: Tenant, member: Member, who: Member | None) -> None:
    """Refuse what keeps `who` (None for an operator) from removing this member.

    Raises RuleBroken.
    """
    rights.can_remove(tenant, who, member, len(_others(member))).require()
    for business in open_business(tenant, member.account_id).get(member.id, ()):
        remedy = RuleBroken(business.remedy)
        raise RuleBroken(_KEPT, what=business.message, remedy=remedy)


def remove(tenant: Tenant, member: Member, *, by: Actor) -> None:
    """Remove a member at once and mail the address (RENT-10).

    The name stays on what was done (COM-33). What a brand has them for ends with it. Raises
    RuleBroken for who cannot be removed, or must first hand over.
    """
    _locked(member)
    who = rights.acting(by)
    if who is not None:
        rights.can_manage(tenant, who).require()
    check_removal(tenant, member, who)
    end(tenant, member, by=by)
    shut_out(member, MemberStatus.REMOVED)
    # There is always one who represents the account: the next in the roster's order.
    if member.is_representative:
        member.is_representative = False
        _others(member)[0].is_representative = True
    audit.record("member.remove", member, by=by, email=member.email)
    mailing.notify(tenant, "member_changed", member, what="removed", representative="")


def end(tenant: Tenant, member: Member, *, by: Actor) -> None:
    """End what brands have the member for, who is about to lose the sign-in."""
    for hooks in account_hooks.hooks_of(tenant):
        hooks.end_member(tenant, member, by)


def _locked(member: Member) -> Account:
    """The member's account, locked, and the member read anew behind it.

    Raises NotFound for who is removed by now.
    """
    account: Account = session().get_one(Account, member.account_id, with_for_update=True)
    # Anew behind the lock: rights and the representative change only for who holds it.
    session().refresh(member)
    if member.status == MemberStatus.REMOVED:
        raise NotFound("担当者が見つかりません。")
    return account


def shut_out(member: Member, status: MemberStatus) -> None:
    """Take away every way in.

    Sessions, links, known browsers, and the name one signs in with, which is free again.
    """
    # The status and the id make it unique, and no sign-in page asks for anything that looks so.
    member.status = status
    member.login_key = f"{status}\n{member.id}"
    sessions.end_all(member.id)
    links.revoke(member.id)
    sessions.forget_devices(member.id)
    passkeys.forget_all(member.id)


def hand_over(tenant: Tenant, member: Member, *, by: Actor) -> None:
    """代表を変更: make `member` the representative in place of whoever is (COM-30).

    The caller commits.

    Of two hand-overs in flight the second finds that its sender represents nobody any more. Raises
    RuleBroken.
    """
    _locked(member)
    who = rights.acting(by)
    if who is not None:
        rights.can_hand_over(who).require()
    if not member.password_hash:
        raise RuleBroken("パスワードの設定が済んでいない方は、代表になれません。")
    before = [
        other
        for other in roster(member.account_id)
        if other.is_representative and other.id != member.id
    ]
    for other in before:
        other.is_representative = False
    member.is_representative = True
    audit.record("account.representative", member, by=by, representative=member.name)
    for concerned in (member, *before):
        mailing.notify(
            tenant, "member_changed", concerned, what="representative", representative=member.name
        )


def read_profile(member_id: int) -> dict[str, str | int]:
    """The profile as the form shows it, with the versions it is based on."""
    member = session().get_one(Member, member_id)
    account = session().get_one(Account, member.account_id)
    values: dict[str, str | int] = {name: getattr(member, name) for name in PROFILE}
    values |= {name: getattr(account, column) for name, column in ACCOUNT_PROFILE.items()}
    values["version"] = member.version
    values["account_version"] = account.version
    return values


def save_profile(
    tenant: Tenant, member_id: int, data: Mapping[str, str | int | None], *, by: Actor
) -> None:
    """Save what changed of a member, and of the account if they represent it and the form has it.

    Who may do so is looked at behind the account's lock: a right that was taken since the form was
    confirmed gives nothing any more. The caller commits. Raises Stale, NotFound for who was
    removed, RuleBroken.
    """
    member = session().get_one(Member, member_id)
    account = _locked(member)
    who = rights.acting(by)
    if who is not None:
        rights.can_edit(tenant, who, member).require()
    # Forms have what the reader may change: what is absent from them stays as it is.
    wanted = {name: data[name] for name in PROFILE if name in data}
    before = rights.from_text(member.rights)
    if "rights" in data:
        asked = str(data["rights"] or "")
        rights.require_change(tenant, who, member, asked)
        # Compared as sets: their order in the column says nothing.
        if before != rights.from_text(asked):
            wanted["rights"] = asked
    pairs = save_changes(member, int(data["version"] or 0), wanted)
    if "account_version" in data:
        pairs |= _save_account(account, member, data)
    if not pairs:
        return
    audit.record("member.profile", member, by=by, **pairs)
    if "rights" in pairs:
        concerned = [member, *_others_in_charge(member, by, even_oneself=True)]
        _tell_rights(tenant, concerned, member, before=before, by=by)
    if set(pairs) != {"rights"}:
        notify_changes(tenant, "profile_changed", [member])


def _save_account(
    account: Account, member: Member, data: Mapping[str, str | int | None]
) -> dict[str, list[object]]:
    """Save the account's part of a profile; before and after of what changed.

    Raises Stale, RuleBroken.
    """
    wanted = {column: data[name] for name, column in ACCOUNT_PROFILE.items()}
    if not member.is_representative:
        if any((value or "") != getattr(account, name) for name, value in wanted.items()):
            raise RuleBroken("会社の情報は、代表の方だけが変更できます。")
        return {}
    changed = save_changes(account, int(data["account_version"] or 0), wanted)
    return {f"account_{name}": pair for name, pair in changed.items()}


def _others_in_charge(member: Member, by: Actor, *, even_oneself: bool = False) -> list[Member]:
    """Who represents the account besides `member`.

    Not who acts, unless they are told of what they did too.
    """
    return [
        other
        for other in roster(member.account_id)
        if other.is_representative
        and other.id != member.id
        and (even_oneself or other.id != by.member_id)
    ]


def _tell_rights(
    tenant: Tenant,
    recipients: Iterable[Member],
    member: Member,
    *,
    before: frozenset[Right],
    by: Actor,
) -> None:
    """Mail what `member` may do now and might before.

    Always, since whoever steals a session would keep it quiet.
    """
    after = rights.from_text(member.rights)
    # Operators act for the brand: customers are told its company's name, not a person's.
    author = by.name if by.kind == "member" else tenant.company
    for recipient in recipients:
        mailing.notify(
            tenant,
            "rights_changed",
            recipient,
            person=member,
            given=[right.label for right in Right if right in after - before],
            taken=[right.label for right in Right if right in before - after],
            author=author,
        )


def notify_changes(tenant: Tenant, event: str, whom: Iterable[Member], **context: object) -> None:
    """会員情報変更のお知らせ to the persons concerned, where the tenant has them told (COM-34).

    The caller commits.
    """
    if not tenant.sign_in.notify_changes:
        return
    for member in whom:
        mailing.notify(tenant, event, member, **context)
