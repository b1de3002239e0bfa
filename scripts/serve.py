"""Serves the portal on this machine: granian, with the options that the portal relies on (docs/decisions/bodies.md).

Behind the reverse proxy: ``.venv/bin/python scripts/serve.py --port 8000 --processes 2``. SIGTERM ends it, SIGHUP
starts its processes anew, one after another.
"""

from __future__ import annotations

import argparse
import os
import resource
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRANIAN = ROOT / ".venv" / "bin" / "granian"
HEADER_MILLISECONDS = 10_000
"""Within which a request's head must have come, and the next one on a connection that is kept."""
CONNECTIONS = 4096
"""Open at once in each process; one that waits for half a body is one of them."""


def command(host: str, port: int, processes: int) -> list[str]:
    """The server's command line."""
    return [
        str(GRANIAN),
        *("--interface", "rsgi"),
        *("--host", host),
        *("--port", str(port)),
        *("--workers", str(processes)),
        *("--http", "1"),
        "--no-ws",
        *("--backlog", str(CONNECTIONS)),
        *("--backpressure", str(CONNECTIONS)),
        *("--http1-header-read-timeout", str(HEADER_MILLISECONDS)),
        "--respawn-failed-workers",
        *("--workers-kill-timeout", "3"),
        *("--log-level", "warning"),
        "wsgi:server",
    ]


def allow_connections() -> None:
    """Raise this process's limit of open files as far as it may: a connection is one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Become the server."""
    parser = argparse.ArgumentParser(description="Serve the portal behind a reverse proxy.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    allow_connections()
    words = command(given.host, given.port, given.processes)
    os.chdir(ROOT)
    os.execv(words[0], words)  # noqa: S606 - there is no shell to want


if __name__ == "__main__":
    main()
