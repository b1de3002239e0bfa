"""SUP-14, COM-21: an upgrade folds the articles that are there, so that they are found by every spelling."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from portal.core import migrate
from portal.shared.knowledge.search import pairs
from tests.core.test_documents_due_migration import _enter_tenant, row
from tests.core.test_migrations import FOLDER, empty

__all__ = ["empty"]
REVISION = "0021"
AT = datetime(2026, 11, 1, 2, 3, 4, 567890, tzinfo=UTC)
MOMENT = round(AT.timestamp() * 1_000_000)


def _put(connection: sa.Connection, place: int, number: str, *, withdrawn: bool = False) -> int:
    """An article as the folding of before left it, with a posting of its own."""
    article = row(
        connection,
        "knowledge_article",
        place_id=place,
        number=number,
        key=number,
        title="㈱髙﨑",
        plain="設定",
        title_key="(株)髙﨑",
        text_key="(株)髙﨑\n設定",
        updated_at=AT,
        withdrawn_at=AT if withdrawn else None,
    )
    if not withdrawn:
        row(connection, "knowledge_posting", article_id=article, moment=MOMENT, gram=1)
    return article


def test_articles_of_before_are_folded_anew(empty: str) -> None:
    """SUP-14: keys and postings alike; what is withdrawn stays out of the index."""
    before = str(ScriptDirectory(str(FOLDER)).get_revision(REVISION).down_revision)
    migrate.upgrade(FOLDER, empty, before)
    engine = migrate.owner_engine(empty)
    try:
        with engine.begin() as connection:
            _enter_tenant(connection)
            place = row(connection, "knowledge_place", number="KC1", category="分類", section="")
            shown = _put(connection, place, "KB1")
            _put(connection, place, "KB2", withdrawn=True)
        migrate.upgrade(FOLDER, empty, REVISION)
        with engine.begin() as connection:
            _enter_tenant(connection)
            keys = connection.execute(sa.text("SELECT text_key FROM knowledge_article")).scalars()
            assert set(keys) == {"株式会社高崎\n設定"}
            found = connection.execute(
                sa.text("SELECT article_id, gram, moment, in_title FROM knowledge_posting")
            ).all()
        title = pairs("株式会社高崎")
        assert {(article, gram, moment, bool(named)) for article, gram, moment, named in found} == {
            (shown, gram, MOMENT, gram in title) for gram in pairs("株式会社高崎\n設定")
        }
        migrate.run(FOLDER, empty, command.downgrade, before)
    finally:
        engine.dispose()
