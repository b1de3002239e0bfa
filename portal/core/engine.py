"""How SQLite is driven, by the recipe that was measured, and whom PostgreSQL must not be asked as.

WAL, FULL, foreign keys on; what is deleted or blanked is overwritten with zeros, since backups copy
the file. A transaction that may write takes a file lock (fair among processes, with a time limit)
and then BEGIN IMMEDIATE; one that only reads begins plainly. Figures:
docs/decisions/sqlite-writes.md.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from portal.core.folding import register_in_sqlite

Mode = Literal["read", "write"]
LOCK_SECONDS = 5.0
_POLL_SECONDS = 0.002
PRIVATE = 0o600
_ROLE = """
SELECT
  session_user,
  EXISTS (SELECT FROM pg_roles WHERE rolsuper AND pg_has_role(session_user, oid, 'MEMBER')),
  EXISTS (SELECT FROM pg_roles WHERE rolbypassrls AND pg_has_role(session_user, oid, 'MEMBER')),
  EXISTS (
    SELECT FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND pg_has_role(session_user, relowner, 'MEMBER')
  )
"""
"""Whose name it is, and what it, or a role that it may become, is: a superuser, past the policies,
an owner.
"""
# FULL and not NORMAL: in WAL mode NORMAL may lose the newest commits in a power cut, after pages
# have confirmed them.
_PRAGMAS = (
    "journal_mode=WAL synchronous=FULL busy_timeout=5000 foreign_keys=ON secure_delete=ON "
    "cache_size=-16000 mmap_size=268435456"
).split()


class DatabaseBusy(RuntimeError):
    """The write lock was not to be had in time: a clear 503, nothing was changed."""


class UnfitRole(RuntimeError):
    """The application's role is not held by row-level security: the second wall between tenants
    would not stand.
    """


class WriteLock:
    """One writer at a time among the threads of this process and the processes of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._fd: int | None = None

    def acquire(self, seconds: float) -> None:
        """Take the lock within `seconds`. Raises DatabaseBusy."""
        deadline = time.monotonic() + seconds
        # Threads first, so that of each process one alone polls for the file.
        if not self._threads.acquire(timeout=seconds):
            raise DatabaseBusy("the database is busy")
        try:
            # The lock belongs to the open file: should the process be killed, the system gives it
            # back.
            fd = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            self._fd = fd
            while True:
                try:
                    # Tried again and again, because flock() knows no time limit.
                    return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise DatabaseBusy("the database is busy") from None
                    time.sleep(_POLL_SECONDS)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the lock back; closing the file gives it to the next process."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._threads.release()


def keep_private(engine: Engine) -> None:
    """Let nobody but its owner read a SQLite file: personal data of customers stand in it
    (security.md §4.27).

    It is made here where it is not there yet; its journals get the same rights from SQLite. A file
    of somebody else's is left as it is, and `flask doctor` tells.
    """
    database = engine.url.database
    if not database or database == ":memory:" or not Path(database).parent.is_dir():
        return
    # Made before SQLite does so, which would give it the rights of the umask.
    with suppress(PermissionError):
        os.close(os.open(database, os.O_CREAT | os.O_RDWR, PRIVATE))
        for path in sqlite_files(Path(database)):
            if path.exists() and path.stat().st_mode & 0o077:
                path.chmod(PRIVATE)


def sqlite_files(database: Path) -> list[Path]:
    """The database's file and those beside it: journals and the file of the write lock."""
    return [database, *(Path(f"{database}{end}") for end in ("-wal", "-shm", "-journal", ".lock"))]


def drive_sqlite(engine: Engine, mode: Callable[[], Mode]) -> None:
    """Install the SQLite recipe on `engine`; `mode` says whether the transaction about to begin may
    write.
    """
    keep_private(engine)
    lock = WriteLock(Path(f"{engine.url.database}.lock"))

    @event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        # The driver would begin transactions by itself, and only before a write; BEGIN is sent
        # below.
        raw.isolation_level = None
        for pragma in _PRAGMAS:
            raw.execute(f"PRAGMA {pragma}")
        register_in_sqlite(raw)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A plain BEGIN takes no lock: readers in WAL mode see one snapshot and never wait.
        if mode() == "read":
            connection.connection.driver_connection.execute("BEGIN")  # type: ignore[union-attr]
            return
        if "lock" not in connection.info:  # held until the connection goes back to the pool
            lock.acquire(LOCK_SECONDS)
            connection.info["lock"] = lock
        try:
            # Writing is settled at the beginning: a transaction that reads first and writes later
            # fails at once (SQLITE_BUSY_SNAPSHOT) where another wrote in between.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:  # whoever holds the database does not know the lock
            if "locked" not in str(error.orig):
                raise
            raise DatabaseBusy("the database is busy") from error

    @event.listens_for(engine, "checkin")
    def _checkin(_raw: Any, record: Any) -> None:
        held = record.info.pop("lock", None)
        if held is not None:
            held.release()


def drive_postgresql(engine: Engine) -> None:
    """Let no connection of `engine` be used as a role that passes row-level security: it raises
    UnfitRole.
    """

    @event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        name, *unfit = raw.execute(_ROLE).fetchone()
        # The question above began a transaction; the pool hands out connections without one.
        raw.rollback()
        if any(unfit):
            raw.close()
            raise UnfitRole(
                f"DATABASE_URL: the role {name!r} {_why_unfit(*unfit)}, so row-level security does "
                "not hold it; use portal_app, and the owner in DATABASE_OWNER_URL alone"
            )


def _why_unfit(is_superuser: bool, bypasses_policies: bool, _owns_tables: bool) -> str:
    if is_superuser:
        return "is a superuser"
    if bypasses_policies:
        return "has BYPASSRLS"
    return "owns tables"
