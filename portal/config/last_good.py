"""The last good tenants file, kept beside the data, so that it outlives every process (OPS-03).

All processes of an installation that share their home share it: while the file itself is broken
they serve this one. Its last line names the file that it is a copy of; who was told to read another
one is not served by it.
"""

import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)
Stamp = tuple[int, int, int] | None
"""What changes when a file does; None when it cannot be had."""
# As a comment at the end: the copy stays a tenants file that anybody can read.
_OF = b"\n# The last good copy, kept by the portal, of "


def stamp(path: Path) -> Stamp:
    """The stamp of the file at `path`: time of its last change in nanoseconds, bytes, inode."""
    try:
        found = path.stat()
    except OSError:
        return None
    # The inode too: editors write anew and rename, within one tick of some file systems' clocks.
    return found.st_mtime_ns, found.st_size, found.st_ino


class LastGood:
    """The copy at `path` of the tenants file at `source`."""

    def __init__(self, path: Path, source: Path) -> None:
        self.path = path
        self._source = source

    def read(self) -> bytes | None:
        """What was kept of `source`, None when nothing was. A copy that names no file is of any."""
        content, source_name = self._kept()
        if source_name not in (b"", _name(self._source)):
            return None
        return content

    def _kept(self) -> tuple[bytes | None, bytes]:
        """What was kept, and the file it is of."""
        try:
            whole = self.path.read_bytes()
        except OSError:
            return None, b""
        content, mark, source_name = whole.rpartition(_OF)
        if not mark:
            return whole, b""
        return content, source_name

    def is_like(self, file: Path) -> bool:
        """Whether `file` says just what was kept, of whatever file."""
        kept, _source_name = self._kept()
        try:
            return kept is not None and kept == file.read_bytes()
        except OSError:
            return False

    def keep(self, seen: Stamp) -> bytes | None:
        """Keep what stands in `source`, which was found good when it had the stamp `seen`.

        Returns what was kept; None, and nothing is kept, when `source` has changed since: whoever
        reads it next decides about what stands there now. A home that cannot be written is logged,
        and costs no more than the copy.
        """
        try:
            with self._locked():
                content = self._source.read_bytes()
                if stamp(self._source) != seen:
                    return None
                # Written only where it differs, since every process keeps the same file.
                if (content, _name(self._source)) != self._kept():
                    self._write(content + _OF + _name(self._source))
                return content
        except OSError as error:
            log.warning("the tenants file could not be kept at %s: %s", self.path, error)
            return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # Processes take up a file at about the same time: an older one must not be put over a
        # newer.
        lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            self._give_to_the_homes_owner(lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, content: bytes) -> None:
        """Replace the copy, readable for its owner only; a crash leaves the old or the new."""
        descriptor, beside = tempfile.mkstemp(dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                self._give_to_the_homes_owner(descriptor)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # Synced before it gets the name: a power cut must not leave the name without content.
            Path(beside).replace(self.path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise

    def _give_to_the_homes_owner(self, descriptor: int) -> None:
        # A command that root runs must not leave behind what the server's own user cannot read.
        if os.geteuid() == 0:
            home = self.path.parent.stat()
            os.fchown(descriptor, home.st_uid, home.st_gid)


def _name(source: Path) -> bytes:
    """The file's place, links followed, on one line."""
    return json.dumps(str(source.resolve())).encode() + b"\n"
