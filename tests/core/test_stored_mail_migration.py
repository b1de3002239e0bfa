"""What revision 0016 makes of rows that are there: sent mails lose their texts, the trail goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from portal.core import migrate
from tests.conftest import FOLDER
from tests.support import postgres

REVISION = "0014"


@pytest.fixture(params=["sqlite", "postgresql"])
def before(request: pytest.FixtureRequest, tmp_path: Path, worker_name: str) -> Iterator[str]:
    """The owner's URL of a database as it was before the revision."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.sqlite3'}"
        _upgrade_to_predecessor(url)
        yield url
        return
    cluster, name = postgres.shared(), f"before_{REVISION}_{worker_name}"
    cluster.create_database(name)
    url = cluster.url(name, postgres.OWNER)
    _upgrade_to_predecessor(url)
    yield url
    cluster.drop_database(name)


def _upgrade_to_predecessor(url: str) -> None:
    revision = ScriptDirectory(str(FOLDER)).get_revision(REVISION)
    assert revision is not None
    migrate.upgrade(FOLDER, url, str(revision.down_revision))


def _run(url: str, tenant: str, *statements: str) -> list[tuple[object, ...]]:
    """Do it as the owner in one tenant's scope; what the last one gives."""
    engine = migrate.owner_engine(url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL app.tenant = '{tenant}'"))
            for statement in statements[:-1]:
                connection.execute(text(statement))
            found = connection.execute(text(statements[-1]))
            return [tuple(row) for row in found] if found.returns_rows else []
    finally:
        engine.dispose()


def _mail(tenant: str, status: str, subject: str) -> str:
    columns = "tenant_id, event, sender, sender_name, recipient, subject, body, html, message_id"
    given = f"'{tenant}', 'test', 's', 'n', 'r@x.example', '{subject}', 'LINK', '<p>LINK</p>', 'm'"
    return (
        f"INSERT INTO outbox_mail ({columns}, headers, status, due_at, tries, created_at, "
        f"done_at, last_error) VALUES ({given}, '{{}}', '{status}', '2026-01-01 00:00:00', 1, "
        "'2026-01-01 00:00:00', '2026-01-02 00:00:00', '')"
    )


def test_sent_mails_lose_their_texts_and_waiting_ones_keep_them(before: str) -> None:
    """security.md: in every brand; who got what when stays."""
    for tenant in ("one", "two"):
        _run(before, tenant, _mail(tenant, "done", "sent"), _mail(tenant, "waiting", "not yet"))
    migrate.upgrade(FOLDER, before, REVISION)
    for tenant in ("one", "two"):
        found = _run(
            before,
            tenant,
            "SELECT subject, recipient, body, html, blanked_at IS NULL FROM outbox_mail "
            f"WHERE tenant_id = '{tenant}' ORDER BY subject",
        )
        assert [(*row[:4], bool(row[4])) for row in found] == [
            ("not yet", "r@x.example", "LINK", "<p>LINK</p>", True),
            ("sent", "r@x.example", "", "", False),
        ]


def test_events_that_are_there_need_no_mark_and_later_ones_do(before: str) -> None:
    """COM-90: the chain goes on behind them."""
    head = f"INSERT INTO audit_head (tenant_id, sequence, digest) VALUES ('one', 7, '{'a' * 64}')"
    _run(before, "one", head)
    migrate.upgrade(FOLDER, before, REVISION)
    found = _run(before, "one", "SELECT sequence, keyed_from FROM audit_head")
    assert found == [(7, 8)]
