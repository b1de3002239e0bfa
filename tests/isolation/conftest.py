"""One portal for a whole file of probes, on each database: probes roll back whatever they do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import create_app
from portal.blueprints.facility.models import Facility, Reservation
from portal.core.db import db, session, tenant_scope
from portal.settings import Settings
from portal.shared.accounts.models import Account, Member
from tests.isolation.probes import OWN, TWIN, Ids
from tests.support.raw import rows_of

_TABLES = ("account", "member", "facility", "reservation")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ground(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    make_settings: Callable[..., Settings],
    worker_name: str,
) -> Iterator[Flask]:
    """A portal with the cast in it that all tests of a file share and leave as it was."""
    stop: Callable[[], Any] = lambda: None  # noqa: E731
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path_factory.mktemp("ground") / "portal.sqlite3"
        shutil.copy(template, path)
        url = f"sqlite:///{path}"
    else:
        cluster, template_name = request.getfixturevalue("postgres_template")
        name = f"ground_{worker_name}"
        cluster.create_database(name, template=template_name)
        url, stop = cluster.url(name), lambda: cluster.drop_database(name)
    app = create_app(make_settings(url))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
    stop()


def _ids(tenant: str) -> dict[str, int]:
    models: dict[str, Any] = {
        "reservation": Reservation,
        "account": Account,
        "facility": Facility,
        "member": Member,
    }
    with tenant_scope(tenant):
        return {
            name: int(session().scalars(select(model.id).order_by(model.id).limit(1)).one())
            for name, model in models.items()
        }


@pytest.fixture(scope="module")
def ids(ground: Flask) -> Ids:
    """Keys in either brand. The two never share one, so a stray row cannot be mistaken."""
    found = Ids(_ids(OWN), _ids(TWIN))
    assert not set(found.own.items()) & set(found.twin.items())
    return found


@pytest.fixture
def twins_rows(ground: Flask) -> dict[str, list[Any]]:
    """Everything that the twin has, before the probe."""
    with tenant_scope(TWIN):
        found = {table: rows_of(session(), TWIN, table) for table in _TABLES}
    assert all(found.values())
    return found
