"""Files that come with a form: received up to a limit, so that a form with too large a file is
answered as a form.

Without this the server would refuse the whole request before anybody has seen what was typed in it.
Of a file that is larger than a page takes, the bytes are counted and thrown away; its name, and
everything else in the form, is there.
"""

from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from flask import Request, request

from portal.core.files import size_of

MEGABYTE = 1024 * 1024
_IN_MEMORY = 512 * 1024
_BODY_TIMES = 5
"""How many times as many bytes as all files of a form may have are read before the request is
refused (413).
"""
_MOST_MEGABYTES = 120
"""What is read at most: below what `portal.server` hands on, and what the proxies of docs/admins.md
let through.
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came: its name, where it can be read, and how many bytes came.

    `stream` is None for one that is too large. It ends with the request.
    """

    name: str
    stream: IO[bytes] | None
    size: int


class LimitedFile(SpooledTemporaryFile[bytes]):
    """A file as it is received; of one longer than `limit` bytes only the length is kept."""

    def __init__(self, limit: int) -> None:
        super().__init__(max_size=_IN_MEMORY, mode="rb+")
        self.limit = limit
        self.received = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]  # as werkzeug's parser calls it
        """Take the next bytes, or only count them."""
        self.received += len(data)
        if self.received <= self.limit:
            return super().write(data)
        self.seek(0)
        self.truncate()
        return len(data)


class UploadRequest(Request):
    """Flask's request, that receives files of at most `file_limit` bytes each where a page takes
    files.
    """

    file_limit: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._received: list[LimitedFile] = []

    def close(self) -> None:
        """Close what was received, also of a body that was refused before its end."""
        super().close()
        for file in self._received:
            file.close()

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if self.file_limit is None:
            return super()._get_file_stream(
                total_content_length, content_type, filename, content_length
            )
        file = LimitedFile(self.file_limit)
        self._received.append(file)
        return file


def open_for_files(megabytes: int) -> None:
    """Let this request bring files of `megabytes` together, and read on for a while where it brings
    more.
    """
    request.file_limit = megabytes * MEGABYTE  # type: ignore[attr-defined]
    request.max_content_length = min(megabytes * _BODY_TIMES + 1, _MOST_MEGABYTES) * MEGABYTE


def received(name: str) -> list[Upload]:
    """The files of the form's field `name`, in their order."""
    found = []
    for file in request.files.getlist(name):
        if not file.filename:
            continue
        stream = file.stream
        if isinstance(stream, LimitedFile) and stream.received > stream.limit:
            found.append(Upload(file.filename, None, stream.received))
        else:
            found.append(Upload(file.filename, stream, size_of(stream)))
    return found
