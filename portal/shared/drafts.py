"""What a person typed, kept on the server between 入力 and 完了 (COM-22), with a token that works once.

Consuming the draft and doing the thing share one transaction: pressing twice, reloading or going back finds the
draft used and gets the first result again.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Index, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import ID, Base, TenantOwned, belongs_to, change, clock, discard, owned, session
from portal.core.files import FileKeysJSON

LIFETIME = timedelta(hours=24)


class Draft(TenantOwned, Base):
    """One filled-in form of one member."""

    __tablename__ = "draft"
    member_id: Mapped[int] = mapped_column(ID)
    kind: Mapped[str] = mapped_column(String(40))
    token: Mapped[str] = mapped_column(String(43))
    data: Mapped[dict[str, Any]] = mapped_column(FileKeysJSON)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    __table_args__ = owned(
        belongs_to("member_id", "member"),
        UniqueConstraint("tenant_id", "token"),
        Index("ix_draft_created", "tenant_id", "created_at"),
    )


def keep(kind: str, member_id: int, data: dict[str, Any]) -> str:
    """Keep `data` (JSON-able) and return its token. The caller commits."""
    token = secrets.token_urlsafe(32)
    session().add(
        Draft(kind=kind, member_id=member_id, token=token, data=data, created_at=clock.now())
    )
    return token


def recall(kind: str, member_id: int, token: str) -> dict[str, Any] | None:
    """What the member typed, or None when there is no such draft of theirs (used ones included)."""
    draft = session().scalars(select(Draft).where(*_alive(kind, member_id, token))).one_or_none()
    return dict(draft.data) if draft else None


def consume(kind: str, member_id: int, token: str) -> dict[str, Any] | None:
    """Take the draft for good, in the running transaction; None when it was used before or is past its lifetime."""
    used = change(
        Draft, *_alive(kind, member_id, token), Draft.used_at.is_(None), used_at=clock.now()
    )
    return recall(kind, member_id, token) if used else None


def _alive(kind: str, member_id: int, token: str) -> tuple[ColumnElement[bool], ...]:
    """The criteria of a member's draft within its lifetime. Tokens come from addresses; PostgreSQL takes no NUL."""
    return (
        Draft.token == token.replace("\0", ""),
        Draft.kind == kind,
        Draft.member_id == member_id,
        Draft.created_at > clock.now() - LIFETIME,
    )


def expire() -> int:
    """Remove drafts past their lifetime; returns how many."""
    return discard(Draft, Draft.created_at < clock.now() - LIFETIME)
