"""One PostgreSQL cluster a test session, started by whoever needs it first and shared by all xdist workers.

In the root conftest: `prepare()` from `pytest_configure`, `finish()` from `pytest_unconfigure` (both do nothing in a
worker); tests ask for `shared()`.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.support.ports import free_port

OWNER, APP = "portal_owner", "portal_app"
_SHARED = "PORTAL_TEST_CLUSTER"
_WORKER = "PYTEST_XDIST_WORKER"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "UTC",
}


def binary(name: str) -> str:
    """A program of PostgreSQL: from PATH, or the newest that Debian keeps beside it."""
    kept = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3])
    )
    found = shutil.which(name) or (str(kept[-1]) if kept else None)
    if found is None:
        raise RuntimeError(f"PostgreSQL is not installed: {name} is missing")
    return found


def _run(*command: str) -> None:
    """Run one of PostgreSQL's programs, which refuse to run as root: then as user postgres."""
    drop = (
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        if os.geteuid() == 0
        else []
    )
    done = subprocess.run([*drop, *command], capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL server on the loopback, for tests only: it trusts everybody and forgets at power loss."""

    directory: Path
    port: int

    @classmethod
    def start(cls, directory: Path) -> Cluster:
        """Make a cluster in `directory` (which user postgres must be able to reach) and start it."""
        data = directory / "data"
        data.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres", "postgres")
            shutil.chown(data, "postgres", "postgres")
        port = free_port()
        _run(
            binary("initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        )
        options = " ".join(
            f"-c {name}='{value}'" for name, value in {**_SETTINGS, "port": str(port)}.items()
        )
        log = str(data / "server.log")
        _run(binary("pg_ctl"), "start", "-w", "-t", "30", "-D", str(data), "-l", log, "-o", options)
        cluster = cls(directory, port)
        cluster._make_roles()
        return cluster

    def _make_roles(self) -> None:
        """The owner runs migrations; the app's role owns nothing and cannot pass row-level security."""
        with self.admin() as connection:
            for role, rights in ((OWNER, "CREATEROLE"), (APP, "NOCREATEROLE")):
                limits = f"LOGIN NOSUPERUSER NOCREATEDB NOBYPASSRLS {rights}"
                connection.execute(sql.SQL("CREATE ROLE {} " + limits).format(sql.Identifier(role)))

    @contextmanager
    def admin(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """A superuser's connection, each statement its own transaction."""
        with psycopg.connect(self.url(database, "postgres"), autocommit=True) as connection:
            yield connection

    def create_database(
        self, name: str, template: str | None = None, owner: str | None = OWNER
    ) -> None:
        """Make a database, as a copy of `template` if one is given (nobody may be connected to it)."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
            sql.Identifier(name),
            sql.Identifier(template or "template0"),
            sql.Identifier(owner or "postgres"),
        )
        with self.admin() as connection:
            connection.execute(statement)

    def drop_database(self, name: str) -> None:
        """Drop a database and whoever is connected to it."""
        with self.admin() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def url(self, database: str, user: str = APP) -> str:
        """The address of a database as `user` sees it."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Stop the server at once and remove its files."""
        try:
            _run(binary("pg_ctl"), "stop", "-m", "immediate", "-D", str(self.directory / "data"))
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


def prepare() -> None:
    """Choose the place of this session's cluster, without starting it. For the controlling process."""
    if _WORKER not in os.environ and _SHARED not in os.environ:
        place = tempfile.mkdtemp(prefix="portal-postgres-")
        Path(place).chmod(0o755)
        os.environ[_SHARED] = place
        atexit.register(finish)


def shared() -> Cluster:
    """The session's cluster, started if this is the first call in any of its processes."""
    place = Path(os.environ[_SHARED])
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        port = place / "port"
        if not port.exists():
            port.write_text(str(Cluster.start(place / "cluster").port))
        return Cluster(place / "cluster", int(port.read_text()))


def finish() -> None:
    """Stop the session's cluster if anybody started it. For the controlling process; may be called twice."""
    if _WORKER in os.environ:
        return
    place = Path(os.environ.pop(_SHARED, ""))
    if (place / "cluster" / "data").exists():
        Cluster(place / "cluster", 0).stop()
    if place.name:
        shutil.rmtree(place, ignore_errors=True)
