"""Serves the portal on this machine: granian, with the options that the portal relies on
(docs/decisions/bodies.md).

Behind the reverse proxy: ``.venv/bin/python scripts/serve.py --port 8000 --processes 2``. SIGTERM
ends it, SIGHUP starts its processes anew, one after another.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import sys
from pathlib import Path
from typing import NoReturn

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


def fail(message: str, code: int = 2) -> NoReturn:
    """End with one line: 2 for a mistake of whoever started it, 1 where the machine is to blame."""
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(code)


class Arguments(argparse.ArgumentParser):
    """Arguments whose mistakes are told in one line, as those of `flask` are."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end."""
        fail(message)


def require_address(host: str, port: int) -> None:
    """End where nothing can listen at the address."""
    if not 0 < port < 65536:
        fail(f"{host}:{port} is no address: a port is 1 to 65535")
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        fail(f"{host}:{port} is no address: {error}")
    except OSError as error:
        fail(f"nothing can listen at {host}:{port}: {error.strerror}", 1)


def require_start() -> None:
    """End with one line and exit code 2 where no process could start: the server would try again
    without end.
    """
    sys.path.insert(0, str(ROOT))
    from portal import create_app, require_fit_database
    from portal.settings import CannotStart

    try:
        require_fit_database(create_app())
    except CannotStart as error:
        fail(error.message, error.exit_code)


def main() -> None:
    """Become the server."""
    parser = Arguments(description="Serve the portal behind a reverse proxy.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    require_address(given.host, given.port)
    os.chdir(ROOT)
    require_start()
    allow_connections()
    words = command(given.host, given.port, given.processes)
    os.execv(words[0], words)  # noqa: S606 - there is no shell to want


if __name__ == "__main__":
    main()
