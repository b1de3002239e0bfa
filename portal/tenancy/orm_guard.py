"""First wall, upper half: an ORM session that belongs to one tenant for life (COM-02).

Every ORM statement gets ``tenant_id = <the session's tenant>``, new rows are stamped, foreign rows
are refused on the way in and on the way out. What this cannot see (Core on a bare Table, a raw
connection) is caught by `portal.tenancy.sql_guard` at the cursor. docs/decisions/tenancy.md lists
the probes that led here.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast
from weakref import WeakSet

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import (
    BigInteger,
    ClauseElement,
    Delete,
    Insert,
    Integer,
    Select,
    String,
    Update,
    event,
    inspect,
    orm,
)
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.selectable import TextualSelect

from portal.tenancy.scope import TenantError, current_key

T = TypeVar("T")
# SQLite counts ids up by itself only where the column is INTEGER, which has 64 bits there.
ID = BigInteger().with_variant(Integer, "sqlite")


class TenantOwned:
    """Mixin of every table whose rows belong to a tenant.

    The mapped primary key is ``(tenant_id, id)``, so the identity map and every per-row UPDATE and
    DELETE carry the tenant; tables add ``UNIQUE (tenant_id, id)`` for composite foreign keys
    (`portal.core.db.tenant_table_args`).
    """

    tenant_id: orm.Mapped[str] = orm.mapped_column(String(31))
    id: orm.Mapped[int] = orm.mapped_column(ID, primary_key=True, autoincrement=True)

    @orm.declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"primary_key": ["tenant_id", "id"]}


_linted: WeakSet[ClauseElement] = WeakSet()
"""Statements that were looked through already: those that are built once run thousands of times."""


def _refuse_text(statement: ClauseElement) -> None:
    """Raise when a statement holds hand-written SQL, which no criteria can reach."""
    if statement in _linted:
        return
    for element in visitors.iterate(statement):
        if isinstance(element, (TextClause, TextualSelect)):
            raise TenantError("hand-written SQL is refused in a tenant's session")
    _linted.add(statement)


@cache
def _criteria_for(tenant: str) -> LoaderCriteriaOption:
    """The loader criteria of one tenant, built once: building it costs more than applying it."""
    return orm.with_loader_criteria(
        TenantOwned, lambda cls: cls.tenant_id == tenant, include_aliases=True
    )


class TenantSession(FlaskSession):
    """A session of exactly one tenant: the one in scope when the session was made."""

    def __init__(self, db: SQLAlchemy, **options: Any) -> None:
        super().__init__(db, **options)
        self.info["tenant"] = current_key()

    @property
    def tenant(self) -> str:
        """The session's tenant.

        Raises TenantError when there is none, or when the scope has moved on.
        """
        tenant = self.info.get("tenant")
        if not tenant:
            raise TenantError("no tenant in scope")
        if tenant != current_key():
            raise TenantError("the session belongs to another scope")
        return cast(str, tenant)

    def get(self, entity: type[T], ident: object, **kwargs: Any) -> T | None:  # type: ignore[override]
        """As usual, but a plain id is completed with the session's tenant."""
        if issubclass(inspect(entity).class_, TenantOwned):
            if isinstance(ident, (tuple, dict)):
                raise TenantError("give the plain id; the session adds its tenant")
            ident = (self.tenant, ident)
        found: T | None = super().get(entity, ident, **kwargs)
        return found

    def get_one(self, entity: type[T], ident: object, **kwargs: Any) -> T:  # type: ignore[override]
        """As `get`; raises NoResultFound when there is no such row in this tenant."""
        found = self.get(entity, ident, **kwargs)
        if found is None:
            raise NoResultFound(f"no {entity.__name__} {ident}")
        return found

    # These go past the events below, so that nothing would stamp or scope their rows.
    def _refuse_bulk(self, *args: object, **kwargs: object) -> None:
        raise TenantError("bulk_* is refused in a tenant's session")

    bulk_save_objects = bulk_insert_mappings = bulk_update_mappings = _refuse_bulk


def _stamp_rows(state: orm.ORMExecuteState, tenant: str) -> None:
    """Give the rows of an INSERT their tenant; refuse those that name another one."""
    mapper = state.bind_mapper
    if mapper is None or not issubclass(mapper.class_, TenantOwned):
        return
    statement = cast(Insert, state.statement)
    if statement.select is not None or statement._multi_values:
        raise TenantError(
            "INSERT … SELECT and multi-row VALUES are refused: pass the rows as parameters"
        )
    values = _set_values(statement)
    for row in [values] if values else _parameter_rows(state):
        if row.setdefault("tenant_id", tenant) != tenant:
            raise TenantError("INSERT into another tenant")
    if values:
        state.statement = statement.values(tenant_id=tenant)


def _parameter_rows(state: orm.ORMExecuteState) -> list[dict[str, object]]:
    """The rows that are passed as parameters; they are changed in place."""
    if not state.parameters:
        return []
    if isinstance(state.parameters, dict):
        return [state.parameters]
    return cast("list[dict[str, object]]", list(state.parameters))


def _set_values(statement: Insert | Update) -> dict[str, object]:
    """What a statement itself sets, by the columns' names."""
    # Columns are given as such or by name, values bare or as parameters: SQLAlchemy keeps them so.
    given: Mapping[Any, object] = statement._values or {}
    return {
        str(getattr(column, "key", column)): getattr(value, "value", value)
        for column, value in given.items()
    }


def _refuse_moving(state: orm.ORMExecuteState) -> None:
    """Refuse an UPDATE that sets the tenant, or that goes by a list of primary keys and so past the
    criteria.
    """
    if "tenant_id" in _set_values(cast(Update, state.statement)):
        raise TenantError("a row never changes its tenant")
    if isinstance(state.parameters, (list, tuple)) and state.parameters:
        raise TenantError("bulk UPDATE by primary key is refused")


@event.listens_for(TenantSession, "do_orm_execute")
def _scope_statement(state: orm.ORMExecuteState) -> None:
    """Add the tenant to every statement that goes through the session.

    Refuse what cannot be scoped.
    """
    tenant = cast(TenantSession, state.session).tenant
    _refuse_text(cast(ClauseElement, state.statement))
    if state.is_insert:
        _stamp_rows(state, tenant)
        return
    if state.is_update:
        _refuse_moving(state)
    # Core statements take no criteria; the SQL guard holds them to theirs.
    if state.is_orm_statement and (state.is_select or state.is_update or state.is_delete):
        statement = cast("Select[*tuple[Any, ...]] | Update | Delete", state.statement)
        state.statement = statement.options(_criteria_for(tenant))


@event.listens_for(TenantSession, "before_flush")
def _stamp_objects(session: TenantSession, *_: object) -> None:
    """Give new objects their tenant before they are written; refuse those of another one."""
    touched = (*session.new, *session.dirty, *session.deleted)
    for obj in [one for one in touched if isinstance(one, TenantOwned)]:
        tenant = session.tenant
        is_new = obj in session.new
        if is_new and obj.tenant_id is None:
            obj.tenant_id = tenant
        if obj.tenant_id != tenant:
            raise TenantError(f"{type(obj).__name__} of another tenant")
        if not is_new and orm.attributes.get_history(obj, "tenant_id").has_changes():
            raise TenantError("a row never changes its tenant")


@event.listens_for(TenantOwned, "load", propagate=True)
@event.listens_for(TenantOwned, "refresh", propagate=True)
def _refuse_foreign(target: TenantOwned, context: orm.QueryContext | None, *_: object) -> None:
    """Last look at an object that was just loaded or refreshed."""
    session = context.session if context is not None else orm.object_session(target)
    if isinstance(session, TenantSession):
        # Not through the attribute: one that is expired would be loaded, and come here again.
        owner = target.__dict__.get("tenant_id")
        if owner is not None and owner != session.info.get("tenant"):
            raise TenantError("a row of another tenant was loaded")
