"""Ways to reach another brand's rows, tried by somebody at "facility" who wants those of "studio".

A probe gives what it saw or changed: the tenants of the rows, or a number of rows. Probes that must be refused
outright are marked; the others may only ever meet rows of their own tenant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func, insert, join, literal, select, text, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased, make_transient_to_detached

from portal.blueprints.facility.models import Facility, Reservation
from portal.core import clock
from portal.shared.accounts.models import Account, Member
from portal.tenancy.orm_guard import TenantSession

OWN, TWIN = "facility", "studio"
RESERVATIONS = 4  # of each brand
_PRICES = {"hourly_price": 1, "daily_price": 1}
Probe = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Ids:
    """Keys of one row of each kind in either brand."""

    own: dict[str, int]
    twin: dict[str, int]


PROBES: dict[str, tuple[Probe, Any]] = {}
REFUSED = object()
ONLY_OWN = object()


def probe(expected: Any) -> Callable[[Probe], Probe]:
    """Register a probe: it must be REFUSED, see ONLY_OWN tenants, or give exactly the number of own rows."""

    def register(function: Probe) -> Probe:
        PROBES[function.__name__] = (function, expected)
        return function

    return register


def short(name: str, expected: Any, function: Probe) -> None:
    """Register a probe of one line."""
    PROBES[name] = (function, expected)


def tenants(rows: Any) -> list[str]:
    """Whose rows these are."""
    return sorted({row.tenant_id for row in rows})


def _new(**changes: Any) -> Facility:
    return Facility(code="NEW", name="新しい機械", **_PRICES, **changes)


ROW = {"code": "NEW", "name": "x", "description": "", "is_active": True, **_PRICES}
_ALIAS = aliased(Reservation)
COUNT = func.count()

# Reading through the ORM.
short("select_all", ONLY_OWN, lambda s, i: tenants(s.scalars(select(Reservation))))
short("legacy_query", ONLY_OWN, lambda s, i: tenants(s.query(Reservation)))
short("get_by_foreign_id", None, lambda s, i: s.get(Reservation, i.twin["reservation"]))
short(
    "get_by_foreign_pair", REFUSED, lambda s, i: s.get(Reservation, (TWIN, i.twin["reservation"]))
)
short(
    "get_by_foreign_mapping",
    REFUSED,
    lambda s, i: s.get(Reservation, {"tenant_id": TWIN, "id": i.twin["reservation"]}),
)
short("alias", ONLY_OWN, lambda s, i: tenants(s.scalars(select(_ALIAS))))
short("columns_only", RESERVATIONS, lambda s, i: s.scalar(select(func.count(Reservation.id))))
short(
    "count_select_from", RESERVATIONS, lambda s, i: s.scalar(select(COUNT).select_from(Reservation))
)
short(
    "subquery",
    RESERVATIONS,
    lambda s, i: s.scalar(select(COUNT).select_from(select(Reservation.id).subquery())),
)
short(
    "common_table_expression",
    RESERVATIONS,
    lambda s, i: s.scalar(select(COUNT).select_from(select(Reservation.id).cte())),
)
short(
    "exists_in_where",
    0,
    lambda s, i: s.scalar(
        select(COUNT).select_from(Account).where(exists().where(Reservation.number.like("SR%")))
    ),
)
short(
    "scalar_subquery",
    ONLY_OWN,
    lambda s, i: [
        s.execute(
            select(Account.id, select(func.min(Reservation.tenant_id)).scalar_subquery())
        ).first()[1]
    ],
)
short(
    "greatest_number_by_scalar_subquery",
    "FR000004",
    lambda s, i: s.execute(
        select(Account.id, select(func.max(Reservation.number)).scalar_subquery())
    ).first()[1],
)
short(
    "union_of_columns",
    ONLY_OWN,
    lambda s, i: s.scalars(
        union_all(select(Reservation.tenant_id), select(Account.tenant_id))
    ).all(),
)
short(
    "from_statement_union",
    ONLY_OWN,
    lambda s, i: tenants(
        s.scalars(
            select(Reservation).from_statement(union_all(select(Reservation), select(Reservation)))
        )
    ),
)
short(
    "from_statement_text",
    REFUSED,
    lambda s, i: s.scalars(
        select(Reservation).from_statement(text("SELECT * FROM reservation"))
    ).all(),
)
short(
    "for_update", ONLY_OWN, lambda s, i: tenants(s.scalars(select(Reservation).with_for_update()))
)
short(
    "where_or_true",
    ONLY_OWN,
    lambda s, i: tenants(
        s.scalars(select(Reservation).where((Reservation.id > 0) | literal(True)))
    ),
)
short(
    "where_names_the_twin",
    0,
    lambda s, i: len(s.scalars(select(Reservation).where(Reservation.tenant_id == TWIN)).all()),
)
short(
    "offset_past_own_rows",
    0,
    lambda s, i: len(
        s.scalars(select(Reservation).order_by(Reservation.id).offset(RESERVATIONS)).all()
    ),
)
short(
    "distinct_numbers",
    RESERVATIONS,
    lambda s, i: len(s.scalars(select(Reservation.number).distinct()).all()),
)
short(
    "group_by_tenant",
    ONLY_OWN,
    lambda s, i: [
        t
        for t, _ in s.execute(select(Reservation.tenant_id, COUNT).group_by(Reservation.tenant_id))
    ],
)
short(
    "window_function",
    RESERVATIONS,
    lambda s, i: s.execute(select(COUNT.over()).select_from(Reservation)).scalars().first(),
)
short(
    "stream_in_parts",
    ONLY_OWN,
    lambda s, i: tenants(s.scalars(select(Reservation), execution_options={"yield_per": 1})),
)
short(
    "join_by_id",
    ONLY_OWN,
    lambda s, i: tenants(
        s.scalars(select(Reservation).join(Account, Account.id == Reservation.account_id))
    ),
)
short(
    "outer_join_by_truth",
    ONLY_OWN,
    lambda s, i: [
        t
        for row in s.execute(
            select(Account.tenant_id, Reservation.tenant_id)
            .select_from(Account)
            .outerjoin(Reservation, literal(True))
        )
        for t in row
    ],
)
short(
    "cartesian_join",
    REFUSED,
    lambda s, i: s.scalar(select(COUNT).select_from(join(Account, Reservation, literal(True)))),
)
short(
    "self_join_by_alias",
    REFUSED,
    lambda s, i: s.scalar(select(COUNT).select_from(join(Reservation, _ALIAS, literal(True)))),
)
short(
    "refresh",
    ONLY_OWN,
    lambda s, i: (s.refresh(r := s.get(Reservation, i.own["reservation"])), [r.tenant_id])[1],
)

# Writing through the ORM.
short(
    "update_all",
    RESERVATIONS,
    lambda s, i: s.execute(update(Reservation).values(purpose="x")).rowcount,
)
short(
    "update_foreign_id",
    0,
    lambda s, i: (
        s.execute(
            update(Reservation).where(Reservation.id == i.twin["reservation"]).values(purpose="x")
        ).rowcount
    ),
)
short("delete_all", RESERVATIONS, lambda s, i: s.execute(delete(Reservation)).rowcount)
short(
    "delete_foreign_id",
    0,
    lambda s, i: (
        s.execute(delete(Reservation).where(Reservation.id == i.twin["reservation"])).rowcount
    ),
)
short("query_update", RESERVATIONS, lambda s, i: s.query(Reservation).update({"purpose": "x"}))
short("query_delete", RESERVATIONS, lambda s, i: s.query(Reservation).delete())
short(
    "update_sets_tenant",
    REFUSED,
    lambda s, i: s.execute(update(Reservation).values(tenant_id=TWIN)),
)
short(
    "update_by_list_of_keys",
    REFUSED,
    lambda s, i: s.execute(
        update(Reservation), [{"tenant_id": TWIN, "id": i.twin["reservation"], "purpose": "x"}]
    ),
)
short(
    "bulk_update_mappings",
    REFUSED,
    lambda s, i: s.bulk_update_mappings(
        Reservation, [{"id": i.twin["reservation"], "purpose": "x"}]
    ),
)
short("bulk_save_objects", REFUSED, lambda s, i: s.bulk_save_objects([_new(tenant_id=TWIN)]))
short(
    "bulk_insert_mappings",
    REFUSED,
    lambda s, i: s.bulk_insert_mappings(Facility, [{"tenant_id": TWIN, **ROW}]),
)
short(
    "update_by_subquery",
    0,
    lambda s, i: (
        s.execute(
            update(Account)
            .where(
                Account.id.in_(select(Reservation.account_id).where(Reservation.number.like("SR%")))
            )
            .values(name="x"),
            execution_options={"synchronize_session": False},
        ).rowcount
    ),
)
short(
    "insert_foreign_parameters",
    REFUSED,
    lambda s, i: s.execute(insert(Facility), [{"tenant_id": TWIN, **ROW}]),
)
short(
    "insert_foreign_values",
    REFUSED,
    lambda s, i: s.execute(insert(Facility).values(tenant_id=TWIN, **ROW)),
)
short(
    "insert_many_values",
    REFUSED,
    lambda s, i: s.execute(insert(Facility).values([{"tenant_id": TWIN, **ROW}])),
)
short(
    "insert_is_stamped",
    ONLY_OWN,
    lambda s, i: s.scalars(insert(Facility).returning(Facility.tenant_id), [dict(ROW)]).all(),
)
short(
    "insert_from_select",
    REFUSED,
    lambda s, i: s.execute(
        insert(Facility).from_select(
            ["tenant_id", "code"], select(Facility.tenant_id, Facility.code + "x")
        )
    ),
)
short("add_foreign_object", REFUSED, lambda s, i: (s.add(_new(tenant_id=TWIN)), s.flush()))
short("add_is_stamped", ONLY_OWN, lambda s, i: (s.add(f := _new()), s.flush(), [f.tenant_id])[2])


@probe(REFUSED)
def reference_to_a_foreign_row(s: TenantSession, i: Ids) -> None:
    """A member of the twin's account: only the composite foreign key can know."""
    new = Member(
        account_id=i.twin["account"],
        login_key="new",
        email="",
        family_name="x",
        created_at=clock.now(),
    )
    s.add(new)
    s.flush()


@probe(ONLY_OWN)
def merge_of_a_foreign_id(s: TenantSession, i: Ids) -> list[str]:
    """Merge finds nothing of its own under that id and inserts, which the plain key refuses, or sees its own row."""
    merged = s.merge(
        Facility(tenant_id=OWN, id=i.twin["facility"], code="STOLEN", name="x", **_PRICES)
    )
    s.flush()
    return [merged.tenant_id]


@probe(REFUSED)
def merge_of_a_foreign_pair(s: TenantSession, i: Ids) -> None:
    """Merge by the twin's whole key."""
    s.merge(Facility(tenant_id=TWIN, id=i.twin["facility"], code="STOLEN", name="x", **_PRICES))
    s.flush()


@probe(REFUSED)
def forged_detached_row(s: TenantSession, i: Ids) -> None:
    """A row that was never loaded, made to look as if it had been."""
    forged = Facility(tenant_id=OWN, id=i.twin["facility"], code="LC-01", name="x", **_PRICES)
    make_transient_to_detached(forged)
    s.add(forged)
    forged.name = "stolen"
    s.flush()


@probe(REFUSED)
def forged_detached_row_of_the_twin(s: TenantSession, i: Ids) -> None:
    """The same with the twin's whole key, to delete it."""
    forged = Facility(tenant_id=TWIN, id=i.twin["facility"], code="LC-01", name="x", **_PRICES)
    make_transient_to_detached(forged)
    s.add(forged)
    s.delete(forged)
    s.flush()


@probe(REFUSED)
def row_that_changes_its_tenant(s: TenantSession, i: Ids) -> None:
    """Give a row of one's own away."""
    s.get_one(Facility, i.own["facility"]).tenant_id = TWIN
    s.flush()


@probe(REFUSED)
def session_that_changes_its_tenant(s: TenantSession, i: Ids) -> Any:
    """Rewrite the session's own idea of its tenant."""
    s.info["tenant"] = TWIN
    return s.scalars(select(Reservation)).all()


@probe(REFUSED)
def expired_row_after_the_session_changed(s: TenantSession, i: Ids) -> str:
    """A lazy refresh after the session was turned to the twin."""
    found = s.get_one(Reservation, i.own["reservation"])
    s.expire(found)
    s.info["tenant"] = TWIN
    return found.purpose


@probe(REFUSED)
def upsert_by_the_plain_key(s: TenantSession, i: Ids) -> None:
    """A row of one's own under the twin's id, which takes the twin's row over when they conflict."""
    made = _upsert(s)(Facility).values(id=i.twin["facility"], **ROW)
    s.execute(made.on_conflict_do_update(index_elements=["id"], set_={"name": "stolen"}))


@probe(REFUSED)
def upsert_that_gives_a_row_away(s: TenantSession, i: Ids) -> None:
    """A conflict with a row of one's own, solved by giving it to the twin."""
    made = _upsert(s)(Facility).values(**ROW | {"code": "LC-01"})
    s.execute(
        made.on_conflict_do_update(index_elements=["tenant_id", "code"], set_={"tenant_id": TWIN})
    )


@probe(REFUSED)
def replace_under_a_foreign_key(s: TenantSession, i: Ids) -> None:
    """SQLite's INSERT OR REPLACE deletes whatever stands in its way."""
    s.execute(insert(Facility).prefix_with("OR REPLACE").values(id=i.twin["facility"], **ROW))


@probe(REFUSED)
def object_of_the_twin_carried_over(s: TenantSession, i: Ids) -> None:
    """A row that was loaded in the twin's scope, taken along and changed here."""
    forged = Facility(tenant_id=TWIN, id=i.twin["facility"], code="LC-01", name="x", **_PRICES)
    make_transient_to_detached(forged)
    s.add(s.merge(forged, load=False))
    s.get_one(Facility, i.own["facility"]).name = forged.name
    forged.name = "stolen"
    s.flush()


@probe(ONLY_OWN)
def populate_existing(s: TenantSession, i: Ids) -> list[str]:
    """Rows read afresh over what the session knows."""
    return tenants(s.scalars(select(Reservation).execution_options(populate_existing=True)))


@probe(ONLY_OWN)
def update_returning(s: TenantSession, i: Ids) -> list[str]:
    """What an UPDATE gives back."""
    changed = update(Reservation).values(purpose="x").returning(Reservation.tenant_id)
    return sorted(set(s.scalars(changed, execution_options={"synchronize_session": False})))


def _upsert(s: TenantSession) -> Any:
    return sqlite.insert if s.get_bind().dialect.name == "sqlite" else postgresql.insert
