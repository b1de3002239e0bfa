"""COM-02: the isolation suite is worth something: take any one wall away and it fails; put it back and it passes.

Each wall comes with the tests of this folder that must notice. They run as they are, in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import bindparam, event, select

from portal.blueprints.facility import queries
from portal.config.registry import Tenants
from portal.core.db import Query, db, tenant_scope
from portal.shared.auth import sessions
from portal.tenancy import orm_guard, sql_guard
from portal.tenancy.orm_guard import TenantSession
from portal.tenancy.scope import require_key
from tests.cast import Cast
from tests.isolation import test_foreign, test_probes, test_urls, test_walls
from tests.isolation.probes import OWN, Ids
from tests.support.client import Visitor
from tests.support.raw import superuser

Visit = Callable[..., Visitor]
Take = Callable[[Flask], AbstractContextManager[None]]
ON_POSTGRESQL = "postgresql"
FOREIGN_KEY = "fk_member_tenant_id_account_id"


@contextmanager
def patched(*changes: tuple[object, str, Any]) -> Iterator[None]:
    """Put these in the places of what is there."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, value in changes:
            patch.setattr(owner, name, value)
        yield


@contextmanager
def without_guard(app: Flask) -> Iterator[None]:
    """The ORM session gives no criteria and looks at no row."""
    hooks: list[tuple[Any, str, Any]] = [
        (TenantSession, "do_orm_execute", orm_guard._scope_statement),
        (TenantSession, "before_flush", orm_guard._stamp_objects),
    ]
    for hook in hooks:
        event.remove(*hook)
    try:
        with patched((orm_guard, "_refuse_foreign", lambda *_: None)):
            yield
    finally:
        for hook in hooks:
            event.listen(*hook)


@contextmanager
def without_sql_guard(app: Flask) -> Iterator[None]:
    """No SQL text is looked at."""
    with patched(
        (
            sql_guard.StatementChecker,
            "__call__",
            lambda _self, _sql: sql_guard.CheckedStatement(False, False),
        )
    ):
        yield


@contextmanager
def without_refusal_of_hand_written_sql(app: Flask) -> Iterator[None]:
    """SQL that somebody wrote passes for SQLAlchemy's."""
    with patched((sql_guard, "_is_by_hand", lambda _context: False)):
        yield


@contextmanager
def without_bound_tenant(app: Flask) -> Iterator[None]:
    """The SQL guard reads the text and not what is bound to it."""
    with patched((sql_guard, "_is_bound", lambda *_: True)):
        yield


@contextmanager
def without_foreign_keys(app: Flask) -> Iterator[None]:
    """The database takes any reference."""
    if db.engine.dialect.name == ON_POSTGRESQL:
        again = (
            f"ALTER TABLE member ADD CONSTRAINT {FOREIGN_KEY} FOREIGN KEY (tenant_id, account_id) "
            "REFERENCES account (tenant_id, id)"
        )
        with altered(app, f"ALTER TABLE member DROP CONSTRAINT {FOREIGN_KEY}", again):
            yield
        return

    def off(raw: Any, _record: Any) -> None:
        raw.execute("PRAGMA foreign_keys=OFF")

    event.listen(db.engine, "connect", off)
    db.engine.dispose()
    try:
        yield
    finally:
        event.remove(db.engine, "connect", off)
        db.engine.dispose()


@contextmanager
def altered(app: Flask, change: str, again: str) -> Iterator[None]:
    """Change the database as its superuser, and change it back."""
    with superuser(app) as raw:
        raw.execute(change)
    try:
        yield
    finally:
        with superuser(app) as raw:
            raw.execute(again)


def without_row_level_security(app: Flask) -> AbstractContextManager[None]:
    """PostgreSQL shows everybody all rows of one table."""
    alter = "ALTER TABLE account {} ROW LEVEL SECURITY"
    return altered(app, alter.format("DISABLE"), alter.format("ENABLE"))


def without_force(app: Flask) -> AbstractContextManager[None]:
    """PostgreSQL shows the owner all rows of one table."""
    alter = "ALTER TABLE account {} ROW LEVEL SECURITY"
    return altered(app, alter.format("NO FORCE"), alter.format("FORCE"))


def with_a_privilege(app: Flask) -> AbstractContextManager[None]:
    """The application may empty a table."""
    return altered(
        app,
        "GRANT TRUNCATE ON reservation TO portal_app",
        "REVOKE TRUNCATE ON reservation FROM portal_app",
    )


def _notices(check: Callable[[], Any]) -> bool:
    """Whether a test fails."""
    try:
        check()
    except (AssertionError, pytest.fail.Exception):
        return True
    return False


DATABASE_WALLS: list[tuple[Take, list[str]]] = [
    (without_guard, ["columns_only", "update_all", "exists_in_where"]),
    (without_sql_guard, ["connection_text", "connection_core_select", "core_update"]),
    (without_refusal_of_hand_written_sql, ["connection_text_held_to_its_tenant"]),
    (without_foreign_keys, ["reference_to_a_foreign_row"]),
]


@pytest.mark.parametrize(
    ("take", "names"), DATABASE_WALLS, ids=[take.__name__ for take, _ in DATABASE_WALLS]
)
def test_com_02_probes_miss_each_wall_of_the_session_and_the_database(
    ground: Flask, ids: Ids, twins_rows: dict[str, list[Any]], take: Take, names: list[str]
) -> None:
    """COM-02: the probes notice that a wall is gone, on both databases."""

    def fails(name: str) -> bool:
        return _notices(
            lambda: test_probes.test_com_02_probe_never_meets_another_tenant(name, ids, twins_rows)
        )

    assert [name for name in names if fails(name)] == []
    with take(ground):
        assert [name for name in names if fails(name)] == names
    assert [name for name in names if fails(name)] == []


@pytest.mark.parametrize("ground", ["sqlite"], indirect=True)
def test_com_02_probes_miss_the_look_at_what_is_bound(
    ground: Flask, ids: Ids, twins_rows: dict[str, list[Any]]
) -> None:
    """COM-02: without the look at the parameters a statement may name the twin. PostgreSQL's own wall holds it too."""
    name = "connection_names_the_twin"
    with without_bound_tenant(ground):
        assert _notices(
            lambda: test_probes.test_com_02_probe_never_meets_another_tenant(name, ids, twins_rows)
        )


policy_of_a_table = test_walls.test_com_02_policy_shows_the_announced_tenant_only
CATALOGUE_WALLS: list[tuple[Take, Callable[[Flask], Any]]] = [
    (without_row_level_security, lambda app: policy_of_a_table(app, "account")),
    (without_row_level_security, test_walls.test_com_02_row_level_security_is_on_and_forced),
    (without_force, test_walls.test_com_02_row_level_security_is_on_and_forced),
    (
        with_a_privilege,
        lambda app: test_walls.test_com_02_app_role_cannot_take_the_wall_down(
            app, "TRUNCATE reservation"
        ),
    ),
]


@pytest.mark.parametrize("ground", [ON_POSTGRESQL], indirect=True)
@pytest.mark.parametrize("place", range(len(CATALOGUE_WALLS)))
def test_com_02_tests_of_postgresql_miss_its_wall(ground: Flask, place: int) -> None:
    """COM-02: row-level security, its force and the application role's few rights are all watched."""
    take, check = CATALOGUE_WALLS[place]
    check(ground)
    with take(ground):
        assert _notices(lambda: check(ground))
    check(ground)


def _look_up_anywhere(real: Callable[..., Any]) -> Callable[..., Any]:
    """A look-up of sessions that does not care whose they are."""

    def look_up(token: str, **options: Any) -> Any:
        found = real(token, **options)
        if found is not None:
            return found
        with tenant_scope(OWN):
            return real(token, **options)

    return look_up


def _any_host(real: Callable[..., Any]) -> Callable[..., Any]:
    """A registry with a default tenant."""
    return lambda self, host: real(self, host) or self.by_key[OWN]


def _everybodys(_account_id: int, **_asked: Any) -> Query:
    """A list that does not ask whose account."""
    statement = select(*(queries._R.c[name] for name in queries._SHOWN)).where(
        queries._R.c.tenant_id == bindparam("tenant")
    )
    return Query(statement, {"tenant": require_key()})


WEB_WALLS: dict[str, tuple[tuple[object, str, Any], Callable[[Flask, Visit], Any]]] = {
    "session bound to its tenant": (
        (sessions, "look_up", _look_up_anywhere(sessions.look_up)),
        test_urls.test_com_02_cookie_of_one_brand_opens_nothing_at_another,
    ),
    "host bound to its tenant": (
        (Tenants, "for_host", _any_host(Tenants.for_host)),
        lambda app, _visit: test_urls.test_com_01_unknown_hosts_are_nobody(app, "evil.example"),
    ),
    "account of one record": (
        (queries, "reservation", lambda _account_id, number: queries.any_reservation(number)),
        lambda app, visit: test_urls.test_com_02_foreign_numbers_are_not_found(
            app, visit, Cast.strangers
        ),
    ),
    "account of a list": (
        (queries, "mine", _everybodys),
        test_foreign.test_com_02_lists_and_csv_hold_the_own_account_only,
    ),
}


@pytest.mark.parametrize("name", WEB_WALLS)
def test_com_02_tests_of_addresses_miss_each_binding(app: Flask, visit: Visit, name: str) -> None:
    """COM-02: host to tenant, cookie to tenant, record and list to account: each is missed when it is gone."""
    change, check = WEB_WALLS[name]
    check(app, visit)
    with patched(change):
        assert _notices(lambda: check(app, visit))
    check(app, visit)
