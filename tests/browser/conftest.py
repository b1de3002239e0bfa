"""A portal that a browser can reach: a thread that serves a fresh database with the cast, documents drawn."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.serving import WSGIRequestHandler, make_server

import demo
from portal import create_app
from portal.blueprints.facility import operations
from portal.blueprints.facility.models import Reservation
from portal.cli.worker import round_of_work
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import db, session, tenant_scope
from portal.settings import Settings
from tests.cast import NOW, PASSWORD
from tests.support.browser import PageFor
from tests.support.ports import free_port

Address = Callable[[str], str]
SignedIn = Callable[..., Page]


class _Quiet(WSGIRequestHandler):
    """Keep-alive, as a real server would, and no line for each request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Served:
    """A portal that runs: where a brand answers, and its operators' commands."""

    def __init__(self, app: Flask, port: int) -> None:
        self.app, self._port = app, port

    def __call__(self, brand: str) -> str:
        return f"http://{brand}.localhost:{self._port}"

    def operate(self, *words: str, tenant: str = "facility") -> str:
        """What a command says that goes well."""
        with clock.freeze(NOW):
            result = self.app.test_cli_runner().invoke(args=[*words, "--tenant", tenant])
        assert result.exit_code == 0, result.output
        return result.stdout


def _draw_documents(settings: Settings) -> None:
    """Issue and draw the documents of the billed reservation of the brand `facility`."""
    app = create_app(settings)
    with app.app_context():
        tenant = app.extensions["tenants"].current().by_key["facility"]
        with tenant_scope(tenant.key), clock.freeze(NOW):
            billed = session().query(Reservation).filter_by(number="FR000002").one()
            operations.issue(tenant, billed, by=SYSTEM)
            session().commit()
        with clock.freeze(NOW):
            round_of_work()
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def drawn_template(
    sqlite_template: Path,
    make_settings: Callable[..., Settings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A home folder with the cast's database and the documents of what is billed."""
    home = tmp_path_factory.mktemp("drawn")
    shutil.copy(sqlite_template, home / "portal.sqlite3")
    _draw_documents(
        make_settings(
            f"sqlite:///{home / 'portal.sqlite3'}", home=home, smtp_url="smtp://127.0.0.1:9"
        )
    )
    return home


@contextmanager
def serve(
    drawn_template: Path,
    make_settings: Callable[..., Settings],
    tmp_path_factory: pytest.TempPathFactory,
    **changes: Any,
) -> Iterator[Address]:
    """A portal with a home of its own, and `changes` to its settings, while the block lasts."""
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(drawn_template, home)
    port = free_port()
    app = create_app(
        make_settings(f"sqlite:///{home / 'portal.sqlite3'}", home=home, port=port, **changes)
    )
    demo.init_app(app)
    wsgi = app.wsgi_app

    def standing(environ, start_response):
        # The clock is frozen for each request: a server's threads do not inherit the test's context.
        clock.set_as_of(NOW)
        return wsgi(environ, start_response)

    app.wsgi_app = standing  # type: ignore[method-assign]
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    yield Served(app, port)
    server.shutdown()
    server.server_close()
    thread.join()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="module")
def address(
    drawn_template: Path,
    make_settings: Callable[..., Settings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Address]:
    """Serve one module's tests: ``address("facility")`` is where that brand answers."""
    with serve(drawn_template, make_settings, tmp_path_factory) as where:
        yield where


@pytest.fixture(scope="module")
def cookies(address: Address, browser: Browser) -> Callable[..., Any]:
    """What a browser keeps after signing in at a brand; done once, because often would be throttled."""

    @cache
    def of(brand: str, login_id: str = "hanako") -> Any:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address(brand) + "/sign-in")
        page.fill("[name=login_id]", login_id)
        page.fill("[name=password]", PASSWORD)
        page.click("main form button")
        page.wait_for_url(address(brand) + "/")
        state = context.storage_state()
        context.close()
        return state

    return of


@pytest.fixture
def signed_in(address: Address, page_for: PageFor, cookies: Callable[..., Any]) -> SignedIn:
    """Open a brand's my page as a signed-in member: ``signed_in("facility", width=390)``."""

    def make(brand: str = "facility", login_id: str = "hanako", **options: object) -> Page:
        page = page_for(**options, storage_state=cookies(brand, login_id))
        page.set_default_timeout(8000)
        page.goto(address(brand) + "/")
        return page

    return make
