"""What a person typed, kept on the server between 入力 and 完了 (COM-22), with a token that works
once.

A draft is about one object: what was typed for one member, address or facility is nothing to
another, whoever sends the token where. Consuming the draft and doing the thing share one
transaction: pressing twice, reloading or going back finds the draft used and gets the first result
again.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Index, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import (
    ID,
    Base,
    TenantOwned,
    clock,
    delete_where,
    session,
    tenant_fk,
    tenant_table_args,
    update_where,
)
from portal.core.files import FileKeysJSON

LIFETIME = timedelta(hours=24)
_KIND_LENGTH = 40
_SUBJECT_LENGTH = 200


class Draft(TenantOwned, Base):
    """One filled-in form of one member about one object."""

    __tablename__ = "draft"
    member_id: Mapped[int] = mapped_column(ID)
    kind: Mapped[str] = mapped_column(String(_KIND_LENGTH))
    subject: Mapped[str] = mapped_column(String(_SUBJECT_LENGTH))
    token: Mapped[str] = mapped_column(String(43))
    data: Mapped[dict[str, Any]] = mapped_column(FileKeysJSON)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("member_id", "member"),
        UniqueConstraint("tenant_id", "token"),
        Index("ix_draft_created", "tenant_id", "created_at"),
    )


@dataclass(frozen=True, slots=True)
class DraftKey:
    """Which draft is meant, besides its token.

    `kind` is the form ("member", "booking"); `subject` is the object that it is about, by its
    public number or code, or "new" where the form makes one; `member_id` is who fills it in. Raises
    ValueError when one of them is missing or longer than its column.
    """

    kind: str
    subject: str
    member_id: int
    lifetime: timedelta = LIFETIME

    def __post_init__(self) -> None:
        if not 0 < len(self.kind) <= _KIND_LENGTH or not 0 < len(self.subject) <= _SUBJECT_LENGTH:
            raise ValueError(f"a draft needs a kind and a subject: {self.kind!r}, {self.subject!r}")


def keep(key: DraftKey, data: dict[str, Any]) -> str:
    """Keep `data` (JSON-able) and return its token. The caller commits."""
    # It stands in addresses and forms; whoever gets hold of it still must be the member.
    token = secrets.token_urlsafe(32)
    draft = Draft(
        kind=key.kind,
        subject=key.subject,
        member_id=key.member_id,
        token=token,
        data=data,
        created_at=clock.now(),
    )
    session().add(draft)
    return token


def recall(key: DraftKey, token: str) -> dict[str, Any] | None:
    """What was typed, or None when there is no such draft (used ones included)."""
    draft = session().scalars(select(Draft).where(*_alive(key, token))).one_or_none()
    if draft is None:
        return None
    return dict(draft.data)


def is_unused(key: DraftKey, token: str) -> bool:
    """Whether there is such a draft and nothing was done with it yet."""
    found = select(Draft.id).where(*_alive(key, token), Draft.used_at.is_(None))
    return session().scalar(found) is not None


def is_kept(token: str) -> bool:
    """Whether a draft with this token waits to be sent.

    Whose it is and what stands in it is not told.
    """
    found = select(Draft.id).where(
        Draft.token == token.replace("\0", ""),
        Draft.created_at > clock.now() - LIFETIME,
        Draft.used_at.is_(None),
    )
    return session().scalar(found) is not None


def consume(key: DraftKey, token: str) -> dict[str, Any] | None:
    """Take the draft for good, in the running transaction.

    None when it was used before or is past its lifetime.
    """
    # One guarded UPDATE: of two presses at once the second waits, and then finds it used.
    unused = (*_alive(key, token), Draft.used_at.is_(None))
    if not update_where(Draft, *unused, used_at=clock.now()):
        return None
    return recall(key, token)


def _alive(key: DraftKey, token: str) -> tuple[ColumnElement[bool], ...]:
    """The criteria of the draft within its lifetime."""
    return (
        # Tokens come from addresses, where anything may stand; PostgreSQL takes no NUL in a text.
        Draft.token == token.replace("\0", ""),
        Draft.kind == key.kind,
        Draft.subject == key.subject,
        Draft.member_id == key.member_id,
        Draft.created_at > clock.now() - key.lifetime,
    )


def expire() -> int:
    """Remove drafts past their lifetime; returns how many."""
    return delete_where(Draft, Draft.created_at < clock.now() - LIFETIME)
