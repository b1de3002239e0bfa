"""What the machine that watches the portal is told: alive, ready, or what is missing (OPS-22)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from portal import create_app
from portal.core.db import db
from portal.core.tenancy import registry
from tests.support import postgres

READY = {"database": "ok", "migrations": True, "tenants": "ok"}
HOSTS = ["facility.localhost", "shop.localhost", "nobody.localhost", "127.0.0.1:8000", "[::1]"]


@pytest.fixture
def impatient(monkeypatch):
    """The tenants file is looked at on every request instead of once a second."""
    monkeypatch.setattr(registry, "LOOK_EVERY", 0.0)


@pytest.fixture
def own_file(app, settings, tmp_path):
    """A portal whose tenants file may be spoilt: its client, and the file."""
    file = tmp_path / "tenants.toml"
    file.write_text(settings.tenants_file.read_text())
    other = create_app(replace(settings, tenants_file=file))
    yield other.test_client(), file
    with other.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("host", HOSTS)
def test_alive_and_ready_are_answered_at_any_host(client, host):
    """OPS-22: a watcher calls by address and knows no brand; nothing is cached, no cookie is set."""
    for path in ("/livez", "/readyz"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
        assert client.head(path, headers={"Host": host}).status_code == 200
        assert client.post(path, headers={"Host": host}).status_code in (400, 404, 405)
    assert client.get("/livez", headers={"Host": host}).text == "ok\n"


def test_ready_says_what_was_looked_at(client):
    """OPS-22: the database, its migrations, the tenants file."""
    answer = client.get("/readyz", base_url="http://nobody.localhost")
    assert (answer.status_code, answer.get_json()) == (200, READY)


def test_a_database_behind_the_program_is_not_ready(app, client, settings):
    """OPS-22: until `flask db upgrade` has run; the process is alive all the same."""
    owner = create_engine(settings.database_url)
    if owner.dialect.name == "postgresql":
        name = settings.database_url.rpartition("/")[2].partition("?")[0]
        owner = create_engine(postgres.shared().url(name, postgres.OWNER))
    with owner.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    owner.dispose()
    answer = client.get("/readyz", base_url="http://nobody.localhost")
    assert (answer.status_code, answer.get_json()) == (503, READY | {"migrations": False})
    assert client.get("/livez", base_url="http://nobody.localhost").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_that_is_gone_is_not_ready_and_tells_no_address(app, client, monkeypatch):
    """OPS-22, security: the kind of failure, not where the database is."""
    with app.app_context():
        engine = db.engine

    def refuse(*_args, **_kwargs):
        raise OperationalError("SELECT 1", {}, Exception("could not connect to secret-host:5432"))

    monkeypatch.setattr(engine.pool, "connect", refuse)
    answer = client.get("/readyz", base_url="http://nobody.localhost")
    assert (answer.status_code, answer.get_json()) == (503, {"database": "OperationalError"})
    assert "secret-host" not in answer.text
    assert client.get("/livez", base_url="http://nobody.localhost").text == "ok\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_spoilt_tenants_file_is_told_with_its_line_and_forgotten_when_mended(impatient, own_file):
    """OPS-22: the last good one stays in force, so members notice nothing."""
    client, file = own_file
    good = file.read_text()
    file.write_text(good.replace('modules = ["shop"]', 'modules = ["shop"]\ncolour = "red"'))
    answer = client.get("/readyz", base_url="http://nobody.localhost")
    assert answer.status_code == 503
    [mistake] = answer.get_json()["tenants"]
    assert "colour" in mistake
    assert str(file.read_text().splitlines().index('colour = "red"') + 1) in mistake
    assert client.get("/sign-in", base_url="http://facility.localhost").status_code == 200
    file.write_text(good)
    assert client.get("/readyz", base_url="http://nobody.localhost").get_json() == READY


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_tenants_file_that_is_gone_is_not_ready(impatient, own_file):
    """OPS-22"""
    client, file = own_file
    Path(file).unlink()
    assert client.get("/readyz", base_url="http://nobody.localhost").status_code == 503
    assert client.get("/sign-in", base_url="http://facility.localhost").status_code == 200
