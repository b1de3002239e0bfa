"""An operator writes first: a thread that the customer did not begin (FAC-06)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from portal.config import Tenant
from portal.core import Actor, audit, clock, numbering, session
from portal.shared import notifications
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member, MemberStatus
from portal.shared.inquiries.files import Kept
from portal.shared.inquiries.models import OPERATOR_CHANNEL, Inquiry, Status
from portal.shared.inquiries.operations import append, require_text
from portal.shared.notifications import Kind


@dataclass(frozen=True, slots=True)
class Outreach:
    """What an operator writes.

    The text, what number it is about, and how the thread is labelled in lists.
    """

    body: str
    about: str
    label: str
    files: Sequence[Kept] = ()


def begin(tenant: Tenant, member: Member, outreach: Outreach, *, by: Actor) -> Inquiry:
    """Begin a thread with a message to `member`, who is mailed a notice and finds it unread
    (COM-51, COM-52).

    It stands at 回答済, since it awaits no operator. The caller commits. Raises RuleBroken for a
    text that is none or too long.
    """
    require_text(outreach.body)
    now = clock.now()
    inquiry = Inquiry(
        number=numbering.next_number("inquiry", tenant.numbers["inquiry"]),
        account_id=member.account_id,
        member_id=member.id,
        name=member.name,
        email=member.email,
        # The last category is for everything else; the label says what it really is.
        category=tenant.inquiries.categories[-1].key,
        label=outreach.label,
        about=outreach.about,
        fields=[],
        channel=OPERATOR_CHANNEL,
        status=Status.ANSWERED,
        created_at=now,
        updated_at=now,
        answered_at=now,
    )
    session().add(inquiry)
    session().flush()
    append(inquiry, "operator", by.name, outreach.body, outreach.files)
    audit.record("inquiry.begin", inquiry, by=by, about=outreach.about)
    _notify(tenant, inquiry, outreach.body)
    return inquiry


def _notify(tenant: Tenant, inquiry: Inquiry, body: str) -> None:
    """Mail the member a link, and the text where the tenant allows it (COM-52)."""
    text = body if tenant.inquiries.text_in_mail else ""
    notifications.send(
        tenant,
        Kind.INQUIRIES,
        "inquiry_begun",
        inquiry.email,
        account_id=inquiry.account_id,
        inquiry=inquiry,
        link=tenant.url_to("inquiries.thread", number=inquiry.number),
        text=text,
    )


def find_recipient(account_id: int, email: str) -> Member:
    """The account's active member with this address, else its representative.

    The contact may have left.
    """
    criteria = (
        Member.account_id == account_id,
        Member.email == email,
        Member.status == MemberStatus.ACTIVE,
    )
    found = session().scalars(select(Member).where(*criteria).limit(1)).one_or_none()
    return found or accounts.representative(session().get_one(Account, account_id))
