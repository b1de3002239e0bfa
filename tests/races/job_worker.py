"""`flask worker` with two kinds of jobs that only write down when they are begun.

Run as a module: ``python -m tests.races.job_worker FILE --kind races.quick …``. A line of FILE is kind, number, process
and Unix time. A slow job takes a minute when it is begun for the first time, and then no time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from portal.core.jobs import JobKind, JobKinds, Lease

QUICK = "races.quick"
SLOW = "races.slow"
SLOW_LEASE = Lease(timedelta(seconds=8))
_MINUTE = 60.0


def read_begun(path: Path) -> list[tuple[str, int, int, float]]:
    """Kind, number, process and Unix time of each beginning, in their order."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [
        (kind, int(number), int(process), float(at))
        for kind, number, process, at in (line.split() for line in lines)
    ]


def kinds(path: Path) -> Iterable[JobKind]:
    """The two kinds, which write into `path`."""

    def begin(kind: str, number: int) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(fd, f"{kind} {number} {os.getpid()} {time.time()}\n".encode())
        os.close(fd)

    def do_quick(payload: dict[str, Any]) -> None:
        begin(QUICK, payload["number"])

    def do_slow(payload: dict[str, Any]) -> None:
        is_first = all(kind != SLOW for kind, *_rest in read_begun(path))
        begin(SLOW, payload["number"])
        if is_first:
            time.sleep(_MINUTE)

    return JobKind(QUICK, do_quick), JobKind(SLOW, do_slow, SLOW_LEASE)


if __name__ == "__main__":
    from portal import create_app

    made = create_app()
    made.extensions["services"][JobKinds].update(
        {kind.name: kind for kind in kinds(Path(sys.argv[1]))}
    )
    with made.app_context():
        made.cli.main(["worker", "--pause", "0.05", *sys.argv[2:]])
