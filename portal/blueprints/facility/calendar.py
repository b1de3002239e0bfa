"""Own reservations as an iCalendar feed (RFC 5545) at a secret address that can be taken back (FAC-11)."""

import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from portal.blueprints.facility.models import CalendarFeed, Reservation, Status
from portal.core import audit, clock
from portal.core.actor import Actor
from portal.core.db import discard, session
from portal.core.errors import NotFound
from portal.core.tenancy.schema import Tenant
from portal.shared.auth.keyring import digest
from portal.shared.auth.models import Account, AccountStatus, Member, MemberStatus

SINCE = timedelta(days=2 * 366)
_MOST = 5_000
_STATES = {Status.REQUESTED: "TENTATIVE", Status.CANCELLED: "CANCELLED"}


def has_feed(member_id: int) -> bool:
    """Whether the member has an address now."""
    return session().scalar(select(CalendarFeed.id).where(CalendarFeed.member_id == member_id)) is not None


def renew(member_id: int, *, by: Actor) -> str:
    """A new secret for the member's address; an earlier one is dead. The caller commits."""
    revoke(member_id, by=by)
    token = secrets.token_urlsafe(32)
    feed = CalendarFeed(member_id=member_id, token_digest=digest(token), created_at=clock.now())
    session().add(feed)
    audit.record("calendar.renew", f"member:{by.name}", by=by)
    return token


def revoke(member_id: int, *, by: Actor) -> None:
    """Take the member's address back. The caller commits."""
    if discard(CalendarFeed, CalendarFeed.member_id == member_id):
        audit.record("calendar.revoke", f"member:{by.name}", by=by)


def feed(tenant: Tenant, token: str, host: str) -> str:
    """The calendar behind a secret: two years back and all that is to come. Raises NotFound for any other."""
    owner = session().scalar(
        select(Member.account_id)
        .join(CalendarFeed, CalendarFeed.member_id == Member.id)
        .join(Account, Account.id == Member.account_id)
        .where(
            CalendarFeed.token_digest == digest(token),
            Member.status == MemberStatus.ACTIVE,
            Account.status == AccountStatus.ACTIVE,
        )
    )
    if owner is None:
        raise NotFound("カレンダーが見つかりません。")
    since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - SINCE
    own = Reservation.account_id == owner, Reservation.ends_at >= since
    found = session().scalars(select(Reservation).where(*own).order_by(Reservation.id.desc()).limit(_MOST))
    return written(tenant, found.all(), host)


def written(tenant: Tenant, reservations: Iterable[Reservation], host: str) -> str:
    """The calendar as text: the same reservations give the same bytes, so that an ETag can stand for it."""
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//{host}//reservations//JA", "METHOD:PUBLISH")
    lines = [*head, f"X-WR-CALNAME:{_text(tenant.name)}", "X-WR-TIMEZONE:Asia/Tokyo"]
    for reservation in reservations:
        lines += _event(reservation, host)
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _event(reservation: Reservation, host: str) -> Iterator[str]:
    steps = ("booked", "confirmed", "started", "finished", "billed", "paid", "cancelled")
    passed = [at for step in steps if (at := getattr(reservation, f"{step}_at"))]
    yield "BEGIN:VEVENT"
    yield f"UID:{reservation.number}@{host}"
    yield f"DTSTAMP:{_instant(max(passed))}"
    yield f"SEQUENCE:{len(passed) - 1}"
    yield f"DTSTART:{_instant(reservation.starts_at)}"
    yield f"DTEND:{_instant(reservation.ends_at)}"
    yield f"SUMMARY:{_text(reservation.facility_name)}"
    yield f"DESCRIPTION:{_text(f'予約番号 {reservation.number}（{reservation.status.label}）')}"
    yield f"STATUS:{_STATES.get(reservation.status, 'CONFIRMED')}"
    yield "END:VEVENT"


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
