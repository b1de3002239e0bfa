"""Articles are found by 株式会社 and (株), 高 and 髙 alike: what the search compares is made anew.

Revision 0021, after 0020.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from portal.shared.knowledge.search import fold, pairs

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_AT_ONCE = 100
_WALLED = ("knowledge_article", "knowledge_posting")
_ARTICLE = sa.table(
    "knowledge_article",
    *map(sa.column, ("id", "tenant_id", "title", "plain", "title_key", "text_key", "withdrawn_at")),
    sa.column("updated_at", sa.DateTime(timezone=True)),
)
_POSTING = sa.table(
    "knowledge_posting", *map(sa.column, ("tenant_id", "gram", "moment", "article_id", "in_title"))
)


def upgrade() -> None:
    connection = op.get_bind()
    on_postgresql = connection.dialect.name == "postgresql"
    # The owner too is held to row-level security, and no tenant is in scope here.
    for table in _WALLED if on_postgresql else ():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    ids = connection.execute(sa.select(_ARTICLE.c.id).order_by(_ARTICLE.c.id)).scalars().all()
    for at in range(0, len(ids), _AT_ONCE):
        some = sa.select(_ARTICLE).where(_ARTICLE.c.id.in_(ids[at : at + _AT_ONCE]))
        for article in connection.execute(some).all():
            _fold_anew(connection, article)
    for table in _WALLED if on_postgresql else ():
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _fold_anew(connection: sa.Connection, article: sa.Row[Any]) -> None:
    title_key = fold(article.title)
    text_key = f"{title_key}\n{fold(article.plain)}"
    if (title_key, text_key) == (article.title_key, article.text_key):
        return
    connection.execute(
        sa.update(_ARTICLE)
        .where(_ARTICLE.c.id == article.id)
        .values(title_key=title_key, text_key=text_key)
    )
    connection.execute(sa.delete(_POSTING).where(_POSTING.c.article_id == article.id))
    # What is withdrawn stands in no index.
    known = {} if article.withdrawn_at else pairs(text_key)
    own = {
        "tenant_id": article.tenant_id,
        "article_id": article.id,
        "moment": _moment(article.updated_at),
    }
    titles = pairs(title_key)
    rows = [{"gram": gram, "in_title": gram in titles, **own} for gram in known]
    if rows:
        connection.execute(sa.insert(_POSTING), rows)


def _moment(updated_at: datetime) -> int:
    # SQLite keeps instants without their zone, which is UTC.
    aware = updated_at if updated_at.tzinfo else updated_at.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)


def downgrade() -> None:
    # The folding of before finds what is folded further in all but its own spellings; the next
    # `flask knowledge put` of an article folds it as it was.
    pass
