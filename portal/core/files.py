"""Files outside the database: per tenant in scope (COM-02), under their SHA-256, written whole or
not at all.

A file belongs to whatever row points at it, by a column of the type `FileKey` or `FileKeysJSON`.
What no row points at any more is removed by `portal.core.file_sweep`.
"""

import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.types import TypeDecorator

from portal.tenancy.scope import require_key

_KEY = re.compile(r"^[0-9a-f]{64}$")
_UNTOUCHED_SECONDS = 600
"""A file younger than this is left as it is when the same content is put again: no sweep looks at
it.
"""


class FileDamaged(RuntimeError):
    """The stored bytes no longer have the digest they were stored under (COM-72)."""


class FileKey(TypeDecorator[str]):
    """A column that points at a stored file by its key; empty where there is none."""

    impl = String
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(64)


class FileKeysJSON(TypeDecorator[Any]):
    """A JSON column in which keys of stored files may stand, at any depth."""

    impl = JSON
    cache_ok = True


class LocalFiles:
    """Files in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, key: str) -> Path:
        if not _KEY.match(key):
            raise FileNotFoundError(key)
        return self._folder() / key[:2] / key

    def _folder(self) -> Path:
        return self._root / require_key()

    def put(self, data: bytes) -> str:
        """Keep `data`, give its key: written beside, synced, then moved into place, so that a crash
        leaves no half.
        """
        key = hashlib.sha256(data).hexdigest()
        path = self._path(key)
        if self._is_kept(path):
            return key
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, beside = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(fd, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
        return key

    def keep_young(self, key: str) -> bool:
        """Whether the file is there; if so no sweep takes it before the caller's transaction is
        through.

        Whoever points at a file anew that it did not put itself asks this first.
        """
        return self._is_kept(self._path(key))

    def get(self, key: str) -> bytes:
        """The bytes under `key`, checked against it. Raises FileNotFoundError or FileDamaged."""
        data = self._path(key).read_bytes()
        if hashlib.sha256(data).hexdigest() != key:
            raise FileDamaged(key)
        return data

    def list_older(self, before: float, *, batch_size: int) -> Iterator[tuple[str, ...]]:
        """The names of the tenant's files last put before `before` (Unix seconds), so many at a
        time.

        What a killed process left half-written beside them is among them, under a name that is no
        key.
        """
        names = self._list_older(before)
        while batch := tuple(islice(names, batch_size)):
            yield batch

    def _list_older(self, before: float) -> Iterator[str]:
        for folder in sorted(self._folder().glob("[0-9a-f][0-9a-f]")):
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.stat(follow_symlinks=False).st_mtime < before:
                        yield f"{folder.name}/{entry.name}"

    def is_older(self, name: str, instant: float) -> bool:
        """Whether the file of this name was last put before `instant` (Unix seconds)."""
        try:
            return (self._folder() / name).stat().st_mtime < instant
        except FileNotFoundError:
            return False

    def remove_older(self, name: str, before: float) -> int | None:
        """Remove the file of this name (as `list_older` gave it) unless it was put again since.

        Returns how many bytes that gave back, None when it was not removed.
        """
        path = self._folder() / name
        with self._locked(path.parent):
            try:
                found = path.stat()
            except FileNotFoundError:  # another worker was quicker
                return None
            if found.st_mtime >= before:
                return None
            path.unlink()
            return found.st_size

    def _is_kept(self, path: Path) -> bool:
        """Whether the file is there, and will be for as long as whoever puts it needs to point at
        it.

        An old file that nothing points at may be about to be swept: under the lock it is either
        gone already, or becomes a young one.
        """
        if not path.exists():
            return False
        with self._locked(path.parent):
            try:
                if time.time() - path.stat().st_mtime > _UNTOUCHED_SECONDS:
                    os.utime(path)
            except FileNotFoundError:
                return False
            return True

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        """Keep putting and sweeping in one folder apart, among threads and processes."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


class Shelf:
    """Where this process keeps files; set once by the application factory."""

    files: LocalFiles
