"""COM-90: the acts that members may see are acts that are recorded, and their list is served by an index."""

from __future__ import annotations

import re

from portal.blueprints import BRANDS
from portal.core.db import db, session
from portal.settings import ROOT
from portal.shared.members import history

SOURCES = "\n".join(
    path.read_text("utf-8") for path in (ROOT / "portal").rglob("*.py") if path.stem != "history"
)


def test_every_act_with_a_name_is_recorded_somewhere():
    """COM-90: a misspelt one would never be seen."""
    recorded = set(re.findall(r'"((?:member|account|document)\.[a-z_]+)"', SOURCES)) | {
        f"member.passkey_{what}"
        for what in re.findall(r'_tell\(tenant, member, "(added|removed)"', SOURCES)
    }
    assert set(history.LABELS) - recorded == set()


def test_a_brands_acts_are_moves_or_recorded():
    """COM-90: a move writes its table's name and the status."""
    for brand in BRANDS:
        for action in brand.history:
            table, _dot, what = action.partition(".")
            assert f'"{action}"' in SOURCES or re.search(rf'= "{what}"', SOURCES), (table, what)


def test_the_list_goes_by_its_index(app, inside):
    """COM-90, performance: not through the whole trail, on either database."""
    with inside("facility"):
        dialect = session().get_bind().dialect.name
        own = "tenant_id = 'facility' AND account_id = 1"
        wanted = f"SELECT id FROM audit_event WHERE {own} ORDER BY at DESC, id DESC LIMIT 21"
        with db.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            cursor = raw.cursor()
            if dialect == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
            cursor.execute(
                ("EXPLAIN " if dialect == "postgresql" else "EXPLAIN QUERY PLAN ") + wanted
            )
            plan = str(cursor.fetchall())
    assert "ix_audit_event_account" in plan, plan
    assert "TEMP B-TREE" not in plan
