"""Rows that were read from a file and are not stored yet, kept on disk: memory does not grow with
the import.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from typing import Any

_IN_MEMORY_BYTES = 1024 * 1024


class Staging:
    """A temporary file without a name, gone when it is closed; each row is one line of JSON.

    Dates and instants come back as such; of an enumeration its value comes back.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by __exit__
            max_size=_IN_MEMORY_BYTES, mode="w+", encoding="utf-8"
        )
        self.count = 0

    def __enter__(self) -> "Staging":
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def add(self, row: Mapping[str, object]) -> None:
        """Keep one row."""
        self._file.write(json.dumps(row, ensure_ascii=False, default=_marked) + "\n")
        self.count += 1

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """All rows in their order, at most `size` at a time."""
        self._file.seek(0)
        while lines := list(islice(self._file, size)):
            yield [json.loads(line, object_hook=_unmarked) for line in lines]


def _marked(value: object) -> dict[str, str]:
    # Asked before `date`, which a datetime is too.
    if isinstance(value, datetime):
        return {"$instant": value.isoformat()}
    if isinstance(value, date):
        return {"$day": value.isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be staged")


def _unmarked(found: dict[str, str]) -> object:
    if "$instant" in found:
        return datetime.fromisoformat(found["$instant"])
    if "$day" in found:
        return date.fromisoformat(found["$day"])
    return found
