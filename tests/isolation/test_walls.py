"""COM-02: both walls stand round every table, and nobody left a gap."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from portal.blueprints.facility.models import Reservation
from portal.core.db import Base, db, session, tenant_scope, tenant_tables
from portal.tenancy.orm_guard import TenantOwned
from tests.support.raw import superuser

OWN, TWIN = "facility", "studio"
GLOBAL = {"system_access"}
TABLES = sorted(set(Base.metadata.tables) - GLOBAL)


on_postgresql = pytest.mark.parametrize("ground", ["postgresql"], indirect=True)
"""Row-level security is PostgreSQL's."""


def _catalogue(app: Flask, sql: str) -> list[Any]:
    with superuser(app) as raw:
        return list(raw.execute(sql).fetchall())


def test_com_02_every_table_has_a_tenant_or_is_on_the_global_list() -> None:
    """COM-02: a new table is tenant-owned, or somebody put it on the short list on purpose."""
    assert set(Base.metadata.tables) == {*tenant_tables(), *GLOBAL}


@pytest.mark.parametrize("table", TABLES)
def test_com_02_keys_lead_with_the_tenant(table: str) -> None:
    """COM-02: unique keys, indexes and references of a tenant's table all begin with the tenant."""
    found = Base.metadata.tables[table]
    uniques: list[Any] = [c for c in found.constraints if type(c).__name__ == "UniqueConstraint"]
    for key in (*uniques, *found.indexes):
        assert next(iter(key.columns)).name == "tenant_id", key.name
    for reference in found.foreign_key_constraints:
        assert reference.column_keys[0] == "tenant_id", reference.name
        assert reference.elements[0].column.name == "tenant_id", reference.name
    assert any({c.name for c in key.columns} == {"tenant_id", "id"} for key in uniques)
    assert not found.c.tenant_id.nullable


def test_com_02_mapped_keys_carry_the_tenant() -> None:
    """COM-02: the identity map tells rows of two tenants apart, whatever their ids."""
    for mapper in Base.registry.mappers:
        if issubclass(mapper.class_, TenantOwned):
            assert [column.name for column in mapper.primary_key] == ["tenant_id", "id"], (
                mapper.class_
            )


def test_com_02_get_is_prefixed_and_identity_carries_the_tenant(ground: Flask) -> None:
    """COM-02: a plain id is completed with the session's tenant."""
    with tenant_scope(OWN):
        found = session().get(Reservation, 1)
        assert found is not None
        assert session().identity_key(instance=found)[1] == (OWN, 1)


@on_postgresql
def test_com_02_row_level_security_is_on_and_forced(ground: Flask) -> None:
    """COM-02: each tenant's table has the policy, for its owner too."""
    found = _catalogue(
        ground,
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polqual IS NOT NULL, p.polwithcheck IS NOT NULL "
        "FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid "
        "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace",
    )
    walled = {name: rest for name, *rest in found if name not in {*GLOBAL, "alembic_version"}}
    assert walled == {name: [True, True, True, True] for name in TABLES}


@on_postgresql
def test_com_02_app_role_owns_nothing_and_has_no_powers(ground: Flask) -> None:
    """COM-02: the application's role cannot pass the wall."""
    role = "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'portal_app'"
    assert _catalogue(ground, role) == [(False, False, False, False)]
    owned = "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = 'portal_app'"
    assert _catalogue(ground, owned) == []


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE account DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE account NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant_wall ON account",
        "ALTER TABLE audit_event DISABLE TRIGGER ALL",
        "TRUNCATE reservation",
        "SET ROLE portal_owner",
        "DELETE FROM audit_event",
    ],
)
@on_postgresql
def test_com_02_app_role_cannot_take_the_wall_down(ground: Flask, statement: str) -> None:
    """COM-02: what an injected statement would try first."""
    url = ground.extensions["settings"].database_url
    with psycopg.connect(url) as raw, pytest.raises(psycopg.errors.InsufficientPrivilege):
        raw.execute(statement)


@on_postgresql
@pytest.mark.parametrize("table", TABLES)
def test_com_02_policy_shows_the_announced_tenant_only(ground: Flask, table: str) -> None:
    """COM-02: without a tenant no row, with one its own only, and only for the one transaction."""
    count = f"SELECT tenant_id FROM {table} GROUP BY 1"
    with psycopg.connect(ground.extensions["settings"].database_url, autocommit=True) as raw:
        assert raw.execute(count).fetchall() == []
        for tenant in (OWN, TWIN):
            with raw.transaction():
                raw.execute("SELECT set_config('app.tenant', %s, true)", (tenant,))
                assert raw.execute(count).fetchall() in ([], [(tenant,)])
        assert raw.execute(count).fetchall() == []


@on_postgresql
def test_com_02_setting_does_not_outlive_its_transaction(ground: Flask) -> None:
    """COM-02: a pooled connection comes back without a tenant."""
    with tenant_scope(OWN):
        session().get(Reservation, 1)
        session().commit()
    with db.engine.connect() as connection:
        left = connection.execute(text("SELECT current_setting('app.tenant', true)")).scalar()
    assert left in (None, "")
