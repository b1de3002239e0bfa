"""What 300 idle readers of chats cost the pages (SUP-11): `python -m bench.readers`.

Pages are served as `make run` does, streams by a server of their own, which a reverse proxy would
give /chat/*/stream.
"""

from __future__ import annotations

import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal import create_app
from portal.core import clock, migrate
from portal.core.actor import SYSTEM, Actor
from portal.core.db import db, session, tenant_scope
from portal.settings import ROOT, Settings
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.chats import operations as chats
from portal.shared.inquiries.operations import Asked, Writer
from scripts import run as script
from tests.races.processes import Browser, environment, kill, wait_until_ready
from tests.support.ports import free_port

READERS, ROUNDS, PASSWORD = 300, 300, "sakura-Doori-58"


def prepare(home: Path) -> tuple[Settings, list[str]]:
    """A support desk with one customer who has three chats."""
    url = f"sqlite:///{home / 'portal.sqlite3'}"
    migrate.upgrade(ROOT / "migrations", url)
    settings = Settings(
        secret_key=secrets.token_hex(), home=home, database_url=url, demo=True, scheme="http"
    )
    app = create_app(settings)
    tenant = app.extensions["tenants"].current().by_key["support"]
    with app.app_context(), tenant_scope("support"), clock.freeze(clock.local(2026, 11, 24, 10)):
        account = accounts.add_account(tenant, by=SYSTEM, name="株式会社計測")
        hashed = passwords.hash_password(PASSWORD)
        person = Person("計測", "花子", "bench@one.example", is_representative=True)
        member = accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
        session().flush()
        writer = Writer(member.name, member.email, account.id, member.id)
        by = Actor("member", member.name, member.id, account.id)
        asked = Asked("other", "計測です。")
        numbers = [chats.start(tenant, writer, asked, by=by).number for _turn in range(3)]
        session().commit()
        db.session.remove()
        db.engine.dispose()
    return settings, numbers


@contextmanager
def served(command: list[str], port: int, env: dict[str, str]) -> Iterator[int]:
    """A server while the block lasts; gives its process id."""
    process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    try:
        wait_until_ready(port)
        yield process.pid
    finally:
        kill(process)


def measure(browser: Browser) -> tuple[float, float]:
    """Median and 95th percentile of one page after another, in ms."""
    taken = []
    for _round in range(ROUNDS):
        begun = time.perf_counter()
        assert browser.ask("GET", "/inquiries")[0] == 200
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


def listen(port: int, browser: Browser, number: str) -> socket.socket:
    """One reader's open stream, its first ring heard."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    stream = socket.create_connection(("127.0.0.1", port), timeout=20)
    request = (
        f"GET /chat/{number}/stream HTTP/1.1\r\n"
        f"Host: support.localhost:{port}\r\n"
        f"Cookie: {cookies}\r\n\r\n"
    )
    stream.sendall(request.encode())
    heard = b""
    while b"event: pulse" not in heard:
        part = stream.recv(4096)
        assert part, heard
        heard += part
    return stream


def main() -> int:
    """Measure before, and with all readers there."""
    with tempfile.TemporaryDirectory() as folder:
        settings, numbers = prepare(Path(folder))
        pages, streams = free_port(), free_port()
        env = environment(
            settings,
            PORTAL_CHAT_STREAMS=str(READERS + 10),
            PORTAL_TENANTS=str(ROOT / "tenants.toml"),
        )
        command = script.commands(streams)["server"]
        command[command.index("--processes") + 1] = "1"
        with served(script.commands(pages)["server"], pages, env), served(command, streams, env):
            browser = Browser(pages, "support")
            assert (
                browser.send("/sign-in", {"email": "bench@one.example", "password": PASSWORD})[0]
                == 303
            )
            measure(browser)
            print("without readers: median {:.1f} ms, p95 {:.1f} ms".format(*measure(browser)))
            readers = [listen(streams, browser, numbers[turn % 3]) for turn in range(READERS)]
            print(
                "with {} readers: median {:.1f} ms, p95 {:.1f} ms".format(
                    len(readers), *measure(browser)
                )
            )
            for reader in readers:
                reader.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
