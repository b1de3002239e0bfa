"""`flask inquiries receive` and `flask lmtp`: mail that comes in, by an MTA's pipe or LMTP (SUP-12,
RFC 2033).
"""

import shutil
import signal
import socket
import socketserver
import sys
import threading
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from portal.cli.command_line import CommandError, PortalCommand, require_offered
from portal.cli.commands import find_tenant, question
from portal.cli.desk import inquiries
from portal.cli.output import listing, moment
from portal.config import Tenant
from portal.core import DatabaseBusy, file_store, session, tenant_scope
from portal.core.inbound_email import UnclearSender, Unreadable
from portal.shared.inquiries import inbound

MOST_BYTES = 25 * 1024 * 1024
_LINE = 4096
_SILENCE = 60.0
_MOST_AT_ONCE = 20
_ANSWERS = {
    "LHLO": ["250-portal", "250-8BITMIME", "250-PIPELINING", f"250 SIZE {MOST_BYTES}"],
    "NOOP": ["250 2.0.0 OK"],
    "QUIT": ["221 2.0.0 bye"],
}
_REFUSED = (
    ("received", moment("received_at")),
    ("from", "sender"),
    "subject",
    ("why", lambda one: inbound.Outcome(one.outcome).label),
    ("file", "kept"),
)


def take(app: Flask, tenant: Tenant, raw: bytes, sender: str | None) -> tuple[int, str]:
    """Take one mail in: the answer that SMTP has for it."""
    try:
        with app.app_context(), tenant_scope(tenant.key):
            outcome = inbound.receive(tenant, raw, envelope_from=sender)
            session().commit()
    except UnclearSender as error:
        return 550, f"5.7.1 {error}"
    except Unreadable as error:
        return 554, f"5.6.0 no readable mail: {error}"
    except DatabaseBusy:
        return 451, "4.3.0 busy, come again"
    except Exception:
        app.logger.exception("a mail was not taken in")
        return 451, "4.3.0 something went wrong, come again"
    return 250, f"2.0.0 {outcome.value}"


@inquiries.command("receive")
@click.option(
    "--tenant", "tenant_key", envvar="PORTAL_TENANT", help="The brand's key in tenants.toml."
)
@click.option("--sender", help="The envelope's sender; otherwise Return-Path says it.")
@with_appcontext
def receive(tenant_key: str | None, sender: str | None) -> None:
    """Take in one mail from standard input, for an MTA's pipe."""
    tenant = find_tenant(tenant_key)
    require_offered(tenant)
    raw = sys.stdin.buffer.read(MOST_BYTES + 1)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    code, said = (
        (552, "5.3.4 too large") if len(raw) > MOST_BYTES else take(app, tenant, raw, sender)
    )
    click.echo(f"{code} {said}", err=code != 250)
    sys.exit({2: 0, 4: 75, 5: 65}[code // 100])  # EX_TEMPFAIL and EX_DATAERR of sysexits.h


@listing(inquiries, "refused", _REFUSED)
def refused(limit: int) -> Iterable[Any]:
    """Mails that became no inquiry, the newest first."""
    return inbound.refused(limit)


@question(inquiries, "raw", click.argument("file"))
def raw(file: str) -> None:
    """The bytes of a refused mail, by its file."""
    try:
        stored = file_store().open(file)
    except FileNotFoundError:
        raise click.BadParameter("no such file; see inquiries refused") from None
    with stored:
        shutil.copyfileobj(stored, sys.stdout.buffer)


class LmtpHandler(socketserver.StreamRequestHandler):
    """One MTA at the door; what is too large is heard to its end and thrown away."""

    timeout = _SILENCE
    server: "LmtpServer"

    def handle(self) -> None:
        """Until QUIT, silence or shutdown."""
        if not self.server.room.acquire(blocking=False):
            self._say("421 4.3.2 too many at once")
            return
        try:
            self._say("220 portal LMTP")
            self._reset()
            while (line := self.rfile.readline(_LINE)) and self._obey(
                line.decode("ascii", "replace").strip()
            ):
                pass
        except OSError:
            pass
        finally:
            self.server.room.release()

    def _reset(self, _rest: str = "") -> list[str]:
        self._from: str | None = None
        self._to: list[Tenant] = []
        return ["250 2.0.0 OK"]

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _obey(self, line: str) -> bool:
        """Do what one line says; whether to go on."""
        verb, _space, rest = line.partition(" ")
        do = {"MAIL": self._mail, "RCPT": self._rcpt, "DATA": self._data, "RSET": self._reset}.get(
            verb.upper()
        )
        self._say(*(do(rest) if do else _ANSWERS.get(verb.upper(), ["500 5.5.2 unknown command"])))
        return verb.upper() != "QUIT"

    def _mail(self, rest: str) -> list[str]:
        words = rest.partition(":")[2].split()
        size = next((word[5:] for word in words[1:] if word.upper().startswith("SIZE=")), "0")
        if size.isdecimal() and int(size) > MOST_BYTES:
            return ["552 5.3.4 too large"]
        self._reset()
        self._from = words[0].strip("<>") if words else ""
        return ["250 2.1.0 OK"]

    def _rcpt(self, rest: str) -> list[str]:
        address = rest.partition(":")[2].split(" ")[0].strip("<> ").lower()
        known = self.server.app.extensions["tenants"].current().by_key.values()
        found = next(
            (one for one in known if one.mail.inbound and one.mail.inbound.lower() == address), None
        )
        if self._from is None:
            return ["503 5.5.1 not now"]
        if len(self._to) >= _MOST_AT_ONCE:
            return ["452 4.5.3 too many recipients"]
        if found is None:
            return ["550 5.1.1 nobody here by that name"]
        self._to.append(found)
        return ["250 2.1.5 OK"]

    def _data(self, _rest: str) -> list[str]:
        if not self._to:
            return ["503 5.5.1 for whom?"]
        self._say("354 go on")
        raw = self._content()
        sender = self._from
        to = self._to
        self._reset()
        if not raw:
            return ["552 5.3.4 too large" for _ in to if raw is not None]
        return ["{} {}".format(*take(self.server.app, tenant, raw, sender)) for tenant in to]

    def _content(self) -> bytes | None:
        """The mail up to its dot between two CRLF (RFC 5321, 4.1.1.4); empty if too large, None if
        cut off.
        """
        lines = list[bytes]()
        size = 0
        before = b"\r\n"
        while (line := self.rfile.readline(_LINE)) != b".\r\n" or before != b"\r\n":
            if not line:
                return None
            size += len(line)
            if size <= MOST_BYTES:
                lines.append(line[1:] if before == b"\r\n" and line.startswith(b".") else line)
            before = (before + line)[-2:]
        return b"".join(lines) if size <= MOST_BYTES else b""


class LmtpServer(socketserver.ThreadingTCPServer):
    """Listens; one thread for each conversation, a bounded number of them."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, at: tuple[str, int], app: Flask) -> None:
        self.app = app
        self.room = threading.Semaphore(_MOST_AT_ONCE)
        super().__init__(at, LmtpHandler)


@click.command(
    "lmtp", cls=PortalCommand, help="Listen for mail over LMTP; the recipient says whose it is."
)
@click.option(
    "--listen", default="127.0.0.1:2424", show_default=True, help="HOST:PORT, on loopback."
)
@with_appcontext
def lmtp(listen: str) -> None:
    """Until SIGTERM or SIGINT."""
    host, _colon, port = listen.rpartition(":")
    if not (host and port.isdecimal()):
        raise click.BadParameter("HOST:PORT, e.g. 127.0.0.1:2424")
    _require_loopback(host)
    with LmtpServer((host, int(port)), current_app._get_current_object()) as door:  # type: ignore[attr-defined]
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=door.shutdown).start())
        click.echo(f"LMTP at {host}:{door.server_address[1]}")
        door.serve_forever(poll_interval=0.2)


def _require_loopback(host: str) -> None:
    """Refuse an address that other machines reach: whoever opens the port writes in any member's
    name.
    """
    found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    if not all(ip_address(address[0]).is_loopback for *_kind, address in found):
        raise CommandError(
            f"--listen {host}: others could reach it and write in any member's name; "
            "listen at 127.0.0.1, and let the mail server on this machine bring the mail"
        )
