"""What an account has booked as an iCalendar feed (RFC 5545) at a secret address that can be taken
back (FAC-11).
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import (
    ID,
    Actor,
    Base,
    NotFound,
    TenantOwned,
    audit,
    clock,
    delete_where,
    session,
    tenant_fk,
    tenant_table_args,
)
from portal.core.signer import digest
from portal.shared.accounts.models import Account, AccountStatus, Member, MemberStatus


class CalendarFeed(TenantOwned, Base):
    """A member's secret address of their account's calendar, kept as a digest (FAC-11)."""

    __tablename__ = "calendar_feed"
    member_id: Mapped[int] = mapped_column(ID)
    token_digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        tenant_fk("member_id", "member"),
        UniqueConstraint("tenant_id", "member_id"),
        UniqueConstraint("tenant_id", "token_digest"),
    )


@dataclass(frozen=True, slots=True)
class Event:
    """Something booked.

    `status` is one of the standard's words, `passed` when it came to each state so far.
    """

    number: str
    starts_at: datetime
    ends_at: datetime
    summary: str
    description: str
    status: str
    passed: tuple[datetime, ...]


def has_feed(member_id: int) -> bool:
    """Whether the member has an address now."""
    return (
        session().scalar(select(CalendarFeed.id).where(CalendarFeed.member_id == member_id))
        is not None
    )


def renew(member_id: int, *, by: Actor) -> str:
    """A new secret for the member's address; an earlier one is dead. The caller commits.

    Renewals at the same moment wait for one another behind the member's row: each would else
    remove nothing, and all but the first insert a second address.
    """
    Member.locked(member_id)
    revoke(member_id, by=by)
    token = secrets.token_urlsafe(32)
    session().add(
        CalendarFeed(member_id=member_id, token_digest=digest(token), created_at=clock.now())
    )
    audit.record("calendar.renew", f"member:{by.name}", by=by)
    return token


def revoke(member_id: int, *, by: Actor) -> None:
    """Take the member's address back. The caller commits."""
    if delete_where(CalendarFeed, CalendarFeed.member_id == member_id):
        audit.record("calendar.revoke", f"member:{by.name}", by=by)


def owner(token: str) -> int:
    """The account whose calendar is behind a secret. Raises NotFound for any other."""
    of = select(Member.account_id).join(CalendarFeed, CalendarFeed.member_id == Member.id)
    active = Member.status == MemberStatus.ACTIVE, Account.status == AccountStatus.ACTIVE
    of = of.join(Account, Account.id == Member.account_id).where(
        CalendarFeed.token_digest == digest(token), *active
    )
    if (found := session().scalar(of)) is None:
        raise NotFound("カレンダーが見つかりません。")
    return found


def digest_events(events: Iterable[Event]) -> str:
    """Return a digest that stands for these events: the same ones give the same, in any process.

    Calendar programs ask again and again; writing the feed costs half a millisecond an event, this
    a hundredth of it.
    """
    digested = hashlib.sha256()
    for event in events:
        digested.update(repr(event).encode())
    return digested.hexdigest()


def write_calendar(name: str, events: Iterable[Event], host: str, what: str) -> bytes:
    """Return the calendar as RFC 5545 has it: the same events give the same bytes.

    `name` is what calendar programs show, `host` the brand's host, `what` the kind of thing that is
    listed.
    """
    # Imported here: nothing else of the program needs it, and it takes a tenth of a second.
    import icalendar

    calendar = icalendar.Calendar()
    calendar.add("prodid", f"-//{host}//{what}//JA")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("x-wr-timezone", "Asia/Tokyo")
    for event in events:
        entry = icalendar.Event()
        entry.add("uid", f"{event.number}@{host}")
        entry.add("dtstamp", max(event.passed))
        entry.add("sequence", len(event.passed) - 1)
        entry.add("dtstart", event.starts_at)
        entry.add("dtend", event.ends_at)
        entry.add("summary", event.summary)
        entry.add("description", event.description)
        entry.add("status", event.status)
        calendar.add_component(entry)
    written: bytes = calendar.to_ical()
    return written
