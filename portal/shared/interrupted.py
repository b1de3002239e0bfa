"""What was sent when the session was over: kept for a short time, for the member whose page it was,
and nobody else.

The page's form says whose it is by a signed token, since at that moment no session does: it ran
out, or was ended in another tab. Nothing is done with what is kept; the person sees it in the form
again and presses (COM-23).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import JSON, Index, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import Base, TenantOwned, clock, delete_where, session, signer, tenant_table_args
from portal.tenancy.scope import require_key

LIFETIME = timedelta(hours=1)
PAGE_LIFETIME = timedelta(days=7)
"""How long a page may lie open before its form is kept no more."""
MOST_KEPT = 5
MOST_FIELDS = 200
MOST_CHARACTERS = 20_000
_PATH_LENGTH = 200

Pairs = list[tuple[str, str]]
"""Name and value of each field, in the order in which they were sent."""


class InterruptedForm(TenantOwned, Base):
    """One form that came too late. `owner` tells one member from another, and not who it is."""

    __tablename__ = "interrupted_form"
    owner: Mapped[str] = mapped_column(String(16))
    path: Mapped[str] = mapped_column(String(_PATH_LENGTH))
    token: Mapped[str] = mapped_column(String(43))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    __table_args__ = tenant_table_args(
        UniqueConstraint("tenant_id", "token"),
        Index("ix_interrupted_form_owner", "tenant_id", "owner", "id"),
        Index("ix_interrupted_form_created", "tenant_id", "created_at"),
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent: text alone, and whether files came with it, which are not kept."""

    pairs: Pairs
    had_files: bool


def owner_of(member_id: int) -> str:
    """What stands for a member here, at the tenant in scope; only the server can make it."""
    return signer.number("form owner", member_id)


def page_token(member_id: int) -> str:
    """The signed token of a page that is drawn for this member now."""
    return str(_signer().dumps([owner_of(member_id), int(clock.now().timestamp())]))


def owner_by_token(token: str) -> str | None:
    """Whose page a form was sent from, or None: made up, of another tenant, or too old."""
    try:
        owner, drawn_at = _signer().loads(token)
    except (BadData, ValueError, TypeError):
        return None
    age = clock.now().timestamp() - drawn_at
    if not 0 <= age <= PAGE_LIFETIME.total_seconds():
        return None
    return str(owner)


def _signer() -> URLSafeSerializer:
    # itsdangerous signs with the last of its keys, and takes what any of them signed.
    keys = list(reversed(signer.signing_keys()))
    return URLSafeSerializer(keys, salt=f"form owner\0{require_key()}")


def keep(owner: str, path: str, sent: Sent) -> str:
    """Keep what was sent to be shown at `path`.

    Returns its token, or "" when it is too much to keep. The caller commits. An owner has the
    newest few: whoever sends more loses what came first, and fills no disk.
    """
    characters = sum(len(name) + len(value) for name, value in sent.pairs)
    if len(path) > _PATH_LENGTH or len(sent.pairs) > MOST_FIELDS or characters > MOST_CHARACTERS:
        return ""
    token = secrets.token_urlsafe(32)
    data = {"pairs": sent.pairs, "had_files": sent.had_files}
    session().add(
        InterruptedForm(owner=owner, path=path, token=token, data=data, created_at=clock.now())
    )
    # Flushed before the newest are asked for: this one is among them.
    session().flush()
    of_owner = select(InterruptedForm.id).where(InterruptedForm.owner == owner)
    newest = session().scalars(of_owner.order_by(InterruptedForm.id.desc()).limit(MOST_KEPT)).all()
    delete_where(InterruptedForm, InterruptedForm.owner == owner, InterruptedForm.id.not_in(newest))
    return token


def recall(token: str, member_id: int, path: str) -> Sent | None:
    """What this member sent to this page before their session was over; None for everybody else."""
    found = select(InterruptedForm).where(
        # Tokens come from addresses, where anything may stand; PostgreSQL takes no NUL in a text.
        InterruptedForm.token == token.replace("\0", ""),
        InterruptedForm.owner == owner_of(member_id),
        InterruptedForm.path == path,
        InterruptedForm.created_at > clock.now() - LIFETIME,
    )
    kept = session().scalars(found).one_or_none()
    if kept is None:
        return None
    pairs = [(name, value) for name, value in kept.data["pairs"]]
    return Sent(pairs=pairs, had_files=kept.data["had_files"])


def is_kept(token: str) -> bool:
    """Whether there is something with this token; whose it is and what stands in it is not told."""
    found = select(InterruptedForm.id).where(
        InterruptedForm.token == token.replace("\0", ""),
        InterruptedForm.created_at > clock.now() - LIFETIME,
    )
    return session().scalar(found) is not None


def expire() -> int:
    """Remove what is past its time; returns how many."""
    return delete_where(InterruptedForm, InterruptedForm.created_at <= clock.now() - LIFETIME)
