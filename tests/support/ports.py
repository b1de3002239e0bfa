"""Ports for servers of tests: below 32768, where the system takes none for outgoing connections."""

from __future__ import annotations

import random
import socket

LOWEST, HIGHEST = 20_000, 32_000


def free_port() -> int:
    """A loopback port that nobody listens at."""
    for port in random.sample(range(LOWEST, HIGHEST), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port found")
