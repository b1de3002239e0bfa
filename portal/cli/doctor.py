"""`flask doctor`: what is in order with this installation and what is not, as far as it can see
from here (OPS-15).

It changes nothing, and says of what it did not look at that it did not.
"""

import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from portal.cli.command_line import PortalCommand
from portal.cli.output import json_out
from portal.cli.parameters import json_option
from portal.core import jobs, migrate, tenant_scope, transaction_mode
from portal.core.db import db
from portal.core.engine import UnfitRole, sqlite_files
from portal.settings import ROOT, Settings
from portal.web.requests import registry

State = Literal["ok", "warning", "bad", "not looked at"]
ANSWERS_AT_ONCE = 2.0
"""Seconds. Who answers half a request within them has not waited for the rest."""
_PORTS = {"http": 80, "https": 443}
PATIENCE = 90.0
"""Seconds to wait for the end of half a request."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what is to be done about it where something is."""

    what: str
    state: State
    message: str


@click.command(cls=PortalCommand)
@click.option(
    "--url",
    help="Where the portal answers, e.g. https://shop.my.example.jp: half a request is sent there, "
    "and waited for.",
)
@json_option
@with_appcontext
def doctor(url: str | None, as_json: bool) -> None:
    """Say what is in order with this installation and what is not; exits with 2 when something is
    bad.

    A warning alone exits with 0. Without --url nothing is asked of the server or the proxy before
    it.
    """
    settings: Settings = current_app.extensions["settings"]
    database = _look_at_database()
    found = [
        *_look_at_settings(settings),
        database,
        _look_at_tenants(),
        _look_at_jobs(database),
        *_look_at_files(settings),
        *_look_at_bodies(url),
    ]
    if as_json:
        json_out([asdict(finding) for finding in found])
    else:
        for finding in found:
            click.echo(f"{finding.state:>13}  {finding.what}: {finding.message}")
    if any(finding.state == "bad" for finding in found):
        raise click.exceptions.Exit(2)


def _look_at_settings(settings: Settings) -> Iterator[Finding]:
    """Unsafe ones never get here: they refuse to start."""
    if settings.demo:
        yield Finding("settings", "warning", "this is the demo, for this machine only")
        return
    if settings.is_trial:
        yield Finding("settings", "warning", "PORTAL_BASE_DOMAIN is localhost: nobody else gets in")
    elif settings.proxy_hops == 0:
        yield Finding(
            "settings",
            "warning",
            "PORTAL_PROXY_HOPS is 0: "
            "behind a proxy all customers share its address, and its limits",
        )
    else:
        yield Finding("settings", "ok", f"https at {settings.base_domain}")
    if (settings.home / "portal.env").exists():
        yield Finding(
            "demo",
            "warning",
            f"a demo was left behind in {settings.home}: its portal.env is not read; remove it",
        )


def _look_at_database() -> Finding:
    try:
        is_current = migrate.is_current(ROOT / "migrations", db.engine)
    except UnfitRole as error:
        return Finding("database", "bad", str(error))
    except Exception as error:  # whatever it is, this command is there to tell it
        # SQLAlchemy's own errors repeat the statement and its parameters; the driver's say what is.
        original = error.orig if isinstance(error, DBAPIError) else error
        first_line = str(original).strip().partition("\n")[0]
        return Finding("database", "bad", f"cannot be asked: {first_line or type(error).__name__}")
    if not is_current:
        return Finding("database", "bad", "has not all migrations: run flask db upgrade")
    return Finding("database", "ok", f"{db.engine.dialect.name}, all migrations are there")


def _look_at_tenants() -> Finding:
    brands = registry()
    brands.look_now()  # a command is too short-lived for the look of once in a while
    count = len(brands.current().by_key)
    if brands.mistakes:
        return Finding(
            "tenants",
            "warning",
            f"{brands.path} is broken, {count} tenants of the last good file are served: "
            f"{brands.mistakes[0]} (all mistakes: flask tenants check)",
        )
    return Finding("tenants", "ok", f"{count} tenants, as {brands.path} says")


def _look_at_jobs(database: Finding) -> Finding:
    """Whether there are jobs that no worker of this version does: they stay as they are."""
    if database.state != "ok":
        return Finding("jobs", "not looked at", "the database is not in order")
    unknown: Counter[str] = Counter()
    for key in registry().current().by_key:
        with tenant_scope(key), transaction_mode("read"):
            unknown.update(jobs.count_unknown())
    if unknown:
        counts = ", ".join(f"{kind} ({count})" for kind, count in sorted(unknown.items()))
        return Finding(
            "jobs",
            "warning",
            f"nobody does these kinds of waiting jobs: {counts}; a newer version stored them, or a "
            "brand's module is gone",
        )
    return Finding("jobs", "ok", f"{len(jobs.job_kinds())} kinds, none waits that nobody does")


def _look_at_files(settings: Settings) -> Iterator[Finding]:
    """Personal data and keys are for the owner of the processes only."""
    kept = [settings.home / name for name in ("portal.env", "tenants.last-good.toml")]
    database = db.engine.url.database
    if db.engine.dialect.name == "sqlite" and database:
        kept += sqlite_files(Path(database))
    there = [path for path in kept if path.exists()]
    open_ones = [path for path in there if path.stat().st_mode & 0o077]  # group and others
    for path in open_ones:
        mode = path.stat().st_mode & 0o777
        yield Finding("files", "bad", f"others may read {path} ({mode:o}): chmod 600 {path}")
    if not open_ones:
        yield Finding("files", "ok", f"{len(there)} files of the owner's only")


def _look_at_bodies(url: str | None) -> Iterator[Finding]:
    """Whether half a request takes nothing from others, and whether it ever ends."""
    if url is None:
        yield Finding("bodies", "not looked at", "say where the portal answers: --url URL")
        return
    try:
        seconds, status = ask_by_half(url)
    except (OSError, ValueError) as error:
        yield Finding("bodies", "bad", f"{url} cannot be asked: {error}")
        return
    if seconds is None:
        yield Finding("bodies", "bad", f"half a request is waited for without end ({PATIENCE:g} s)")
    elif seconds < ANSWERS_AT_ONCE and status not in (408, 411):
        yield Finding(
            "bodies",
            "bad",
            f"half a request is handed on ({status} at once): serve by scripts/serve.py, "
            "or let the proxy buffer requests",
        )
    else:
        yield Finding(
            "bodies", "ok", f"half a request takes no thread and ends after {seconds:.0f} s"
        )
    host = urlsplit(url).hostname or ""
    if registry().current().for_host(host) is None:
        yield Finding("url", "bad", f"no brand lives at {host}: flask tenants list names the hosts")


def ask_by_half(url: str) -> tuple[float | None, int]:
    """Send a request without the body that it announces; seconds until it ended (None: never) and
    the status, or 0.

    The page that is asked takes no body, so a server that hands requests on before they are whole
    answers at once. Raises OSError, or ValueError for a URL that is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("a URL begins with http:// or https://")
    port = parts.port or _PORTS[parts.scheme]
    head = (
        f"POST /livez HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 1000\r\n\r\n"
    )
    # Browsers know that names below localhost are this machine; the system's resolver may not.
    host = parts.hostname
    if host.endswith(".localhost"):
        host = "127.0.0.1"
    with socket.create_connection((host, port), timeout=10) as plain:
        line = plain
        if parts.scheme == "https":
            line = ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)
        # A few bytes of a thousand: whoever waits for the rest says nothing until their patience
        # ends.
        begun = time.monotonic()
        line.sendall(head.encode("ascii") + b"half of it")
        line.settimeout(PATIENCE)
        try:
            words = line.recv(100).split()
        except TimeoutError:
            return None, 0
        seconds = time.monotonic() - begun
        if len(words) > 1 and words[1].isdigit():
            return seconds, int(words[1])
        return seconds, 0
