"""ZIPs are written from streams: what goes into one may be larger than memory (COM-73, COM-16)."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from portal.core.zips import write_zip
from tests.cast import NOW

MEGABYTE = 1024 * 1024


def test_what_goes_in_comes_out_under_its_name_and_each_stream_is_closed() -> None:
    """COM-73: bytes and streams alike, dated in Tokyo."""
    stream = io.BytesIO(b"%PDF")
    with write_zip([("一覧.csv", b"a,b"), ("x.pdf", stream)], NOW) as made:
        archive = zipfile.ZipFile(made)
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "一覧.csv": b"a,b",
            "x.pdf": b"%PDF",
        }
        dates = {info.date_time for info in archive.infolist()}
        assert dates == {(NOW + timedelta(hours=9)).timetuple()[:6]}
    assert stream.closed


def test_the_same_files_give_the_same_bytes() -> None:
    """COM-72: whoever downloads a month twice has the same file twice."""
    made = []
    for _turn in range(2):
        with write_zip([("a", b"x" * 1000), ("b", io.BytesIO(b"y"))], NOW) as file:
            made.append(file.read())
    assert made[0] == made[1]


def test_a_zip_has_a_path_until_it_is_closed_and_then_it_is_gone() -> None:
    """COM-16: what is personal is not left lying on the server's disk."""
    made = write_zip([("a", b"x")], NOW)
    path = Path(made.name)
    assert path.stat().st_mode & 0o077 == 0
    made.close()
    assert not path.exists()


def test_a_file_that_cannot_be_read_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-72: one is missing in the file store, say."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def entries():
        yield "a", b"x"
        raise FileNotFoundError("b")

    with pytest.raises(FileNotFoundError):
        write_zip(entries(), NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_large_zip_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    """COM-73: a hundred files of a megabyte each."""
    for number in range(100):
        (tmp_path / str(number)).write_bytes(bytes([number]) * MEGABYTE)
    files = ((path.name, path.open("rb")) for path in sorted(tmp_path.iterdir()))
    tracemalloc.start()
    try:
        with write_zip(files, NOW, compression=zipfile.ZIP_STORED) as made:
            _now, peak = tracemalloc.get_traced_memory()
            assert Path(made.name).stat().st_size > 100 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert peak < 5 * MEGABYTE
