"""More probes, round the ORM: Core on bare tables, the connection, hand-written SQL and pieces of it."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import (
    Engine,
    Table,
    and_,
    case,
    delete,
    insert,
    join,
    literal,
    literal_column,
    not_,
    or_,
    select,
    table,
    text,
    union_all,
    update,
)

from portal.blueprints.facility.models import Facility, Reservation
from portal.shared.accounts.models import Account
from portal.tenancy.orm_guard import TenantSession
from tests.isolation.probes import (
    COUNT,
    ONLY_OWN,
    OWN,
    PROBES,
    REFUSED,
    ROW,
    TWIN,
    Ids,
    probe,
    short,
    tenants,
)

_R, _A = cast(Table, Reservation.__table__), cast(Table, Account.__table__)
_F, _R2 = cast(Table, Facility.__table__), _R.alias()


def _schema(s: TenantSession) -> str:
    """The name of the schema that holds the tables."""
    return "main" if s.get_bind().dialect.name == "sqlite" else "public"


short("core_select", REFUSED, lambda s, i: s.execute(select(_R.c.tenant_id)).all())
short(
    "core_table_joined_to_entity",
    REFUSED,
    lambda s, i: s.execute(
        select(Account.id, _R.c.tenant_id).select_from(Account).join(_R, literal(True))
    ).all(),
)
short(
    "core_table_before_entity",
    REFUSED,
    lambda s, i: s.execute(
        select(_R.c.tenant_id, Account.id).select_from(join(Account, _R, literal(True)))
    ).all(),
)
short("text", REFUSED, lambda s, i: s.execute(text("SELECT count(*) FROM reservation")).scalar())
short(
    "text_column_in_orm_select",
    REFUSED,
    lambda s, i: s.execute(select(Account.id, text("(SELECT count(*) FROM reservation)"))).first(),
)
short(
    "text_fragment_in_where",
    REFUSED,
    lambda s, i: s.scalars(select(Reservation).where(text("1=1 OR 1=1"))).all(),
)
short(
    "connection_text",
    REFUSED,
    lambda s, i: s.connection().execute(text("SELECT count(*) FROM reservation")).scalar(),
)
short(
    "connection_core_select",
    REFUSED,
    lambda s, i: s.connection().execute(select(COUNT).select_from(_R)).scalar(),
)
short(
    "connection_names_the_twin",
    REFUSED,
    lambda s, i: s.connection().execute(select(_R).where(_R.c.tenant_id == TWIN)).all(),
)
short(
    "connection_driver_sql",
    REFUSED,
    lambda s, i: s.connection().exec_driver_sql("SELECT count(*) FROM reservation").scalar(),
)
short(
    "connection_text_or_true",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(text("SELECT count(*) FROM reservation WHERE tenant_id = :t OR 1=1"), {"t": OWN})
        .scalar()
    ),
)
short(
    "core_select_tenant_or_true",
    REFUSED,
    lambda s, i: (
        s.connection().execute(select(_R).where((_R.c.tenant_id == OWN) | (_R.c.id > 0))).all()
    ),
)
short(
    "connection_insert_foreign",
    REFUSED,
    lambda s, i: s.connection().execute(insert(_F).values(tenant_id=TWIN, **ROW)),
)
short(
    "connection_update_foreign",
    REFUSED,
    lambda s, i: s.connection().execute(update(_A).where(_A.c.tenant_id == TWIN).values(name="x")),
)
short(
    "connection_delete_foreign",
    REFUSED,
    lambda s, i: s.connection().execute(delete(_R).where(_R.c.tenant_id == TWIN)),
)
short("core_update", REFUSED, lambda s, i: s.execute(update(_R).values(purpose="x")))
short("core_delete", REFUSED, lambda s, i: s.execute(delete(_R)))
short(
    "core_insert_foreign", REFUSED, lambda s, i: s.execute(insert(_F).values(tenant_id=TWIN, **ROW))
)

short(
    "connection_text_held_to_its_tenant",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(
            text("SELECT count(*) FROM reservation AS r WHERE r.tenant_id = :t AND 1 = 1"),
            {"t": s.tenant},
        )
        .scalar()
    ),
)
short(
    "connection_text_as_columns",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(
            text("SELECT number FROM reservation WHERE tenant_id = 'studio'").columns(_R.c.number)
        )
        .all()
    ),
)
short(
    "connection_driver_sql_or_true",
    REFUSED,
    lambda s, i: s.connection().exec_driver_sql(
        "SELECT * FROM reservation WHERE reservation.tenant_id = 'facility' OR 1=1"
    ),
)
short(
    "connection_driver_sql_quoted",
    REFUSED,
    lambda s, i: (
        s.connection().exec_driver_sql('SELECT count(*) FROM "RESERVATION"'.lower()).scalar()
    ),
)


@probe(REFUSED)
def engine_text(s: TenantSession, i: Ids) -> Any:
    """A connection of one's own, past the session."""
    with cast(Engine, s.get_bind()).connect() as connection:
        return connection.execute(text("SELECT count(*) FROM reservation")).scalar()


short(
    "connection_creates_a_view",
    REFUSED,
    lambda s, i: s.connection().exec_driver_sql("CREATE VIEW peep AS SELECT * FROM reservation"),
)
short(
    "core_bracketed_tenant_or_true",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(select(_R).where(or_(and_(_R.c.tenant_id == OWN, _R.c.id > 0), _R.c.id > 0)))
        .all()
    ),
)
short(
    "core_negated_tenant",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(select(_R).where(not_(and_(_R.c.tenant_id == OWN, _R.c.id > 0))))
        .all()
    ),
)
short(
    "core_tenant_inside_case",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(select(_R).where(case((_R.c.tenant_id == OWN, 1), else_=1) == 1))
        .all()
    ),
)
short(
    "core_tenant_bound_elsewhere",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(select(_R).where(_R.c.tenant_id == TWIN, _R.c.purpose != s.tenant))
        .all()
    ),
)
short(
    "core_tenant_of_the_other_alias",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(
            select(_R.c.number)
            .select_from(_R.join(_R2, literal(True)))
            .where(_R2.c.tenant_id == OWN)
        )
        .all()
    ),
)
short(
    "core_outer_join_holds_the_wrong_side",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(
            select(_R.c.number).select_from(
                _R.outerjoin(_R2, and_(_R.c.tenant_id == OWN, _R2.c.tenant_id == OWN))
            )
        )
        .all()
    ),
)
short(
    "core_union_with_an_open_part",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(union_all(select(_R.c.number).where(_R.c.tenant_id == OWN), select(_R.c.number)))
        .all()
    ),
)
short(
    "core_gives_a_row_away",
    REFUSED,
    lambda s, i: s.connection().execute(
        update(_A).where(_A.c.tenant_id == OWN).values(tenant_id=TWIN)
    ),
)
short(
    "core_insert_with_the_tenant_elsewhere",
    REFUSED,
    lambda s, i: s.connection().execute(
        insert(_F).values(tenant_id=TWIN, **(ROW | {"code": s.tenant}))
    ),
)
short(
    "core_insert_of_two_rows_one_foreign",
    REFUSED,
    lambda s, i: s.connection().execute(
        insert(_F),
        [{"tenant_id": OWN, **ROW, "code": "N1"}, {"tenant_id": TWIN, **ROW, "code": "N2"}],
    ),
)
short(
    "core_schema_before_the_table",
    REFUSED,
    lambda s, i: (
        s.connection()
        .execute(select(COUNT).select_from(table("reservation", schema=_schema(s))))
        .scalar()
    ),
)
short(
    "literal_column_or_true",
    REFUSED,
    lambda s, i: s.scalars(select(Reservation).where(literal_column("1=1 OR 1=1"))).all(),
)
short(
    "literal_column_asks_another_table",
    REFUSED,
    lambda s, i: s.execute(
        select(Account.id, literal_column("(SELECT count(*) FROM reservation)"))
    ).all(),
)
short(
    "operator_that_smuggles_an_or",
    ONLY_OWN,
    lambda s, i: tenants(s.scalars(select(Reservation).where(Reservation.id.op("> 0 OR 1 <")(2)))),
)
short(
    "suffix_or_true",
    REFUSED,
    lambda s, i: s.scalars(select(Reservation).suffix_with("OR 1=1")).all(),
)


@probe(ONLY_OWN)
def core_list_that_names_its_tenant(s: TenantSession, i: Ids) -> list[str]:
    """The way that the portal's own lists go is open."""
    return tenants(
        s.connection().execute(select(_R).where(_R.c.tenant_id == s.tenant, _R.c.id > 0))
    )


ALL = PROBES
"""The probes of both files, once this one is imported."""
