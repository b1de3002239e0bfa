"""What the machine that watches the portal is told: alive, ready, or what is missing (OPS-22)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from portal import create_app
from portal.config import registry
from portal.core.db import db
from tests.support import postgres

READY, NOT_READY = {"status": "ready"}, {"status": "not ready"}
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


def test_ready_says_no_more_than_that(client):
    """OPS-22: anybody may ask; what is the matter stands in the log and in `flask doctor`."""
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
    assert (answer.status_code, answer.get_json()) == (503, NOT_READY)
    assert client.get("/livez", base_url="http://nobody.localhost").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_that_is_gone_is_not_ready_and_tells_no_address(
    app, client, monkeypatch, caplog
):
    """OPS-22, security: the kind of failure is for the log, where the database is for nobody."""
    with app.app_context():
        engine = db.engine

    def refuse(*_args, **_kwargs):
        raise OperationalError("SELECT 1", {}, Exception("could not connect to secret-host:5432"))

    monkeypatch.setattr(engine.pool, "connect", refuse)
    answer = client.get("/readyz", base_url="http://nobody.localhost")
    assert (answer.status_code, answer.get_json()) == (503, NOT_READY)
    assert "not ready: OperationalError" in caplog.text
    assert "secret-host" not in answer.text + caplog.text
    assert client.get("/livez", base_url="http://nobody.localhost").text == "ok\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_spoilt_tenants_file_leaves_the_portal_ready(impatient, own_file, caplog):
    """OPS-03, OPS-22: ready is whether it can serve; members notice nothing, and the log names the line."""
    client, file = own_file
    good = file.read_text()
    file.write_text(good.replace('modules = ["shop"]', 'modules = ["shop"]\ncolour = "red"'))
    answer = client.get("/readyz", base_url="http://nobody.localhost")
    assert (answer.status_code, answer.get_json()) == (200, READY)
    line = file.read_text().splitlines().index('colour = "red"') + 1
    assert f"tenants.toml:{line}: " in caplog.text
    assert client.get("/sign-in", base_url="http://facility.localhost").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_tenants_file_that_is_gone_leaves_the_portal_ready(impatient, own_file):
    """OPS-03, OPS-22"""
    client, file = own_file
    Path(file).unlink()
    assert client.get("/readyz", base_url="http://nobody.localhost").status_code == 200
    assert client.get("/sign-in", base_url="http://facility.localhost").status_code == 200
