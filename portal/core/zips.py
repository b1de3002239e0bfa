"""ZIP files, written from streams into a temporary file: what goes in may be larger than memory."""

import zipfile
from collections.abc import Iterable
from datetime import datetime
from tempfile import NamedTemporaryFile
from typing import IO

from portal.core import clock
from portal.core.files import as_stream, read_chunks, size_of

Entry = tuple[str, bytes | IO[bytes]]
"""The name of a file in a ZIP, and what is in it; a stream is closed once it has been read."""


def write_zip(
    entries: Iterable[Entry], at: datetime, *, compression: int = zipfile.ZIP_DEFLATED
) -> IO[bytes]:
    """Return a ZIP of `entries`, each dated `at`, as a file that is gone once it is closed.

    It has a name as long as it is open, so that a server can be told to send it. The same entries
    give the same bytes. `compression` is `zipfile`'s word for how they are packed.
    """
    out = NamedTemporaryFile(suffix=".zip")  # noqa: SIM115 - the caller closes it
    try:
        with zipfile.ZipFile(out, "w") as made:
            for name, content in entries:
                # In Tokyo's time: the format knows no zone, and unpacking shows it as it stands.
                info = zipfile.ZipInfo(name, clock.to_local(at).timetuple()[:6])
                info.compress_type = compression
                with as_stream(content) as stream:
                    _write(made, info, stream)
        out.flush()
        out.seek(0)
    except BaseException:
        out.close()
        raise
    return out


def _write(made: zipfile.ZipFile, info: zipfile.ZipInfo, stream: IO[bytes]) -> None:
    # From its size `zipfile` sees whether the entry needs the format for more than 2 GiB.
    info.file_size = size_of(stream)
    with made.open(info, "w") as entry:
        for chunk in read_chunks(stream):
            entry.write(chunk)
