"""The tests' ground: a portal on each database, made from a migrated template, with a fixed cast in two brands."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask, current_app, has_app_context
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import event

from portal import create_app
from portal.core import OutboxMail, clock, migrate
from portal.core.db import db, tenant_scope
from portal.settings import ROOT, Settings
from portal.shared.auth import passwords
from tests.cast import NOW, PASSWORD, Cast, fill
from tests.support import postgres
from tests.support.browser import browser, page_for
from tests.support.client import Visitor
from tests.support.reuse import Apps
from tests.support.rewind import Rewinding

__all__ = ["browser", "page_for"]
FOLDER = ROOT / "migrations"
_LINK = re.compile(r"https?://[a-z0-9-]+\.localhost(?::\d+)?(/[^\s）)」]*)")
hypothesis.settings.register_profile("portal", deadline=None)  # a busy machine is no mistake
hypothesis.settings.load_profile("portal")


def pytest_configure(config: pytest.Config) -> None:
    """One PostgreSQL cluster for the whole run, started by whoever comes first."""
    if not hasattr(config, "workerinput"):
        postgres.prepare()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The controller stops the cluster."""
    if not hasattr(config, "workerinput"):
        postgres.finish()


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    """This process among those of the run."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "main"))


@pytest.fixture(scope="session")
def make_settings(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Settings of a portal under test."""

    def make(url: str, **changes: Any) -> Settings:
        values: dict[str, Any] = {
            "secret_key": "a-secret-key-for-the-tests-only-0123456789",
            "home": tmp_path_factory.mktemp("home"),
            "database_url": url,
            "tenants_file": ROOT / "tests" / "tenants.toml",
            "scheme": "http",
            "testing": True,
        }
        return Settings(**values | changes)

    return make


@pytest.fixture(scope="session")
def cheap_passwords() -> Iterator[None]:
    """Hash passwords at the lowest cost: the tests sign in hundreds of times. One test looks at the real cost."""
    from pwdlib.hashers.argon2 import Argon2Hasher

    real = passwords._hasher, passwords._ABSENT
    passwords._hasher = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords._ABSENT = passwords._hasher.hash("nobody's")
    yield
    passwords._hasher, passwords._ABSENT = real


@event.listens_for(OutboxMail, "before_insert")
def _links_lead_to_pages(_mapper: Any, _connection: Any, mail: OutboxMail) -> None:
    """COM-80: whatever test makes a mail, each link into the portal in it is the address of a page."""
    if not has_app_context():
        return
    pages = current_app.url_map.bind("")
    for path in _LINK.findall(mail.body):
        pages.match(path.partition("?")[0], method="GET")  # raises for what is no page


def _fill(settings: Settings) -> None:
    app = create_app(settings)
    with app.app_context():
        fill(app)
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(
    tmp_path_factory: pytest.TempPathFactory,
    make_settings: Callable[..., Settings],
    cheap_passwords: None,
) -> Path:
    """A migrated SQLite file with the cast in it."""
    path = tmp_path_factory.mktemp("template") / "portal.sqlite3"
    url = f"sqlite:///{path}"
    migrate.upgrade(FOLDER, url)
    _fill(make_settings(url))
    return path


@pytest.fixture(scope="session")
def postgres_template(
    make_settings: Callable[..., Settings], worker_name: str, cheap_passwords: None
) -> tuple[postgres.Cluster, str]:
    """A migrated PostgreSQL database with the cast in it."""
    cluster = postgres.shared()
    name = f"template_{worker_name}"
    cluster.create_database(name)
    migrate.upgrade(FOLDER, cluster.url(name, postgres.OWNER))
    _fill(make_settings(cluster.url(name)))
    return cluster, name


@pytest.fixture(scope="session")
def rewinding(
    postgres_template: tuple[postgres.Cluster, str], worker_name: str
) -> Iterator[Rewinding]:
    """This process's PostgreSQL database, put back after each test."""
    cluster, template = postgres_template
    made = Rewinding(cluster, f"test_{worker_name}", template)
    yield made
    made.drop()


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> Apps:
    """The portals of this process."""
    return Apps(tmp_path_factory.mktemp("apps") / "home")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, apps: Apps) -> Iterator[str]:
    """The URL of a fresh database with the cast, on each of the two engines."""
    if request.param == "sqlite":
        path = apps.home.parent / "portal.sqlite3"
        for left in path.parent.glob("portal.sqlite3-*"):
            left.unlink()
        shutil.copy(request.getfixturevalue("sqlite_template"), path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)  # whoever still has the last one open keeps that
        yield f"sqlite:///{path}"
        return
    rewinding: Rewinding = request.getfixturevalue("rewinding")
    yield rewinding.url()
    rewinding.rewind()


@pytest.fixture
def settings(database_url: str, make_settings: Callable[..., Settings], apps: Apps) -> Settings:
    """The settings of the portal under test."""
    return make_settings(database_url, home=apps.home)


@pytest.fixture
def app(request: pytest.FixtureRequest, settings: Settings, apps: Apps) -> Iterator[Flask]:
    """A portal with the cast in it, standing at `NOW`; the demo is hung on as `wsgi.py` does it."""
    app = apps.take(settings, own=request.node.get_closest_marker("own_app") is not None)
    with clock.freeze(NOW):
        yield app
    apps.give_back(settings, app)


@pytest.fixture
def cast(app: Flask) -> Cast:
    """The numbers and names of who is in the database."""
    del app
    return Cast()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A bare test client."""
    return app.test_client()


@pytest.fixture
def visit(app: Flask) -> Callable[..., Visitor]:
    """A visitor of a brand: ``visit("facility")``, or signed in: ``visit("facility", "hanako")``."""

    def make(tenant: str = "facility", login_id: str | None = None) -> Visitor:
        visitor = Visitor(app, tenant)
        if login_id:
            visitor.sign_in(login_id, PASSWORD)
        return visitor

    return make


@pytest.fixture
def run(app: Flask) -> FlaskCliRunner:
    """Runs commands: ``run.invoke(args=["facility", "list", "--tenant", "facility"])``."""
    return app.test_cli_runner()


@pytest.fixture
def inside(app: Flask) -> Callable[[str], Any]:
    """Enter a tenant's scope: ``with inside("facility"): …``. It ends with the block: requests need their own."""

    @contextmanager
    def enter(tenant: str) -> Iterator[None]:
        with app.app_context(), tenant_scope(tenant):
            yield

    return enter
