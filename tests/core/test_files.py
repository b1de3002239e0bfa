"""Files: under the digest of what is in them, per tenant, whole or not at all (COM-02, COM-72)."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core.files import FileDamaged, LocalFiles, read_chunks
from portal.tenancy import scope
from portal.tenancy.scope import TenantError

DATA = b"%PDF-1.7 invoice"
KEY = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "files")


@contextmanager
def tenant(key: str) -> Iterator[None]:
    token = scope.enter(key)
    try:
        yield
    finally:
        scope.leave(token)


@pytest.fixture
def facility() -> Iterator[None]:
    with tenant("facility"):
        yield


def stored(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.usefixtures("facility")
def test_what_is_put_is_got_under_its_digest(files: LocalFiles, tmp_path: Path) -> None:
    """COM-72: the folder is the tenant's, and nothing else is left lying there."""
    assert files.put(DATA) == KEY
    assert files.get(KEY) == DATA
    assert stored(tmp_path) == [f"files/facility/{KEY[:2]}/{KEY}"]


@pytest.mark.usefixtures("facility")
def test_nobody_else_on_the_machine_may_read_a_file(files: LocalFiles, tmp_path: Path) -> None:
    """security.md: rights of the program's own user only."""
    files.put(DATA)
    assert (tmp_path / "files" / "facility" / KEY[:2] / KEY).stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("facility")
@given(data=st.binary(max_size=3000))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_come_back_as_they_were(files: LocalFiles, data: bytes) -> None:
    """COM-72: the same bytes every time."""
    assert files.get(files.put(data)) == data


@pytest.mark.usefixtures("facility")
def test_a_large_file_and_an_empty_one_come_back_too(files: LocalFiles) -> None:
    large = os.urandom(1024) * 5000
    assert files.get(files.put(large)) == large
    assert files.get(files.put(b"")) == b""


@pytest.mark.usefixtures("facility")
def test_the_same_content_is_kept_once_and_not_written_again(
    files: LocalFiles, tmp_path: Path
) -> None:
    """COM-72: an issued document never changes, not even its time."""
    files.put(DATA)
    path = tmp_path / "files" / "facility" / KEY[:2] / KEY
    before = path.stat()
    assert files.put(DATA) == KEY
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.usefixtures("facility")
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: b"",
        lambda data: b"X" + data[1:],
    ],
    ids=["cut", "longer", "empty", "altered"],
)
def test_a_damaged_file_is_never_given_out(files: LocalFiles, tmp_path: Path, damage) -> None:
    """COM-72: told apart from one that was never there."""
    files.put(DATA)
    path = tmp_path / "files" / "facility" / KEY[:2] / KEY
    path.write_bytes(damage(DATA))
    with pytest.raises(FileDamaged, match=KEY):
        files.get(KEY)


@pytest.mark.usefixtures("facility")
@pytest.mark.parametrize(
    "key",
    [
        "",
        ".",
        "..",
        "../../../etc/passwd",
        "/etc/passwd",
        f"../studio/{KEY[:2]}/{KEY}",
        f"{KEY}/../{KEY}",
        KEY[:-1],
        KEY + "0",
        KEY.upper(),
        KEY + "\n",
        "\x00" * 64,
        "g" * 64,
        "٣" * 64,
    ],
)
def test_what_is_no_digest_is_no_file(files: LocalFiles, key: str) -> None:
    """COM-02, security.md: no path leads out of the tenant's folder."""
    with tenant("studio"):
        files.put(DATA)
    files.put(DATA)
    with pytest.raises(FileNotFoundError):
        files.get(key)


@pytest.mark.usefixtures("facility")
def test_a_digest_that_nobody_stored_is_no_file(files: LocalFiles) -> None:
    with pytest.raises(FileNotFoundError):
        files.get("0" * 64)


def test_another_tenants_file_does_not_exist(files: LocalFiles, tmp_path: Path) -> None:
    """COM-02: whoever knows its digest gets nothing; the same content is kept for each tenant on its own."""
    with tenant("studio"):
        files.put(DATA)
    with tenant("facility"):
        with pytest.raises(FileNotFoundError):
            files.get(KEY)
        files.put(DATA)
        (tmp_path / "files" / "studio" / KEY[:2] / KEY).unlink()
        assert files.get(KEY) == DATA


def test_outside_a_scope_nothing_is_kept_or_given(files: LocalFiles, tmp_path: Path) -> None:
    """COM-02: fails closed, and leaves no folder."""
    with pytest.raises(TenantError):
        files.put(DATA)
    with pytest.raises(TenantError):
        files.get(KEY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("facility")
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_full_or_failing_disk_leaves_nothing_behind(
    files: LocalFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    """COM-72: no half file, no temporary one; afterwards the same content can be put."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail) if step == "fsync" else patch.setattr(
            Path, "replace", fail
        )
        with pytest.raises(OSError, match=os.strerror(number)):
            files.put(DATA)
        assert stored(tmp_path) == []
        with pytest.raises(FileNotFoundError):
            files.get(KEY)
    assert files.get(files.put(DATA)) == DATA


@pytest.mark.usefixtures("facility")
def test_a_file_takes_its_place_only_once_it_is_whole_and_on_the_disk(
    files: LocalFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-72: synced beside, then moved; nobody ever reads a part."""
    seen: list[tuple[str, bool, int]] = []
    really_sync, really_replace = os.fsync, Path.replace
    place = tmp_path / "files" / "facility" / KEY[:2] / KEY

    def sync(fd: int) -> None:
        seen.append(("sync", place.exists(), os.fstat(fd).st_size))
        really_sync(fd)

    def replace(self: Path, target: Path) -> Path:
        seen.append(("replace", place.exists(), self.stat().st_size))
        assert self.stat().st_dev == tmp_path.stat().st_dev, "on the same disk"
        return really_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    files.put(DATA)
    assert seen[:2] == [("sync", False, len(DATA)), ("replace", False, len(DATA))]
    assert place.read_bytes() == DATA


@pytest.mark.usefixtures("facility")
def test_a_file_left_half_written_by_a_crash_is_not_in_the_way(
    files: LocalFiles, tmp_path: Path
) -> None:
    """COM-72: what a killed process left beside is no file of anybody's."""
    folder = tmp_path / "files" / "facility" / KEY[:2]
    folder.mkdir(parents=True)
    (folder / "tmpabc123").write_bytes(DATA[:5])
    with pytest.raises(FileNotFoundError):
        files.get(KEY)
    assert files.get(files.put(DATA)) == DATA


HUNDRED_MEGABYTES = 100 * 1024 * 1024


class Endless(io.RawIOBase):
    """A stream of so many bytes that exists nowhere as a whole."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        count = min(len(buffer), self.left)
        buffer[:count] = bytes(count)
        self.left -= count
        return count


@contextmanager
def memory_grows_at_most(limit: int) -> Iterator[None]:
    """Fail where the block has more than `limit` bytes in use at any one moment."""
    tracemalloc.start()
    try:
        yield
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak / 1024**2:.1f} MB"


@pytest.mark.slow
@pytest.mark.usefixtures("facility")
def test_a_large_file_is_never_in_memory_as_a_whole(files: LocalFiles) -> None:
    """COM-50: 100 MB in and out take no more than a few chunks."""
    with memory_grows_at_most(5 * 1024 * 1024):
        key = files.put(cast("IO[bytes]", Endless(HUNDRED_MEGABYTES)))
        digest = hashlib.sha256()
        with files.open(key) as file:
            for chunk in read_chunks(file):
                digest.update(chunk)
    assert digest.hexdigest() == key


@pytest.mark.usefixtures("facility")
def test_a_stream_is_kept_under_the_digest_of_what_was_left_of_it(files: LocalFiles) -> None:
    """COM-72: the same key as that of the bytes, and nothing else stays lying there."""
    stream = io.BytesIO(b"head" + DATA)
    stream.seek(4)
    assert files.put(stream) == KEY
    assert files.get(KEY) == DATA


@pytest.mark.usefixtures("facility")
def test_a_stream_that_breaks_off_leaves_nothing_behind(files: LocalFiles, tmp_path: Path) -> None:
    """COM-50: a client that goes away in the middle of its upload."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 0:
                raise OSError("gone")
            return super().read(4)

    with pytest.raises(OSError, match="gone"):
        files.put(Broken(DATA))
    assert stored(tmp_path) == []


@pytest.mark.usefixtures("facility")
def test_a_files_name_outlives_a_power_cut_as_its_bytes_do(
    files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-72: a row that points at a file is on the disk at its commit; so are folder and file."""
    synced: list[bool] = []
    really = os.fsync

    def sync(fd: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(fd).st_mode))
        really(fd)

    monkeypatch.setattr(os, "fsync", sync)
    files.put(DATA)
    assert synced == [False, True]
