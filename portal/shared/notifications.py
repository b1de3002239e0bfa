"""Which mails a member gets, and how: at once, once a day, or not at all. Mails about security come
always.

What comes once a day is kept as one line each, and mailed together in the morning by the worker.
"""

from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.config import Tenant
from portal.core import (
    ID,
    Actor,
    Base,
    LabelledEnum,
    TenantOwned,
    audit,
    clock,
    gettext_noop,
    session,
    tenant_fk,
    tenant_table_args,
)
from portal.shared import mailing
from portal.shared.accounts.models import Member, MemberStatus, Right

DIGEST_HOUR = 8
"""When the day's mail is sent, in Asia/Tokyo."""


class Kind(LabelledEnum):
    """What a mail is about, as members choose."""

    STATUS = "status", gettext_noop("ご予約・お取引の状況")
    REMINDERS = "reminders", gettext_noop("ご利用前のご案内")
    INQUIRIES = "inquiries", gettext_noop("お問い合わせ")


class How(LabelledEnum):
    """When it is mailed."""

    AT_ONCE = "at_once", gettext_noop("すぐに受け取る")
    DAILY = "daily", gettext_noop("1日1回まとめて受け取る")
    OFF = "off", gettext_noop("受け取らない")


class DigestLine(TenantOwned, Base):
    """What a member will be told in the morning."""

    __tablename__ = "digest_line"
    member_id: Mapped[int] = mapped_column(ID)
    said: Mapped[str] = mapped_column(String(300))
    link: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("member_id", "member"),
        Index("ix_digest_line_due", "tenant_id", "created_at", "id"),
    )


def chosen(member: Member) -> dict[Kind, How]:
    """How the member gets each kind."""
    return {kind: How(member.mail_choices.get(kind.value, How.AT_ONCE)) for kind in Kind}


def choose(member: Member, wanted: dict[Kind, How], *, by: Actor) -> None:
    """Take the member's choice. The caller commits."""
    # All kinds are kept, also those that are as usual: another usual choice changes nobody's.
    before = chosen(member)
    after = chosen(member) | wanted
    member.mail_choices = {kind.value: how.value for kind, how in after.items()}
    changes = {
        kind.value: [before[kind].value, how.value]
        for kind, how in after.items()
        if before[kind] is not how
    }
    audit.record("member.choose_mail", member, by=by, **changes)


def send(
    tenant: Tenant,
    kind: Kind,
    event: str,
    to: str,
    *,
    account_id: int | None = None,
    **context: object,
) -> None:
    """Mail `event` to an address as the member who has it wants this kind.

    Who is no member gets it at once. A `link` in the context leads on from the line in the day's
    mail. The template sees `may_see_amounts`: whether the account lets this reader see what it
    pays. The caller commits.
    """
    member = _active_member(account_id, to)
    # A mail shows no more than the page does to who reads it.
    context["may_see_amounts"] = member is not None and member.may(Right.BILLING)
    if member is None or chosen(member)[kind] is How.AT_ONCE:
        mailing.compose(tenant, event, to, account_id=account_id, **context)
    elif chosen(member)[kind] is How.DAILY:
        subject, _letter = mailing.render(tenant, event, **context)
        line = DigestLine(
            member_id=member.id,
            said=subject.removeprefix(f"【{tenant.name}】")[:300],
            link=str(context.get("link", ""))[:300],
        )
        line.created_at = clock.now()
        session().add(line)


def _active_member(account_id: int | None, email: str) -> Member | None:
    """The account's member who has this address and may sign in, if there is one."""
    if account_id is None:
        return None
    own = select(Member).where(Member.account_id == account_id, Member.email == email)
    return session().scalars(own.where(Member.status == MemberStatus.ACTIVE).limit(1)).one_or_none()


def mail_digests(tenant: Tenant) -> int:
    """Mail what has waited until this morning, one mail a member; returns how many.

    The caller commits. Index: ix_digest_line_due.
    """
    due = (
        select(DigestLine)
        .where(DigestLine.created_at < _last_morning())
        .order_by(DigestLine.member_id, DigestLine.id)
        # Locked: of two workers the second waits, and then finds no lines any more.
        .with_for_update()
    )
    mailed = 0
    for member_id, group in groupby(session().scalars(due).all(), attrgetter("member_id")):
        lines = list(group)
        member = session().get_one(Member, member_id)
        # Lines of who was locked since go without a mail: they would never be due again.
        if member.status == MemberStatus.ACTIVE:
            mailing.notify(tenant, "digest", member, lines=lines)
            mailed += 1
        for line in lines:
            session().delete(line)
    return mailed


def _last_morning() -> datetime:
    """The last time that it was DIGEST_HOUR in Asia/Tokyo."""
    now = clock.to_local(clock.now())
    morning = now.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    if morning > now:
        morning -= timedelta(days=1)
    return morning
