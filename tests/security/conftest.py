"""The ground of the attack suite: one portal on each database for all its files, with a town in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from portal import create_app
from portal.core import clock
from portal.core.db import db
from portal.settings import ROOT, Settings
from tests.cast import NOW
from tests.security.ground import Ground, PostgresRows, SqliteRows
from tests.security.town import settle
from tests.support import postgres
from tests.support.rewind import Rewinding

MOMENT = NOW + timedelta(days=1)
"""A day on which one may chat; the cast's own is a holiday."""
TENANTS = ROOT / "tests" / "security" / "tenants.toml"


def _build(settings: Settings, rows: Callable[[], SqliteRows | PostgresRows]) -> Iterator[Ground]:
    app = create_app(settings)
    with app.app_context(), clock.freeze(MOMENT):
        town = settle(app)
        db.session.remove()
    kept = rows()
    kept.keep()
    yield Ground(app, town, kept)
    kept.close()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _sqlite(
    request: pytest.FixtureRequest, folder: Path, make: Callable[..., Settings]
) -> Iterator[Ground]:
    path = folder / "portal.sqlite3"
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    settings = make(f"sqlite:///{path}", tenants_file=TENANTS, chat_streams=0, home=folder)
    yield from _build(settings, lambda: SqliteRows(path))


def _postgresql(
    request: pytest.FixtureRequest, folder: Path, make: Callable[..., Settings]
) -> Iterator[Ground]:
    cluster, template = request.getfixturevalue("postgres_template")
    name = f"town_{request.getfixturevalue('worker_name')}"
    made = Rewinding(cluster, name, template)
    settings = make(made.url(), tenants_file=TENANTS, chat_streams=0, home=folder)
    assert isinstance(cluster, postgres.Cluster)
    yield from _build(settings, lambda: PostgresRows(made))
    made.drop()


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("sqlite", marks=pytest.mark.xdist_group("town-sqlite")),
        pytest.param("postgresql", marks=pytest.mark.xdist_group("town-postgresql")),
    ],
)
def ground(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    make_settings: Callable[..., Settings],
) -> Iterator[Ground]:
    """The portal and its town, on each database; whoever writes puts back what was there."""
    build = _sqlite if request.param == "sqlite" else _postgresql
    with clock.freeze(MOMENT):
        yield from build(request, tmp_path_factory.mktemp("town"), make_settings)


@pytest.fixture(autouse=True)
def present() -> Iterator[None]:
    """The time stands still."""
    with clock.freeze(MOMENT):
        yield
