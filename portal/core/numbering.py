"""Public numbers: one sequence for each tenant and kind, without gaps or doubles (COM-72).

Its row is updated in the transaction that uses the number: takers wait, and a rollback gives the
number back.
"""

from itertools import count
from typing import Any, Protocol

from sqlalchemy import String, UniqueConstraint, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from portal.core.db import Base, insert_or_ignore, session, tenant_table_args, update_where
from portal.tenancy.orm_guard import ID, TenantOwned


class NumberStyle(Protocol):
    """How public numbers of a kind are written: a prefix, and at least so many digits."""

    @property
    def prefix(self) -> str:
        """What each number begins with."""

    @property
    def digits(self) -> int:
        """How many digits there are at least, filled up with zeros."""


class NumberSequence(TenantOwned, Base):
    """The last number taken of one kind."""

    __tablename__ = "number_sequence"
    kind: Mapped[str] = mapped_column(String(30))
    value: Mapped[int] = mapped_column(ID, default=0)
    __table_args__ = tenant_table_args(UniqueConstraint("tenant_id", "kind"))


def next_value(kind: str) -> int:
    """The next number of `kind` in the tenant in scope, held by the running transaction."""
    insert_or_ignore(NumberSequence, {"kind": kind, "value": 0}, unique=("tenant_id", "kind"))
    return _set(kind, NumberSequence.value + 1)


def next_number(
    kind: str, style: NumberStyle, taken: InstrumentedAttribute[str] | None = None
) -> str:
    """The next number of `kind` as it is written: ``INV-000042``.

    Numbers in `taken`, which came from an import, are passed over (OPS-12).
    """
    value = next_value(kind)
    number = _written(style, value)
    if taken is None or session().scalar(select(taken).where(taken == number)) is None:
        return number
    # Imported numbers tend to follow one another: all are read at once, not asked for one by one.
    known = set(
        session().scalars(select(taken).where(taken.startswith(style.prefix, autoescape=True)))
    )
    free = next(v for v in count(value + 1) if _written(style, v) not in known)
    return _written(style, _set(kind, free))


def _set(kind: str, value: Any) -> int:
    update_where(NumberSequence, NumberSequence.kind == kind, value=value)
    return session().scalars(select(NumberSequence.value).where(NumberSequence.kind == kind)).one()


def _written(style: NumberStyle, value: int) -> str:
    return f"{style.prefix}{value:0{style.digits}d}"
