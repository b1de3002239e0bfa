"""A session belongs to one tenant for life, however its rows are loaded, carried or stamped (COM-02).

Ways to ask for another brand's rows are tried in tests/isolation; here is what the guard does for its own brand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    foreign,
    joinedload,
    mapped_column,
    relationship,
    remote,
    selectinload,
    subqueryload,
)

from portal.blueprints.facility.models import Facility, Reservation
from portal.core import clock
from portal.core.db import SystemAccess, session, tenant_scope
from portal.shared.accounts.models import Account, Member
from portal.tenancy.orm_guard import TenantOwned, TenantSession
from portal.tenancy.scope import TenantError
from tests.cast import Cast

Inside = Callable[[str], Any]
ROW = {"code": "NEW", "name": "新しい機械", "description": "", "is_active": True}
PRICES = {"hourly_price": 1, "daily_price": 1}


class Views(DeclarativeBase):
    """The same tables once more, with relationships that forget the tenant."""


class Customer(TenantOwned, Views):
    """An account with its members, as a careless programmer would join them."""

    __tablename__ = "account"
    number: Mapped[str]
    people: Mapped[list[Person]] = relationship(
        primaryjoin=lambda: Customer.id >= remote(foreign(Person.account_id)) - 1000, viewonly=True
    )


class Person(TenantOwned, Views):
    """A member; namesakes have the same login ID, whichever brand they belong to."""

    __tablename__ = "member"
    account_id: Mapped[int]
    login_id: Mapped[str | None] = mapped_column()
    namesakes: Mapped[list[Person]] = relationship(
        primaryjoin=lambda: Person.login_id == remote(foreign(Person.login_id)), viewonly=True
    )


def facility(**changes: Any) -> Facility:
    return Facility(**{"code": "NEW", "name": "新しい機械", **PRICES, **changes})


def owners(rows: Any) -> set[str]:
    return {row.tenant_id for row in rows}


@pytest.fixture
def foreign_facility(inside: Inside) -> Facility:
    """A machine of "studio", taken out of its session."""
    with inside("studio"):
        found = session().scalars(select(Facility)).one()
        session().expunge(found)
    return found


@pytest.mark.parametrize("load", [None, selectinload, subqueryload, joinedload])
@pytest.mark.parametrize("of", ["people", "namesakes"])
def test_a_relationship_loads_rows_of_the_tenant_only(inside: Inside, load: Any, of: str) -> None:
    """COM-02: lazily or eagerly, though its join says nothing of the tenant."""
    holder: Any = Customer if of == "people" else Person
    statement = select(holder)
    if load is not None:
        statement = statement.options(load(getattr(holder, of)))
    for tenant in ("facility", "studio"):
        with inside(tenant):
            rows = session().scalars(statement).unique().all()
            found = [other for row in rows for other in getattr(row, of)]
            assert owners(rows) == owners(found) == {tenant}
            if of == "namesakes":
                assert sorted(person.login_id or "" for person in found) == [
                    "hanako",
                    "kenichi",
                    "yumi",
                ]


def test_a_join_along_a_relationship_and_an_alias_are_held_too(inside: Inside) -> None:
    """COM-02."""
    other = aliased(Person)
    with inside("facility"):
        pairs = session().execute(select(Person, other).join(Person.namesakes.of_type(other))).all()
        assert len(pairs) == 3
        assert {row.tenant_id for pair in pairs for row in pair} == {"facility"}


def test_a_row_is_found_by_its_plain_id_and_given_from_memory_the_second_time(
    inside: Inside,
) -> None:
    with inside("facility"):
        own = session().scalars(select(Account.id)).first()
        found = session().get(Account, own)
        assert found is session().get_one(Account, own)
        assert found is not None
        assert found.tenant_id == "facility"
        assert session().get(Account, own, populate_existing=True) is found


@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_a_row_that_is_not_there_is_none_or_an_error_as_asked(inside: Inside, number: int) -> None:
    with inside("facility"):
        assert session().get(Account, number) is None
        with pytest.raises(NoResultFound, match=f"Account {number}"):
            session().get_one(Account, number)


def test_another_tenants_row_is_as_missing_as_one_that_never_was(
    inside: Inside, foreign_facility: Facility
) -> None:
    """COM-02: the two are never told apart."""
    with inside("facility"):
        assert session().get(Facility, foreign_facility.id) is None
        with pytest.raises(NoResultFound):
            session().get_one(Facility, foreign_facility.id)


def test_what_belongs_to_no_tenant_is_got_as_usual(inside: Inside) -> None:
    with inside("facility"):
        session().add(SystemAccess(at=clock.now(), by="監督", reason="点検"))
        session().flush()
        number = session().scalars(select(SystemAccess.id)).one()
        assert session().get_one(SystemAccess, number).by == "監督"
        assert session().get(SystemAccess, (number,)) is not None


@pytest.mark.parametrize("tenant", ["facility", "studio"])
def test_new_rows_are_stamped_however_they_come(inside: Inside, tenant: str) -> None:
    """COM-02: as an object, as one row, as many rows, and by nobody's hand."""
    with inside(tenant):
        session().add(facility(code="N-1"))
        session().flush()
        session().execute(insert(Facility).values(**ROW | PRICES | {"code": "N-2"}))
        rows = [ROW | PRICES | {"code": f"N-{number}"} for number in (3, 4, 5)]
        session().execute(insert(Facility), rows)
        session().execute(insert(Facility), ROW | PRICES | {"code": "N-6"})
        session().execute(
            insert(Facility).values(**ROW | PRICES | {"code": "N-7", "tenant_id": tenant})
        )
        session().commit()
        found = session().scalars(select(Facility).where(Facility.code.like("N-%"))).all()
        assert len(found) == 7
        assert owners(found) == {tenant}
    with inside("studio" if tenant == "facility" else "facility"):
        assert session().scalar(select(func.count(Facility.id))) == 1


def test_many_rows_of_which_one_is_foreign_are_refused_whole(inside: Inside) -> None:
    """COM-02."""
    rows = [ROW | PRICES | {"code": "N-1"}, ROW | PRICES | {"code": "N-2", "tenant_id": "studio"}]
    with inside("facility"):
        with pytest.raises(TenantError, match="another tenant"):
            session().execute(insert(Facility), rows)
        assert session().scalar(select(func.count(Facility.id))) == 1


def _add_and_change(found: Facility) -> None:
    session().add(found)
    found.name = "x"


def _write_with(kept: TenantSession) -> None:
    kept.add(facility())
    kept.flush()


@pytest.mark.parametrize(
    "act",
    [
        lambda found: session().add(found),
        lambda found: session().delete(found),
        lambda found: session().merge(found),
        _add_and_change,
    ],
    ids=["add", "delete", "merge", "change"],
)
def test_a_row_carried_over_from_another_tenant_is_not_written(
    inside: Inside, foreign_facility: Facility, act: Callable[[Facility], Any]
) -> None:
    """COM-02: nothing of it reaches either brand."""

    def write() -> None:
        act(foreign_facility)
        foreign_facility.name = "奪われた機械"
        session().flush()

    with inside("facility"):
        before = session().scalars(select(Facility.name)).all()
        with session().no_autoflush, pytest.raises(TenantError):
            write()
        session().rollback()
        assert session().scalars(select(Facility.name)).all() == before
    with inside("studio"):
        assert (
            session().scalars(select(Facility.name).where(Facility.name == "奪われた機械")).all()
            == []
        )


def test_a_session_kept_beyond_its_scope_is_good_for_nothing(app: Flask) -> None:
    """COM-02: not outside any scope, not in another's, not for what was added to it before."""
    with app.app_context():
        with tenant_scope("facility"):
            kept = session()
            kept.add(facility())
        for scope_of in (None, "studio"):
            with tenant_scope(scope_of) if scope_of else app.app_context():
                for use in (
                    lambda: kept.tenant,
                    lambda: kept.get(Account, 1),
                    lambda: kept.scalars(select(Account)).all(),
                    lambda: _write_with(kept),
                ):
                    with pytest.raises(TenantError):
                        use()
                kept.rollback()


def test_a_change_of_ones_own_rows_reaches_them_and_no_others(inside: Inside) -> None:
    """COM-02: by object, by statement, and as removal."""
    with inside("facility"):
        row = (
            session().scalars(select(Reservation).where(Reservation.number == Cast.requested)).one()
        )
        row.purpose = "変更"
        session().flush()
        changed: Any = session().execute(update(Reservation).values(remarks="全部"))
        assert changed.rowcount == session().scalar(select(func.count(Reservation.id)))
        session().execute(delete(Reservation).where(Reservation.number != Cast.requested))
        session().delete(row)
        session().commit()
        assert session().scalar(select(func.count(Reservation.id))) == 0
    with inside("studio"):
        kept = session().scalars(select(Reservation)).all()
        assert len(kept) == 4
        assert {(row.purpose == "変更", row.remarks) for row in kept} == {(False, "")}


@pytest.mark.parametrize(
    "statement",
    [
        text("SELECT 1"),
        select(text("1")),
        select(Account.id).where(text("1 = 1")),
        select(Account.id).order_by(text("id")),
        select(Account.id).select_from(text("account")),
        text("SELECT id FROM account").columns(Account.id),
        update(Account).values(name="x").where(text("1 = 1")),
        select(Account.id).where(Account.id.in_(select(Member.account_id).where(text("1 = 1")))),
    ],
    ids=["whole", "column", "where", "order", "from", "columns", "update", "within"],
)
def test_sql_written_by_hand_is_refused_wherever_it_stands(inside: Inside, statement: Any) -> None:
    """COM-02: no criteria reach into it; asked a second time it is refused again."""
    with inside("facility"):
        for _ in range(2):
            with pytest.raises(TenantError, match="hand-written"):
                session().execute(statement)


def test_one_statement_serves_every_tenant_with_its_own_rows(inside: Inside) -> None:
    """COM-02: statements are built once and kept; nothing of the first tenant stays in them."""
    statement = select(Account).order_by(Account.id)
    for tenant in ("facility", "studio", "facility"):
        with inside(tenant):
            assert owners(session().scalars(statement)) == {tenant}
            assert len(session().scalars(statement).all()) == 2
