"""`make bench`: the list page beside its controls; see README.md in this folder."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from bench import data
from portal.settings import ROOT

REQUESTS, ROUNDS = 150, 5
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port below the ephemeral range."""
    for port in range(21000, 32000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError("no free port")


@contextmanager
def served(target: str, env: dict[str, str]) -> Iterator[tuple[int, int]]:
    """A server of one worker; gives its port and process id."""
    port = free_port()
    options = "--interface wsgi --workers 1 --blocking-threads 1 --no-ws --log-level warning"
    command = [f"{sys.prefix}/bin/granian", *options.split(), "--port", str(port), target]
    server = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.1)
        yield port, server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


def cpu(pid: int) -> float:
    """CPU seconds of a process and its children so far."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


class Browser:
    """One keep-alive connection with a cookie."""

    def __init__(self, port: int, host: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.host, self.cookies = host, {}

    def fetch(self, path: str, form: dict[str, str] | None = None) -> str:
        """The body of a page; the cookies are kept."""
        headers = {
            "Host": self.host,
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
        }
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(
            "POST" if form else "GET", path, urlencode(form) if form else None, headers
        )
        response = self.connection.getresponse()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return response.read().decode()


def control(port: int) -> tuple[Browser, str, str]:
    """A browser signed in at a control, the page, and what must stand in it."""
    browser = Browser(port, "localhost")
    browser.fetch("/login/1")
    return browser, "/orders", "order-row"


def ours(port: int) -> tuple[Browser, str, str]:
    """The same for the portal."""
    browser = Browser(port, "facility.localhost")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.fetch("/sign-in"))
    assert token
    browser.fetch(
        "/sign-in", {"csrf_token": token[1], "login_id": "bench1", "password": data.PASSWORD}
    )
    return browser, "/facility/reservations", 'href="/facility/reservations/BR'


def measure(browser: Browser, path: str, marker: str, pid: int) -> float:
    """CPU milliseconds a request, after a warm-up."""
    for _ in range(30):
        assert browser.fetch(path).count(marker) == 20
    before = cpu(pid)
    for _ in range(REQUESTS):
        browser.fetch(path)
    return (cpu(pid) - before) / REQUESTS * 1000


def main() -> None:
    """Measure everything in turn, round after round, and print the medians and the ratios to d."""
    rows = 100_000 if "--quick" in sys.argv else 1_000_000
    folder = ROOT / "var" / "bench" / str(rows)
    folder.mkdir(parents=True, exist_ok=True)
    data.controls(folder / "orders.sqlite3", rows)
    data.portal(folder / "portal", rows)
    found: dict[str, list[float]] = {name: [] for name in ("c", "d", "e", "portal")}
    for _ in range(ROUNDS):
        for name, figures in found.items():
            if name == "portal":
                with served("wsgi:app", data.environment(folder / "portal")) as (port, pid):
                    figures.append(measure(*ours(port), pid))
            else:
                env = {
                    **os.environ,
                    "BENCH_CONTROL": name,
                    "BENCH_FILE": str(folder / "orders.sqlite3"),
                }
                with served("bench.controls:app", env) as (port, pid):
                    figures.append(measure(*control(port), pid))
    base = statistics.median(found["d"])
    print(f"CPU ms a request, {rows:,} rows, concurrency 1, median of {ROUNDS}")
    for name, figures in found.items():
        middle = statistics.median(figures)
        spread = f"({min(figures):.2f}–{max(figures):.2f})"
        print(f"{name:8} {middle:6.2f}   {middle / base:4.2f} x d   {spread}")


if __name__ == "__main__":
    main()
