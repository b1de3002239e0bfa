"""COM-02: no way to ask, write or forge reaches another brand's rows, on either database."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError

from portal.blueprints.facility.models import Facility, Reservation
from portal.core.db import db, session, tenant_scope
from portal.tenancy import scope
from portal.tenancy.scope import TenantError
from tests.isolation.probes import ONLY_OWN, OWN, REFUSED, TWIN, Ids
from tests.isolation.probes_core import ALL as PROBES
from tests.support.raw import rows_of

_REFUSALS = (TenantError, DBAPIError, StaleDataError)


@pytest.mark.parametrize("name", PROBES)
def test_com_02_probe_never_meets_another_tenant(
    name: str, ids: Ids, twins_rows: dict[str, list[Any]]
) -> None:
    """COM-02: the probe is refused, or meets its own tenant's rows only; the twin's rows stay as they were."""
    attempt, expected = PROBES[name]
    with tenant_scope(OWN):
        try:
            seen = attempt(session(), ids)
        except _REFUSALS:
            assert expected in (REFUSED, ONLY_OWN), f"{name} should have been harmless, not refused"
            return
        assert expected is not REFUSED, f"{name} was let through and gave {seen!r}"
        if expected is ONLY_OWN:
            assert set(seen) == {OWN}
        else:
            assert seen == expected
        assert {table: rows_of(session(), TWIN, table) for table in twins_rows} == twins_rows


def _write_one() -> None:
    session().add(Facility(code="X", name="x", hourly_price=1, daily_price=1))
    session().flush()


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: session().scalars(select(Reservation)).all(),
        lambda: session().get(Reservation, 1),
        _write_one,
        lambda: session().connection().execute(select(Reservation.__table__)).all(),
    ],
    ids=["select", "get", "add", "connection"],
)
def test_com_02_without_a_tenant_everything_fails_closed(ground: Flask, attempt: Any) -> None:
    """COM-02: outside any scope nothing is read or written."""
    try:
        with pytest.raises(TenantError):
            attempt()
    finally:
        db.session.remove()


def test_com_02_session_is_useless_in_another_scope(ground: Flask) -> None:
    """COM-02: a session that was carried into another tenant's scope refuses to work for either."""
    with tenant_scope(OWN):
        carried = session()
        token = scope.enter(TWIN)
        try:
            with pytest.raises(TenantError, match="another scope"):
                carried.scalars(select(Reservation)).all()
        finally:
            scope.leave(token)


def test_com_02_alternating_tenants_never_mix(ground: Flask) -> None:
    """COM-02: cached statements and criteria serve the tenant in scope, whoever came before."""
    for turn in range(100):
        tenant = (OWN, TWIN)[turn % 2]
        with tenant_scope(tenant):
            assert {row.tenant_id for row in session().scalars(select(Reservation))} == {tenant}
