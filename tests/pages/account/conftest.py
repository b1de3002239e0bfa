"""One signed-in representative for whole tables of forms that change nothing on record."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal import create_app
from portal.blueprints.facility.models import Reservation
from portal.core import clock
from portal.core.db import db, session
from portal.settings import Settings
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor


@pytest.fixture(scope="package")
def _reader(
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    make_settings: Callable[..., Settings],
) -> Iterator[Visitor]:
    """The same visitor for the whole folder."""
    path = tmp_path_factory.mktemp("account") / "portal.sqlite3"
    shutil.copy(sqlite_template, path)
    app = create_app(make_settings(f"sqlite:///{path}"))
    with clock.freeze(NOW):
        visitor = Visitor(app, "facility")
        visitor.sign_in("hanako", PASSWORD)
    yield visitor
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def reader(_reader: Visitor) -> Iterator[Visitor]:
    """The representative of the first account, at a portal that all tables share and leave as it was."""
    with clock.freeze(NOW):
        yield _reader


@pytest.fixture
def settled(inside):
    """Nothing of the first account is open any more."""
    with inside("facility"):
        session().query(Reservation).filter(
            Reservation.number.in_(["FR000001", "FR000002"])
        ).update({"status": "paid", "paid_at": NOW}, synchronize_session=False)
        session().commit()
