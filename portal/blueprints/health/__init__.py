"""Is the process alive, and is it ready to work? For the machine that watches it (OPS-22)."""

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, jsonify
from werkzeug.wrappers import Response

from portal.core.db import db
from portal.settings import ROOT
from portal.web.requests import public, registry

bp = Blueprint("health", __name__)


@bp.get("/livez")
@public
def livez() -> str:
    """The process serves; touches nothing."""
    return "ok\n"


@bp.get("/readyz")
@public
def readyz() -> tuple[Response, int]:
    """Database reachable and migrated, tenants file whole."""
    head = ScriptDirectory(str(ROOT / "migrations")).get_current_head()
    try:
        with db.engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
    except Exception as error:  # whatever it is, the answer is "not ready"
        return jsonify(database=type(error).__name__), 503
    mistakes = [str(mistake) for mistake in registry().mistakes]
    ready = present == head and not mistakes
    body = {"database": "ok", "migrations": present == head, "tenants": mistakes or "ok"}
    return jsonify(body), 200 if ready else 503
