"""Who may do what to whom within an account: its members, their rights, and who represents it
(COM-30, RENT-10).

Pages ask with the signed-in member as the request found them; operations ask again behind the
account's lock, with the member as the database has them then (`acting`). Nobody grants what they do
not hold, nor anything to themselves, and only the representative, or an operator, makes somebody
else the representative.
"""

from typing import Protocol

from portal.config import Tenant
from portal.core import ALLOWED, Actor, Decision, NotFound, RuleBroken, gettext_noop, session
from portal.shared.accounts.models import USUAL_RIGHTS, Member, MemberStatus, Right

_ONLY_MANAGERS = gettext_noop("追加・削除は、代表の方と権限のある方だけが行えます。")
_ONLY_REPRESENTATIVE = gettext_noop("代表の変更は、代表の方だけが行えます。")
_LAST = gettext_noop("最後のお一人は削除できません。")
_REPRESENTATIVE = gettext_noop("代表の方は削除できません。先に代表を変更してください。")
_ONLY_THEMSELF = gettext_noop("代表の方の情報は、ご本人だけが変更できます。")
_NOT_HELD = gettext_noop("ご自身にない権限の付与や取り消しはできません。")
_NOT_YOURS_TO_GIVE = gettext_noop("この方の「できること」は変更できません。")


class Holder(Protocol):
    """Who holds rights: the member behind a request, or their row."""

    @property
    def member_id(self) -> int:
        """The member's primary key."""

    @property
    def is_representative(self) -> bool:
        """Whether they represent the account."""

    def may(self, right: Right) -> Decision:
        """Whether the account lets them do such things."""


def acting(by: Actor) -> Member | None:
    """The member who acts, as the database has them now.

    None for operators, the system and who has no account yet. Raises NotFound for a member who was
    removed or locked since their request came in.
    """
    if by.member_id is None:
        return None
    who: Member = session().get_one(Member, by.member_id, populate_existing=True)
    # Read anew: they may have been locked, or lost a right, since the request began.
    if who.status != MemberStatus.ACTIVE:
        raise NotFound("担当者が見つかりません。")
    return who


def held_by(who: Holder) -> frozenset[Right]:
    """All rights that `who` holds; the representative holds every one."""
    return frozenset(right for right in Right if who.may(right))


def from_text(rights: str) -> frozenset[Right]:
    """The rights that a member's column lists; what is no right is dropped."""
    listed = rights.split(",")
    return frozenset(right for right in Right if right.value in listed)


def to_text(rights: frozenset[Right]) -> str:
    """`rights` as a member's column keeps them: in their usual order, between commas."""
    return ",".join(right.value for right in Right if right in rights)


def usual_for(by: Actor) -> str:
    """The usual rights of a new member, as far as whoever adds them holds them."""
    who = acting(by)
    usual = frozenset(USUAL_RIGHTS)
    if who is not None:
        usual &= held_by(who)
    return to_text(usual)


def can_manage(tenant: Tenant, who: Holder) -> Decision:
    """Whether this member adds and removes members.

    Who has the right to, or everyone, as the tenant says.
    """
    if tenant.sign_in.managed_by == "everyone" or who.may(Right.MANAGE):
        return ALLOWED
    return Decision(_ONLY_MANAGERS, is_forbidden=True)


def can_edit(tenant: Tenant, who: Holder, member: Member) -> Decision:
    """Whether `who` edits this member: themself, or the others for who manages them (FAC-08).

    Nobody else changes what the representative is called: mails and documents are addressed to that
    name.
    """
    if member.id == who.member_id:
        return ALLOWED
    if member.is_representative:
        return Decision(_ONLY_THEMSELF, is_forbidden=True)
    return can_manage(tenant, who)


def can_give_rights(tenant: Tenant, who: Holder, member: Member) -> bool:
    """Whether `who` says what this member may do.

    Who manages them, never of oneself or the representative.
    """
    is_other = member.id != who.member_id and not member.is_representative
    return is_other and bool(can_manage(tenant, who))


def can_hand_over(who: Holder) -> Decision:
    """Whether this member makes somebody else the representative.

    The representative alone (COM-30).
    """
    if not who.is_representative:
        return Decision(_ONLY_REPRESENTATIVE, is_forbidden=True)
    return ALLOWED


def can_remove(tenant: Tenant, who: Holder | None, member: Member, others: int) -> Decision:
    """Whether `who` (None for an operator) removes this member, one of `others` + 1.

    Never the last one. Where everyone manages, the representative leaves by themself, and the next
    one represents; to remove somebody else who does would be to choose the representative.
    """
    # An account without anybody could be signed in to by nobody, and nobody could leave it.
    if not others:
        return Decision(_LAST)
    if not member.is_representative:
        return ALLOWED
    is_themself = who is None or who.member_id == member.id
    if tenant.sign_in.managed_by == "everyone" and is_themself:
        return ALLOWED
    return Decision(_REPRESENTATIVE)


def require_held(by: Actor, rights: str) -> None:
    """Refuse to give a new member what whoever adds them does not hold.

    Raises RuleBroken at "rights".
    """
    who = acting(by)
    if who is not None and not from_text(rights) <= held_by(who):
        raise RuleBroken(_NOT_HELD, field="rights")


def require_change(tenant: Tenant, who: Holder | None, member: Member, wanted: str) -> None:
    """Refuse a change of `member`'s rights to `wanted` that `who` (None for an operator) may not
    make.

    Raises RuleBroken at "rights": of oneself, of the representative, or of a right that `who` does
    not hold.
    """
    # Given and taken alike: whoever lacks a right cannot take it from somebody either.
    changed = from_text(member.rights) ^ from_text(wanted)
    if who is None or not changed:
        return
    if not can_give_rights(tenant, who, member):
        raise RuleBroken(_NOT_YOURS_TO_GIVE, field="rights")
    if not changed <= held_by(who):
        raise RuleBroken(_NOT_HELD, field="rights")
