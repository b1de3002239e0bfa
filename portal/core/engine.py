"""How SQLite is driven, by the recipe that was measured.

WAL, FULL, foreign keys on; what is deleted or blanked is overwritten with zeros, since backups copy the file. A
transaction that may write takes a file lock (fair among processes, with a time limit) and then BEGIN IMMEDIATE; one
that only reads begins plainly. Figures: docs/decisions/sqlite-writes.md.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

Mode = Literal["read", "write"]
LOCK_SECONDS = 5.0
_POLL_SECONDS = 0.002
_PRAGMAS = (
    "journal_mode=WAL synchronous=FULL busy_timeout=5000 foreign_keys=ON secure_delete=ON "
    "cache_size=-16000 mmap_size=268435456"
).split()


class DatabaseBusy(RuntimeError):
    """The write lock was not to be had in time: a clear 503, nothing was changed."""


class WriteLock:
    """One writer at a time among the threads of this process and the processes of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._fd: int | None = None

    def acquire(self, seconds: float) -> None:
        """Take the lock within `seconds`. Raises DatabaseBusy."""
        deadline = time.monotonic() + seconds
        if not self._threads.acquire(timeout=seconds):
            raise DatabaseBusy("the database is busy")
        try:
            fd = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            self._fd = fd
            while True:
                try:
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


def drive_sqlite(engine: Engine, mode: Callable[[], Mode]) -> None:
    """Install the SQLite recipe on `engine`; `mode` says whether the transaction about to begin may write."""
    lock = WriteLock(Path(f"{engine.url.database}.lock"))

    @event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        for pragma in _PRAGMAS:
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if mode() == "read":
            connection.connection.driver_connection.execute("BEGIN")  # type: ignore[union-attr]
            return
        if "lock" not in connection.info:  # held until the connection goes back to the pool
            lock.acquire(LOCK_SECONDS)
            connection.info["lock"] = lock
        try:
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
