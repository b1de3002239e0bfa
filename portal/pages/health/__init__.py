"""Is the process alive, and is it ready to work? For the machine that watches it (OPS-22).

Anybody may ask, so nothing but a status is told; what is the matter stands in the log and in `flask
doctor`.
"""

import logging

from flask import Blueprint, jsonify
from werkzeug.wrappers import Response

from portal.core import migrate
from portal.core.db import db
from portal.settings import ROOT
from portal.web.requests import public, registry

log = logging.getLogger(__name__)
bp = Blueprint("health", __name__)


@bp.get("/livez")
@public
def livez() -> str:
    """The process serves; touches nothing."""
    return "ok\n"


@bp.get("/readyz")
@public
def readyz() -> tuple[Response, int]:
    """Whether it can serve: the database is reachable and migrated.

    A mistake in the tenants file does not count: the last good one is served, and the log says so
    at each change.
    """
    registry().current()
    try:
        is_ready = migrate.is_current(ROOT / "migrations", db.engine)
    except Exception as error:  # whatever it is, the answer is "not ready"
        log.warning("not ready: %s", type(error).__name__)
        is_ready = False
    return jsonify(status="ready" if is_ready else "not ready"), 200 if is_ready else 503
