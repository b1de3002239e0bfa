"""Real processes of the portal for the tests that kill them, and a browser's part of HTTP for real servers.

Run as a module it is one taker of document numbers: ``python -m tests.races.processes THREADS TAKES``.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from html import unescape
from typing import Any
from urllib.parse import urlencode

from flask import Flask

from portal.core.actor import SYSTEM
from portal.settings import ROOT, Settings

BIN = ROOT / ".venv" / "bin"


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """What a process of this portal is told."""
    return {
        **os.environ,
        "PORTAL_HOME": str(settings.home),
        "PORTAL_DEMO": "1",
        "PORTAL_SCHEME": "http",
        "PORTAL_SECRET_KEY": settings.secret_key,
        "PORTAL_TENANTS": str(settings.tenants_file),
        "DATABASE_URL": settings.database_url,
        **more,
    }


def begin(command: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
    """A process in a group of its own."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=None,
        text=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    """End a process and all its children without a word."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def killed_at_the_end(
    commands: list[list[str]], env: dict[str, str]
) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that do not outlive the block."""
    running = [begin(command, env) for command in commands]
    try:
        yield running
    finally:
        for process in running:
            kill(process)


class Browser:
    """One person's connection to a server: cookies kept, redirections not followed, forms filled in."""

    def __init__(self, port: int, tenant: str) -> None:
        self.port, self.host = port, f"{tenant}.localhost:{port}"
        self.cookies: dict[str, str] = {}

    def ask(
        self, method: str, path: str, data: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Status, text and Location of the answer. Raises OSError or HTTPException when the server is gone."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=8)
        try:
            headers = {
                "Host": self.host,
                "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            connection.request(method, path, urlencode(data) if data else None, headers)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, rest = cookie.partition("=")
                self.cookies[name] = rest.partition(";")[0]
            return answer.status, answer.read().decode(), answer.headers.get("Location", "")
        finally:
            connection.close()

    def fields(self, path: str) -> dict[str, str]:
        """The hidden and text fields of the form on a page, as they are filled in."""
        status, text, _ = self.ask("GET", path)
        assert status == 200, (path, status)
        found = {}
        for tag in re.findall(r"<input\b[^>]*>", text):
            values = dict(re.findall(r'(\w+)="([^"]*)"', tag))
            if "name" in values:
                found[values["name"]] = unescape(values.get("value", ""))
        return found

    def send(
        self, path: str, data: dict[str, str], page: str | None = None
    ) -> tuple[int, str, str]:
        """Fill in the form on a page and send it."""
        return self.ask("POST", path, self.fields(page or path) | data)


def wait_until_ready(port: int, seconds: float = 60.0) -> None:
    """Until the server says that it can work. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError, http.client.HTTPException):
            if Browser(port, "facility").ask("GET", "/readyz")[0] == 200:
                return
        time.sleep(0.05)
    raise TimeoutError("the server did not come up")


class _Plain:
    def to_json(self) -> dict[str, Any]:
        return {"title": "請求書"}


def take_numbers(app: Flask, threads: int, takes: int) -> list[str]:
    """Issue documents of "facility" from many threads; every fifth is thought better of and rolled back."""
    plain: Any = _Plain()
    from portal.core.db import session, tenant_scope
    from portal.shared.documents.models import DocumentKind
    from portal.shared.documents.operations import issue

    style = app.extensions["tenants"].current().by_key["facility"].numbers["invoice"]

    def one(turn: int) -> list[str]:
        kept: list[str] = []
        with app.app_context(), tenant_scope("facility"):
            for round_ in range(takes * 5 // 4):
                document, _job = issue(
                    DocumentKind.INVOICE,
                    plain,
                    style=style,
                    account_id=1,
                    counterparty="一番",
                    about=f"race {turn}",
                    transaction_date=date(2026, 11, 23),
                    total=1,
                    by=SYSTEM,
                )
                number = document.number
                if round_ % 5 == turn % 5:
                    session().rollback()
                    continue
                session().commit()
                kept.append(number)
        return kept

    with ThreadPoolExecutor(threads) as pool:
        return [number for kept in pool.map(one, range(threads)) for number in kept]


if __name__ == "__main__":
    from portal import create_app

    made = create_app()
    print("ready", flush=True)
    sys.stdin.readline()
    print(" ".join(take_numbers(made, *map(int, sys.argv[1:]))), flush=True)
