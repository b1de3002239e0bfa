"""Files outside the database: per tenant in scope (COM-02), under their SHA-256, written whole or
not at all.

A file goes in and out as a stream, in chunks: however large it is, a process never has all of it in
memory. It belongs to whatever row points at it, by a column of the type `FileKey` or
`FileKeysJSON`. What no row points at any more is removed by `portal.core.file_sweep`.
"""

import fcntl
import hashlib
import io
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from sqlalchemy import JSON, String
from sqlalchemy.types import TypeDecorator

from portal.core.services import get_service
from portal.tenancy.scope import require_key

_CHUNK_BYTES = 256 * 1024
_INCOMING = "incoming"
"""The folder, beside those of the stored files, in which a file stands until its digest is known.
"""
_KEY = re.compile(r"^[0-9a-f]{64}$")
_UNTOUCHED_SECONDS = 600
"""A file younger than this, which no sweep looks at, is left as it is when it is put again."""


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
        # A key comes from a row, but a name with a slash must never lead out of the folder.
        if not _KEY.match(key):
            raise FileNotFoundError(key)
        return self._folder() / key[:2] / key

    def _folder(self) -> Path:
        return self._root / require_key()

    def put(self, content: bytes | IO[bytes]) -> str:
        """Keep `content`, a stream from where it stands to its end, and return its key.

        It is written beside, its digest reckoned on the way, synced, then moved into place, so that
        a crash leaves no half of it.
        """
        incoming = self._folder() / _INCOMING
        incoming.mkdir(parents=True, exist_ok=True)
        # On the file system of its final place: across two, a rename is a copy that a crash can
        # cut.
        fd, name = tempfile.mkstemp(dir=incoming)
        beside = Path(name)
        try:
            with os.fdopen(fd, "wb") as out:
                key = _copy(as_stream(content), out)
                path = self._path(key)
                # The same bytes are there under the same name: they are made young again and stay.
                if self._is_kept(path):
                    beside.unlink()
                    return key
                out.flush()
                # Before it gets its name: a power cut could otherwise leave the name with no
                # content.
                os.fsync(out.fileno())
            path.parent.mkdir(exist_ok=True)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        # A row that is about to point at the file outlives a power cut; so must the file's name.
        _sync_folder(path.parent)
        return key

    def keep_young(self, key: str) -> bool:
        """Whether the file is there; if so no sweep takes it before the caller has committed.

        Whoever points at a file anew that it did not put itself asks this first.
        """
        return self._is_kept(self._path(key))

    def open(self, key: str) -> IO[bytes]:
        """The file under `key`, all of it checked against the key before a byte is given out.

        The caller closes it. Raises FileNotFoundError or FileDamaged.
        """
        file = self._path(key).open("rb")
        try:
            if digest_of(file) != key:
                raise FileDamaged(key)
        except BaseException:
            file.close()
            raise
        return file

    def get(self, key: str) -> bytes:
        """The bytes under `key`, of a file that is known to be small. Raises as `open` does."""
        with self.open(key) as file:
            return file.read()

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
        kept = sorted(self._folder().glob("[0-9a-f][0-9a-f]"))
        for folder in (*kept, *self._folder().glob(_INCOMING)):
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = f"{folder.name}/{entry.name}"
                    if self.is_older(name, before):
                        yield name

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
            # Put again since the list was made.
            if found.st_mtime >= before:
                return None
            path.unlink()
            return found.st_size

    def _is_kept(self, path: Path) -> bool:
        """Whether the file is there, and stays for long enough to be pointed at.

        An old file that nothing points at may be about to be swept: under the lock it is either
        gone already, or becomes a young one.
        """
        if not path.exists():
            return False
        with self._locked(path.parent):
            try:
                if time.time() - path.stat().st_mtime > _UNTOUCHED_SECONDS:
                    # Its age is what a sweep goes by, so whoever needs it makes it young.
                    os.utime(path)
            except FileNotFoundError:
                return False
            return True

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        """Keep putting and sweeping in one folder apart, among threads and processes."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # The folder itself is locked: a lock file would be one more that is swept.
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def file_store() -> LocalFiles:
    """Where the running application keeps files; `create_app` says where that is."""
    return get_service(LocalFiles)


def as_stream(content: bytes | IO[bytes]) -> IO[bytes]:
    """`content` as something to read from."""
    return io.BytesIO(content) if isinstance(content, bytes) else content


def size_of(stream: IO[bytes]) -> int:
    """How many bytes a stream has; it stands at its beginning afterwards."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return size


def read_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """The rest of a stream, never much of it at a time."""
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def digest_of(stream: IO[bytes]) -> str:
    """The SHA-256 of all of a stream; it stands at its beginning afterwards."""
    digest = hashlib.sha256()
    stream.seek(0)
    for chunk in read_chunks(stream):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()


def _copy(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy what is left of `source`; returns its SHA-256."""
    digest = hashlib.sha256()
    for chunk in read_chunks(source):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Have the disk keep the names in a folder."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
