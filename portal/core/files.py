"""Files outside the database: per tenant in scope (COM-02), under their SHA-256, written whole or not at all."""

import hashlib
import os
import re
import tempfile
from pathlib import Path

from portal.core.tenancy.scope import require_key

_KEY = re.compile(r"^[0-9a-f]{64}$")


class FileDamaged(RuntimeError):
    """The stored bytes no longer have the digest they were stored under (COM-72)."""


class LocalFiles:
    """Files in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, key: str) -> Path:
        if not _KEY.match(key):
            raise FileNotFoundError(key)
        return self._root / require_key() / key[:2] / key

    def put(self, data: bytes) -> str:
        """Keep `data`, give its key: written beside, synced, then moved into place, so that a crash leaves no half."""
        key = hashlib.sha256(data).hexdigest()
        path = self._path(key)
        if path.exists():
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

    def get(self, key: str) -> bytes:
        """The bytes under `key`, checked against it. Raises FileNotFoundError or FileDamaged."""
        data = self._path(key).read_bytes()
        if hashlib.sha256(data).hexdigest() != key:
            raise FileDamaged(key)
        return data

    def remove(self, key: str) -> None:
        """Let the bytes under `key` go; what is not there is gone already."""
        self._path(key).unlink(missing_ok=True)


class Shelf:
    """Where this process keeps files; set once by the application factory."""

    files: LocalFiles
