"""Mailed links that do one thing once (security.md §4.12): 256 random bits, a digest at rest, one
alive each.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, select

from portal.config import Tenant
from portal.core import NotFound, clock, gettext_noop, require, session
from portal.core.signer import digest
from portal.shared import mailing
from portal.shared.accounts.models import Member, of_who_may_sign_in
from portal.shared.auth.models import OneTimeLink

LIFETIME = timedelta(minutes=30)
INVITATION = timedelta(days=3)


class Purpose(StrEnum):
    """What a link is for, and its page. A link of one purpose is dead to every other."""

    SET_PASSWORD = "set-password"  # noqa: S105 - a purpose, no secret
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a purpose, no secret
    NOT_ME = "not-me"
    CHANGE_EMAIL = "change-email"
    PROVE_EMAIL = "prove-email"
    UNDO_EMAIL = "undo-email"

    @property
    def page(self) -> str:
        """Where such a link leads to: a password is set and reset on the same page."""
        if self is Purpose.RESET_PASSWORD:
            return Purpose.SET_PASSWORD.value
        return self.value

    @property
    def endpoint(self) -> str:
        """The view of that page."""
        return f"auth.{self.page.replace('-', '_')}"


WAYS_BACK = frozenset({Purpose.NOT_ME, Purpose.UNDO_EMAIL})
"""What brings the owner back. A newer one does not replace them: whoever broke in could sign in
again, or change the address again, until the link in the owner's mailbox is dead."""
MOVING = tuple(purpose for purpose in Purpose if purpose not in WAYS_BACK)
"""What sets a password or an address. Of these a member has one alive each."""


class DeadLink(NotFound):
    """Used, expired, replaced, foreign or made up: one calm answer for all of them."""

    def __init__(self) -> None:
        super().__init__(
            gettext_noop(
                "このリンクは無効か、期限が切れています。お手数ですが、もう一度お手続きください。"
            )
        )


def issue(
    member_id: int,
    purpose: Purpose,
    *,
    lifetime: timedelta = LIFETIME,
    payload: Mapping[str, str] | None = None,
) -> str:
    """A new link's token; earlier ones of this purpose die, save ways back. The caller commits."""
    if purpose not in WAYS_BACK:
        revoke(member_id, purpose)
    _link, token = OneTimeLink.issue(
        member_id=member_id,
        purpose=purpose,
        payload=dict(payload or {}),
        expires_at=clock.now() + lifetime,
    )
    return token


def mail(
    tenant: Tenant,
    member: Member,
    purpose: Purpose,
    event: str,
    *,
    to: str = "",
    lifetime: timedelta = LIFETIME,
    payload: Mapping[str, str] | None = None,
    context: Mapping[str, object] | None = None,
) -> None:
    """Mail `event` with a new link to the member, or to the address `to`; earlier ones die.

    `payload` is kept with the link, `context` is what the mail's template sees besides. The caller
    commits.
    """
    token = issue(member.id, purpose, lifetime=lifetime, payload=payload)
    now = clock.now()
    seen = dict(context or {})
    seen["member"] = member
    seen["at"] = now
    seen["link"] = tenant.url_to(purpose.endpoint, token=token)
    seen["until"] = now + lifetime
    mailing.compose(tenant, event, to or member.email, account_id=member.account_id, **seen)


def peek(token: str, *purposes: Purpose) -> OneTimeLink:
    """The living link; looking does not use it up, so that a mail scanner's GET changes nothing.

    Who may not sign in any more has no link either. Raises DeadLink.
    """
    # By the digest: comparing it in the database tells nothing of the token, however long it takes.
    named = OneTimeLink.alive(*_named(token, purposes))
    living = select(OneTimeLink).join(Member, Member.id == OneTimeLink.member_id).where(*named)
    return require(session().scalars(of_who_may_sign_in(living)).one_or_none(), DeadLink())


def use(token: str, *purposes: Purpose) -> OneTimeLink:
    """Use the link up, in the running transaction: of any number at the same moment one wins.

    Raises DeadLink.
    """
    found = peek(token, *purposes)
    if not OneTimeLink.use_up(*_named(token, purposes)):
        raise DeadLink
    return found


def use_locked(token: str, *purposes: Purpose) -> tuple[Member, OneTimeLink]:
    """The member, locked first as everywhere, and their link, used up. Raises DeadLink."""
    # Whose link it is can be read without a lock; only then is there a row to lock first.
    member = Member.locked(peek(token, *purposes).member_id)
    return member, use(token, *purposes)


def revoke(member_id: int, *purposes: Purpose) -> None:
    """Kill the member's living links of these purposes, or of all when none is named."""
    OneTimeLink.use_up(
        OneTimeLink.member_id == member_id, OneTimeLink.purpose.in_(purposes or tuple(Purpose))
    )


def revoke_later(link: OneTimeLink) -> None:
    """Kill the member's living links of this link's purpose that were issued after it."""
    # By id and not by time: two may be of the same instant.
    OneTimeLink.use_up(
        OneTimeLink.member_id == link.member_id,
        OneTimeLink.purpose == link.purpose,
        OneTimeLink.id > link.id,
    )


def _named(token: str, purposes: tuple[Purpose, ...]) -> tuple[ColumnElement[bool], ...]:
    return OneTimeLink.token_digest == digest(token), OneTimeLink.purpose.in_(purposes)
