"""`flask db`: the database brought up to date, back, and held against the models (OPS-21)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import create_engine, inspect

from portal import create_app
from portal.core.db import db, tenant_tables
from portal.settings import Settings
from tests.support import postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(
    request: pytest.FixtureRequest, tmp_path: Path, make_settings, worker_name
) -> Iterator[Flask]:
    """A portal whose database is empty; on PostgreSQL the owner's URL is another than the application's."""
    if request.param == "sqlite":
        app = create_app(make_settings(f"sqlite:///{tmp_path / 'portal.sqlite3'}"))
        yield app
    else:
        cluster, name = postgres.shared(), f"bare_{worker_name}"
        cluster.create_database(name)
        owner = cluster.url(name, postgres.OWNER)
        app = create_app(make_settings(cluster.url(name), database_owner_url=owner))
        yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
    if request.param == "postgresql":
        cluster.drop_database(name)


@pytest.fixture
def do(bare: Flask):
    """Run a command of `flask db`."""
    runner: FlaskCliRunner = bare.test_cli_runner()

    def command(*words: str, given: str = "", expect: int = 0) -> str:
        result = runner.invoke(args=["db", *words], input=given)
        assert result.exit_code == expect, (result.output, result.exception)
        return str(result.output)

    return command


def tables(app: Flask) -> set[str]:
    engine: Any = create_engine(app.extensions["settings"].owner_database)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_upgrade_makes_every_table_and_again_changes_nothing(do, bare: Flask) -> None:
    """OPS-20, OPS-21: `make run` does it every time."""
    assert tables(bare) == set()
    assert do("upgrade") == "database is up to date\n"
    made = tables(bare)
    assert set(tenant_tables()) < made
    assert do("upgrade") == "database is up to date\n"
    assert tables(bare) == made
    assert "Traceback" not in do("check")


def test_the_application_serves_what_was_upgraded(do, bare: Flask) -> None:
    """OPS-21: the application's own role may use the tables that the owner made."""
    do("upgrade")
    add = ["accounts", "add", "試験", "--tenant", "facility"]
    result = bare.test_cli_runner().invoke(args=add)
    assert (result.exit_code, result.output) == (0, "C000001\n")
    assert bare.test_client().get("/readyz").status_code == 200


def test_downgrade_asks_and_a_no_changes_nothing(do, bare: Flask) -> None:
    """OPS-10: it asks before it destroys."""
    do("upgrade")
    before = tables(bare)
    for answer in ("n\n", "\n", ""):
        assert "This takes tables and their rows away." in do(
            "downgrade", "base", given=answer, expect=1
        )
        assert tables(bare) == before


def test_downgrade_takes_everything_away_and_upgrade_brings_it_back(do, bare: Flask) -> None:
    """OPS-10, OPS-21: --yes, and the way back works on both databases."""
    do("upgrade")
    before = tables(bare)
    do("downgrade", "base", "--yes")
    assert tables(bare) == {"alembic_version"}
    do("upgrade")
    assert tables(bare) == before


def test_a_missing_migration_is_told(do, bare: Flask) -> None:
    """OPS-21: check fails when a table is not what the models say."""
    do("upgrade")
    engine = create_engine(bare.extensions["settings"].owner_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE notice ADD COLUMN forgotten INTEGER")
    engine.dispose()
    told = do("check", expect=2)
    assert "forgotten" in told
    assert len(told.strip().splitlines()) == 1


def test_a_revision_that_there_is_not_is_one_line(do, bare: Flask) -> None:
    """OPS-10."""
    told = do("upgrade", "9999", expect=2)
    assert "Can't locate revision identified by '9999'" in told
    assert len(told.strip().splitlines()) == 1


@pytest.mark.postgres
def test_migrating_without_rights_is_refused_in_one_line(
    make_settings: Callable[..., Settings], worker_name: str
) -> None:
    """OPS-10: the app's own role may make no tables; the message says whose address to give."""
    cluster, name = postgres.shared(), f"rights_{worker_name}"
    cluster.create_database(name)
    try:
        for role in (postgres.APP, "nobody_at_all"):
            app = create_app(make_settings(cluster.url(name, role)))
            result = app.test_cli_runner().invoke(args=["db", "upgrade"])
            assert len(result.stderr.strip().splitlines()) == 1
            assert (result.exit_code, "Error: the database: " in result.stderr) == (
                2 if role == postgres.APP else 1,
                True,
            ), result.output
            assert ("DATABASE_OWNER_URL" in result.stderr) == (role == postgres.APP)
    finally:
        cluster.drop_database(name)
