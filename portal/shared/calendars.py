"""What an account has booked as an iCalendar feed (RFC 5545) at a secret address that can be taken back (FAC-11)."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

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
from portal.shared.auth.models import Account, AccountStatus, Member, MemberStatus
from portal.shared.auth.signer import digest


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
    """Something booked. `status` is one of the standard's words, `passed` when it came to each state so far."""

    number: str
    starts_at: datetime
    ends_at: datetime
    summary: str
    description: str
    status: str
    passed: Sequence[datetime]


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


def written(name: str, events: Iterable[Event], host: str, what: str) -> str:
    """The calendar as text: the same events give the same bytes, so that an ETag can stand for it."""
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//{host}//{what}//JA", "METHOD:PUBLISH")
    lines = [*head, f"X-WR-CALNAME:{_text(name)}", "X-WR-TIMEZONE:Asia/Tokyo"]
    for event in events:
        lines += _lines(event, host)
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _lines(event: Event, host: str) -> Sequence[str]:
    return (
        "BEGIN:VEVENT",
        f"UID:{event.number}@{host}",
        f"DTSTAMP:{_instant(max(event.passed))}",
        f"SEQUENCE:{len(event.passed) - 1}",
        f"DTSTART:{_instant(event.starts_at)}",
        f"DTEND:{_instant(event.ends_at)}",
        f"SUMMARY:{_text(event.summary)}",
        f"DESCRIPTION:{_text(event.description)}",
        f"STATUS:{event.status}",
        "END:VEVENT",
    )


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n")


def _folded(line: str) -> str:
    """At most 75 octets a line, never inside a character; what goes on begins with a space (RFC 5545, 3.1)."""
    lines, room = [""], 75
    for character in line:
        size = len(character.encode())
        if size > room:
            lines.append(" ")
            room = 74
        lines[-1] += character
        room -= size
    return "\r\n".join(lines)
