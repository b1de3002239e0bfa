"""One portal for a whole file of probes, on each database: probes roll back whatever they do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal import create_app
from portal.core.db import db
from portal.settings import Settings


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
