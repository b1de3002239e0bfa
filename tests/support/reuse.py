"""One portal for many tests: making it, and compiling its templates and statements, costs more than most tests do.

It is kept for a process's usual settings, is given an empty home and a fresh database before each test, and is thrown
away after a test that changed it. `@pytest.mark.own_app` gives a test a portal that nobody has used.
"""

from __future__ import annotations

import shutil
from collections.abc import Hashable
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine

import demo
from portal import create_app
from portal.core.db import db
from portal.settings import Settings
from tests.support.client import ReadingClient

_HOOKS = ("before_cursor_execute", "before_execute", "begin")
_POOL_HOOKS = ("checkout", "connect", "checkin")


class Apps:
    """The portals of this process whose home is `home`, by their settings."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._kept: dict[Settings, tuple[Flask, Hashable]] = {}

    def take(self, settings: Settings, *, own: bool = False) -> Flask:
        """A portal with these settings."""
        if settings.home == self.home:
            shutil.rmtree(self.home, ignore_errors=True)
        kept = self._kept.get(settings)
        if own or kept is None:
            return self._make(settings, keep=not own and settings.home == self.home)
        settings.home.mkdir(parents=True, exist_ok=True)
        return kept[0]

    def give_back(self, settings: Settings, app: Flask) -> None:
        """After a test: close what is open, and keep the portal if it is as it was."""
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
        kept = self._kept.get(settings)
        if kept is not None and kept[0] is app and kept[1] != _look(app):
            del self._kept[settings]

    def _make(self, settings: Settings, *, keep: bool) -> Flask:
        app = create_app(settings)
        app.test_client_class = ReadingClient
        demo.init_app(app)
        if keep:
            self._kept[settings] = app, _look(app)
        return app


def _look(app: Flask) -> Hashable:
    """What a test may have changed of a portal."""
    with app.app_context():
        engine: Engine = db.engine
    hooks = [len(getattr(engine.dispatch, name)) for name in _HOOKS]
    hooks += [len(getattr(engine.pool.dispatch, name)) for name in _POOL_HOOKS]
    extensions = [(name, id(made)) for name, made in app.extensions.items()]
    notifier, tenants = (vars(app.extensions[name]) for name in ("chat_notifier", "tenants"))
    asked = [
        *map(len, app.before_request_funcs.values()),
        *map(len, app.after_request_funcs.values()),
    ]
    rest = (
        len(list(app.url_map.iter_rules())),
        repr(app.wsgi_app),
        repr(sorted(app.config.items(), key=str)),
    )
    return (
        *hooks,
        *extensions,
        *asked,
        *rest,
        notifier["_max_readers"],
        id(tenants["_good"]),
        tenants["_mistakes"],
    )
