"""Portals whose tenants file or settings are a little different."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal import create_app
from portal.core.db import db
from portal.settings import Settings
from tests.cast import PASSWORD
from tests.support.client import Visitor


@pytest.fixture
def other(app: Flask, settings: Settings, tmp_path: Path) -> Iterator[Callable[..., Visitor]]:
    """A visitor of a portal with more in the facility brand's section: ``other("features.notices = false")``."""
    made: list[Flask] = []

    def make(
        more: str = "", login_id: str | None = None, tenant: str = "facility", **changes: Any
    ) -> Visitor:
        file = tmp_path / "tenants.toml"
        head = f"[tenants.{tenant}]\n"
        file.write_text(settings.tenants_file.read_text().replace(head, f"{head}{more}\n"))
        made.append(create_app(replace(settings, tenants_file=file, **changes)))
        visitor = Visitor(made[-1], tenant)
        if login_id:
            visitor.sign_in(login_id, PASSWORD)
        return visitor

    yield make
    for each in made:
        with each.app_context():
            db.engine.dispose()
