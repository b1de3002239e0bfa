"""Sending a mail again: as it was, or with a new link where it holds one (OPS-14)."""

from typing import Protocol

from sqlalchemy import select

from portal.config import Tenant
from portal.core import Actor, OutboxMail, RuleBroken, audit, jobs, outbox, session
from portal.core.jobs import WorkStatus
from portal.shared.accounts.models import Member, MemberStatus
from portal.shared.auth import operator_actions, password_reset


class LinkSender(Protocol):
    """An operation that mails a member a new link; earlier ones die. The caller commits."""

    def __call__(self, tenant: Tenant, member: Member, *, by: Actor) -> None:
        """Mail the link."""


_LINK_SENDERS: dict[str, LinkSender] = {
    "set_password": password_reset.invite,
    "reset_password": password_reset.send_reset_link,
}
"""Mails whose link is made anew, by event: the earlier link dies, so that one alone is alive."""


def resend(tenant: Tenant, mail: OutboxMail, *, by: Actor) -> bool:
    """Send a mail again; True when a new one with a new link takes its place. The caller commits.

    Raises RuleBroken when there is nothing left to send: texts are blanked once they are sent.
    """
    send_link = _LINK_SENDERS.get(mail.event)
    member = None
    if send_link is not None:
        member = _member_of(mail)
    # A mail with a link is not sent again as it was: the link may be dead, and its text is a key.
    if send_link is not None and member is not None:
        operator_actions.can_be_mailed_a_link(member).require()
        if mail.status != WorkStatus.DONE:
            jobs.give_up(mail, "a new link was sent instead")
        outbox.blank(mail)
        send_link(tenant, member, by=by)
    elif mail.blanked_at is not None:
        raise RuleBroken(
            "このメールの本文は保存されていないため、再送できません（件名: %(subject)s）。",
            subject=mail.subject,
        )
    else:
        jobs.retry(mail)
    audit.record("mail.retry", f"mail:{mail.id}", by=by)
    return member is not None


def _member_of(mail: OutboxMail) -> Member | None:
    """Who the mail was for, unless they have gone or have another address by now."""
    own = Member.account_id == mail.account_id, Member.email == mail.recipient
    there = select(Member).where(*own, Member.status != MemberStatus.REMOVED)
    return session().scalars(there.order_by(Member.id).limit(1)).one_or_none()
