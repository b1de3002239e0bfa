"""The application's role must be held by row-level security; where it is not, nothing is served."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import sql

from portal import create_app, require_fit_database
from portal.core.db import db
from portal.core.engine import UnfitRole
from portal.settings import ROOT, CannotStart, Settings
from tests.support import postgres
from tests.support.ports import free_port

pytestmark = pytest.mark.postgres
ROLES = {
    "postgres": "is a superuser",
    postgres.OWNER: "owns tables",
    "portal_test_bypass": "has BYPASSRLS",
    "portal_test_member": "is a superuser",
}


@pytest.fixture(params=ROLES)
def unfit(
    request: pytest.FixtureRequest, postgres_template: tuple[postgres.Cluster, str]
) -> Iterator[tuple[str, str]]:
    """The address of the cast's database as a role that must not serve, and what is wrong with that role."""
    cluster, name = postgres_template
    made = {"portal_test_bypass": "BYPASSRLS", "portal_test_member": "NOINHERIT IN ROLE postgres"}
    role = sql.Identifier(request.param)
    with cluster.admin() as admin:
        if request.param in made:
            rights = sql.SQL(made[request.param])
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN {}").format(role, rights))
        yield cluster.url(name, request.param), ROLES[request.param]
        if request.param in made:
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_role_that_passes_row_level_security_is_never_used(
    unfit: tuple[str, str], make_settings: Callable[..., Settings]
) -> None:
    """COM-02: neither by a server nor by a command; doctor says that it is bad."""
    url, why = unfit
    app = create_app(make_settings(url))
    with pytest.raises(CannotStart, match=why) as refused:
        require_fit_database(app)
    assert refused.value.exit_code == 2
    with app.app_context(), pytest.raises(UnfitRole):
        db.engine.connect()
    run = app.test_cli_runner()
    found = run.invoke(args=["accounts", "find", "--tenant", "facility"])
    assert (found.exit_code, len(found.stderr.strip().splitlines())) == (2, 1)
    looked = run.invoke(args=["doctor", "--json"])
    rows = {row["what"]: row for row in json.loads(looked.stdout)}
    assert (looked.exit_code, rows["database"]["state"]) == (2, "bad")
    assert why in rows["database"]["message"]


def test_the_apps_own_role_is_used(
    make_settings: Callable[..., Settings], postgres_template: tuple[postgres.Cluster, str]
) -> None:
    """COM-02."""
    cluster, name = postgres_template
    require_fit_database(create_app(make_settings(cluster.url(name))))


def test_a_database_that_is_away_keeps_no_server_from_starting(
    make_settings: Callable[..., Settings],
) -> None:
    """OPS-22: it may come back, and /readyz tells."""
    require_fit_database(create_app(make_settings("postgresql://portal_app@127.0.0.1:1/portal")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"PORTAL_SECRET_KEY": ""}, 2, "PORTAL_SECRET_KEY"),
        ({"DATABASE_URL": "nonsense"}, 2, "DATABASE_URL"),
        ({"PORTAL_TENANTS": "/nowhere/tenants.toml"}, 2, "cannot be read"),
        ({"DATABASE_URL": "the owner's"}, 2, "owns tables"),
        ({"PORTAL_HOME": "/dev/null"}, 2, "PORTAL_HOME"),
    ],
)
def test_a_server_that_cannot_start_says_why_in_one_line(
    postgres_template: tuple[postgres.Cluster, str],
    tmp_path: Path,
    changes: dict[str, str],
    code: int,
    word: str,
) -> None:
    """OPS-10: scripts/serve.py, before it makes processes that would die one after another."""
    cluster, name = postgres_template
    if changes.get("DATABASE_URL") == "the owner's":
        changes = {"DATABASE_URL": cluster.url(name, postgres.OWNER)}
    env = {
        **os.environ,
        "PORTAL_HOME": str(tmp_path),
        "PORTAL_SECRET_KEY": "8f1c02d97be64a35b0e7c1946d2f8a53",
        "PORTAL_SMTP_URL": "smtp://127.0.0.1:25",
    }
    ended = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "serve.py"), "--port", str(free_port())],
        env=env | changes,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == code, ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert word in ended.stderr


@pytest.mark.parametrize(
    ("words", "code", "word"),
    [
        (["--port", "eight"], 2, "--port"),
        (["--port", "99999999"], 2, "is no address"),
        (["--host", "nowhere.invalid"], 2, "is no address"),
        (["--port", "TAKEN"], 1, "nothing can listen"),
    ],
)
def test_an_address_that_cannot_be_served_is_said_in_one_line(
    words: list[str], code: int, word: str
) -> None:
    """OPS-10: 2 for who typed it, 1 where the machine is to blame."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / "serve.py")]
            + [port if one == "TAKEN" else one for one in words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (ended.returncode, word in ended.stderr) == (code, True), ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
