"""How the two databases are driven: SQLite's recipe and its one writer, PostgreSQL's setting for a transaction."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import IntegrityError

from portal.core import engine as driving
from portal.core import migrate
from portal.core.db import db, session, transaction_mode
from portal.core.engine import DatabaseBusy, WriteLock, drive_sqlite
from portal.settings import ROOT
from portal.tenancy.scope import TenantError

Inside = Callable[[str], Any]


class Modes:
    """What the next transaction may do."""

    now: driving.Mode = "write"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "portal.sqlite3"


@pytest.fixture
def modes() -> Modes:
    return Modes()


@pytest.fixture
def engine(path: Path, modes: Modes) -> Iterator[Engine]:
    """A driven engine with one table of one row."""
    made = create_engine(f"sqlite:///{path}")
    drive_sqlite(made, lambda: modes.now)
    with made.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("CREATE TABLE child (parent_id INTEGER REFERENCES parent)")
        connection.exec_driver_sql("INSERT INTO parent VALUES (1)")
    yield made
    made.dispose()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the write lock a twentieth of a second only."""
    monkeypatch.setattr(driving, "LOCK_SECONDS", 0.05)


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM parent").scalar_one())


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("busy_timeout", 5000),
        ("foreign_keys", 1),
        ("secure_delete", 1),
        ("cache_size", -16000),
        ("mmap_size", 268435456),
    ],
)
def test_every_connection_is_set_up_as_measured(engine: Engine, pragma: str, value: object) -> None:
    """docs/decisions/sqlite-writes.md; also the second connection of a pool."""
    with engine.connect() as one, closing(engine.raw_connection()) as other:
        assert one.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
        assert other.cursor().execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_a_reference_to_nothing_is_refused(engine: Engine) -> None:
    """COM-72: foreign keys are not only declared."""
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO child VALUES (99)")


def test_a_transaction_that_may_write_holds_the_write_lock_from_its_beginning(
    engine: Engine, path: Path
) -> None:
    """Nobody else begins to write meanwhile, though nothing was written yet; readers go on."""
    with engine.begin(), closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM parent").fetchone() == (1,)
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")


def test_a_transaction_that_only_reads_waits_for_no_writer(engine: Engine, modes: Modes) -> None:
    """It sees the state at its first look, whatever is committed meanwhile."""
    with engine.begin() as writer:
        writer.exec_driver_sql("INSERT INTO parent VALUES (2)")
        modes.now = "read"
        with engine.connect() as reader:
            look = "SELECT count(*) FROM parent"
            assert reader.exec_driver_sql(look).scalar() == 1
            writer.commit()
            assert reader.exec_driver_sql(look).scalar() == 1
            reader.rollback()
            assert reader.exec_driver_sql(look).scalar() == 2


@pytest.mark.usefixtures("impatient")
def test_who_waits_too_long_for_another_writer_of_this_process_is_told(engine: Engine) -> None:
    """A clear "busy" after the time limit; nothing was changed, and the next writer comes through."""
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO parent VALUES (2)")
        begun = time.monotonic()
        with pytest.raises(DatabaseBusy), engine.begin():
            pytest.fail("two writers at once")
        assert time.monotonic() - begun < 2
    assert count(engine) == 2
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO parent VALUES (3)")
    assert count(engine) == 3


@pytest.mark.usefixtures("impatient")
def test_who_waits_too_long_for_another_process_is_told(engine: Engine, path: Path) -> None:
    """The lock is a file's, so processes queue too; a process that ends gives it back."""
    held = os.open(f"{path}.lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    for _ in range(2):
        with pytest.raises(DatabaseBusy), engine.begin():
            pytest.fail("two writers at once")
    os.close(held)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO parent VALUES (2)")
    assert count(engine) == 2


def test_who_meets_a_writer_that_knows_no_queue_is_told_and_holds_up_nobody(
    engine: Engine, path: Path
) -> None:
    """Somebody with sqlite3's own shell holds the database: busy as well, and our own lock is given back."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=20").close()
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy), engine.begin():
            pytest.fail("two writers at once")
        lock = WriteLock(Path(f"{path}.lock"))
        lock.acquire(0)
        lock.release()
    assert count(engine) == 1


@pytest.mark.parametrize("end", ["commit", "rollback", "error"])
def test_the_lock_is_given_back_however_a_transaction_ends(
    engine: Engine, path: Path, end: str
) -> None:
    if end == "error":
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO parent VALUES (1)")
    else:
        with engine.connect() as connection:
            connection.exec_driver_sql("INSERT INTO parent VALUES (2)")
            getattr(connection, end)()
    lock = WriteLock(Path(f"{path}.lock"))
    lock.acquire(0)
    lock.release()
    assert count(engine) == (2 if end == "commit" else 1)


@pytest.mark.usefixtures("impatient")
def test_one_connection_may_begin_again_and_again(engine: Engine) -> None:
    """It does not wait for itself."""
    with engine.connect() as connection:
        for number in (2, 3):
            connection.exec_driver_sql("INSERT INTO parent VALUES (?)", (number,))
            connection.commit()
    assert count(engine) == 3


def test_writers_wait_for_one_another_and_all_come_through(engine: Engine) -> None:
    """Six threads, sixty transactions that read and then write: none fails, none is lost."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                with engine.begin() as connection:
                    greatest = connection.exec_driver_sql("SELECT max(id) FROM parent").scalar_one()
                    connection.exec_driver_sql("INSERT INTO parent VALUES (?)", (greatest + 1,))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert count(engine) == 61


def test_the_lock_is_one_for_all_and_its_file_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    one, other = WriteLock(path), WriteLock(path)
    one.acquire(0)
    for waiting in (one, other):
        with pytest.raises(DatabaseBusy, match="busy"):
            waiting.acquire(0.01)
    one.release()
    other.acquire(0)
    other.release()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_lock_whose_file_cannot_be_opened_blocks_nobody_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "lock"
    lock = WriteLock(path)
    with pytest.raises(FileNotFoundError):
        lock.acquire(0)
    path.parent.mkdir()
    lock.acquire(0)
    lock.release()


def test_a_reader_writes_nothing_past_the_sql_guard_either(app: Flask, inside: Inside) -> None:
    """PostgreSQL itself refuses; on SQLite the SQL guard is what refuses."""
    with inside("facility"), transaction_mode("read"):
        connection = session().connection()
        if connection.dialect.name == "postgresql":
            with pytest.raises(Exception, match="read-only transaction"):
                connection.connection.cursor().execute("UPDATE account SET name = 'x'")
        else:
            with pytest.raises(TenantError, match="only reads"):
                connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'x'")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_learns_tenant_and_mode_for_the_one_transaction(
    app: Flask, inside: Inside
) -> None:
    """COM-02: and forgets both with it, so that a pooled connection carries nothing along."""
    ask = "SELECT current_setting('app.tenant', true), current_setting('transaction_read_only')"
    for tenant, mode, told in (("facility", "read", "on"), ("studio", "write", "off")):
        with inside(tenant), transaction_mode(mode):  # type: ignore[arg-type]
            assert tuple(session().connection().exec_driver_sql(ask).one()) == (tenant, told)
            session().rollback()
            assert tuple(session().connection().exec_driver_sql(ask).one()) == (tenant, told)
    with app.app_context(), db.engine.connect() as bare:
        assert tuple(bare.exec_driver_sql(ask).one()) == ("", "off")


def test_a_database_is_for_its_owner_only(tmp_path: Path, path: Path) -> None:
    """security.md §4.27: made by the migrations, opened by the portal, and its journals; an older one is mended."""
    migrate.upgrade(ROOT / "migrations", f"sqlite:///{path}")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    engine = create_engine(f"sqlite:///{path}")
    drive_sqlite(engine, lambda: "write")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE seen (id INTEGER)")
        modes = {beside.name: beside.stat().st_mode & 0o777 for beside in tmp_path.iterdir()}
    engine.dispose()
    assert len(modes) == 4, modes
    assert set(modes.values()) == {0o600}, modes
