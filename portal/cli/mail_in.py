"""`flask inquiries receive` and `flask lmtp`: mail that comes in, by an MTA's pipe or LMTP (SUP-12,
RFC 2033).
"""

import shutil
import signal
import socket
import socketserver
import sys
import threading
from ipaddress import ip_address
from types import FrameType

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from portal.cli.command_line import CommandError, PortalCommand, require_offered
from portal.cli.commands import QuestionCommand, find_tenant
from portal.cli.desk import inquiries
from portal.cli.output import local_minute, table
from portal.cli.parameters import json_option, limit_option
from portal.config import Tenant
from portal.core import DatabaseBusy, file_store, session, tenant_scope
from portal.core.inbound_email import UnclearSender, Unreadable
from portal.shared.inquiries import inbound

MAX_BYTES = 25 * 1024 * 1024
_LONGEST_LINE = 4096
_SILENCE_SECONDS = 60.0
_EXIT_CODES = {2: 0, 4: 75, 5: 65}
"""By the first digit of SMTP's answer: done, EX_TEMPFAIL and EX_DATAERR of sysexits.h, by which an
MTA tries again or sends the mail back.
"""
_MAX_AT_ONCE = 20
_ANSWERS = {
    "LHLO": ["250-portal", "250-8BITMIME", "250-PIPELINING", f"250 SIZE {MAX_BYTES}"],
    "NOOP": ["250 2.0.0 OK"],
    "QUIT": ["221 2.0.0 bye"],
}


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
        # Whatever it is, a temporary answer loses no mail: the MTA keeps it and comes again.
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
    raw = sys.stdin.buffer.read(MAX_BYTES + 1)  # one byte more tells that there are too many
    if len(raw) > MAX_BYTES:
        code, answer = 552, "5.3.4 too large"
    else:
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        code, answer = take(app, tenant, raw, sender)
    click.echo(f"{code} {answer}", err=code != 250)
    sys.exit(_EXIT_CODES[code // 100])


@inquiries.command("refused", cls=QuestionCommand)
@limit_option()
@json_option
def refused(limit: int, as_json: bool) -> None:
    """Mails that became no inquiry, the newest first."""
    rows = [
        (
            local_minute(found.received_at),
            found.sender,
            found.subject,
            inbound.Outcome(found.outcome).label,
            found.kept,
        )
        for found in inbound.refused(limit)
    ]
    table(["received", "from", "subject", "why", "file"], rows, as_json)


@inquiries.command("raw", cls=QuestionCommand)
@click.argument("file")
def raw(file: str) -> None:
    """The bytes of a refused mail, by its file."""
    try:
        stored = file_store().open(file)
    except FileNotFoundError:
        raise click.BadParameter("no such file; see inquiries refused") from None
    with stored:
        shutil.copyfileobj(stored, sys.stdout.buffer)


class LmtpHandler(socketserver.StreamRequestHandler):
    """One MTA's conversation; a mail that is too large is read to its end and thrown away."""

    timeout = _SILENCE_SECONDS
    server: "LmtpServer"

    def handle(self) -> None:
        """Answer line after line, until QUIT, silence or the server's end."""
        # Refused at once rather than made to wait: an MTA keeps its mail and comes again.
        if not self.server.room.acquire(blocking=False):
            self._answer("421 4.3.2 too many at once")
            return
        try:
            self._answer("220 portal LMTP")
            self._reset()
            while (line := self.rfile.readline(_LONGEST_LINE)) and self._obey(
                line.decode("ascii", "replace").strip()
            ):
                pass
        except OSError:  # silence, or a connection that broke: the MTA comes again
            pass
        finally:
            self.server.room.release()

    def _reset(self, _rest: str = "") -> list[str]:
        self._from: str | None = None
        self._to: list[Tenant] = []
        return ["250 2.0.0 OK"]

    def _answer(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _obey(self, line: str) -> bool:
        """Do what one line says; whether to go on."""
        verb, _space, rest = line.partition(" ")
        verb = verb.upper()
        commands = {"MAIL": self._mail, "RCPT": self._rcpt, "DATA": self._data, "RSET": self._reset}
        answers = _ANSWERS.get(verb, ["500 5.5.2 unknown command"])
        if verb in commands:
            answers = commands[verb](rest)
        self._answer(*answers)
        return verb != "QUIT"

    def _mail(self, rest: str) -> list[str]:
        """Begin a mail: MAIL FROM:<sender> SIZE=bytes."""
        words = rest.partition(":")[2].split()
        # The size that is announced (RFC 1870) spares both sides a mail that is too large.
        size = next((word[5:] for word in words[1:] if word.upper().startswith("SIZE=")), "0")
        if size.isdecimal() and int(size) > MAX_BYTES:
            return ["552 5.3.4 too large"]
        self._reset()
        self._from = words[0].strip("<>") if words else ""
        return ["250 2.1.0 OK"]

    def _rcpt(self, rest: str) -> list[str]:
        address = rest.partition(":")[2].split(" ")[0].strip("<> ").lower()
        # The recipient alone says which brand a mail is for.
        known = self.server.app.extensions["tenants"].current().by_key.values()
        found = next(
            (one for one in known if one.mail.inbound and one.mail.inbound.lower() == address), None
        )
        if self._from is None:
            return ["503 5.5.1 not now"]
        if len(self._to) >= _MAX_AT_ONCE:
            return ["452 4.5.3 too many recipients"]
        if found is None:
            return ["550 5.1.1 nobody here by that name"]
        self._to.append(found)
        return ["250 2.1.5 OK"]

    def _data(self, _rest: str) -> list[str]:
        if not self._to:
            return ["503 5.5.1 for whom?"]
        self._answer("354 go on")
        raw = self._content()
        sender = self._from
        to = self._to
        self._reset()
        if raw is None:  # the line was cut: there is nobody to answer
            return []
        if not raw:
            return ["552 5.3.4 too large" for _tenant in to]
        # LMTP answers for each recipient (RFC 2033, 4.2): one brand may have taken the mail.
        answers = []
        for tenant in to:
            code, words = take(self.server.app, tenant, raw, sender)
            answers.append(f"{code} {words}")
        return answers

    def _content(self) -> bytes | None:
        """The mail up to its dot between two CRLF (RFC 5321, 4.1.1.4); empty if too large, None if
        cut off.
        """
        lines = list[bytes]()
        size = 0
        before = b"\r\n"
        while (line := self.rfile.readline(_LONGEST_LINE)) != b".\r\n" or before != b"\r\n":
            if not line:
                return None
            size += len(line)
            is_at_start = before == b"\r\n"
            before = (before + line)[-2:]
            if is_at_start:
                line = line.removeprefix(b".")  # doubled by the sender (RFC 5321, 4.5.2)
            if size <= MAX_BYTES:
                lines.append(line)
        return b"".join(lines) if size <= MAX_BYTES else b""


class LmtpServer(socketserver.ThreadingTCPServer):
    """Listens for mail, with a thread for each conversation, `_MAX_AT_ONCE` of them at most."""

    # A restart need not wait until the system has forgotten the last connections.
    allow_reuse_address = True
    # A conversation that hangs holds up no end.
    daemon_threads = True

    def __init__(self, at: tuple[str, int], app: Flask) -> None:
        self.app = app
        self.room = threading.Semaphore(_MAX_AT_ONCE)
        super().__init__(at, LmtpHandler)


@click.command("lmtp", cls=PortalCommand)
@click.option(
    "--listen", default="127.0.0.1:2424", show_default=True, help="HOST:PORT, on loopback."
)
@with_appcontext
def lmtp(listen: str) -> None:
    """Listen for mail over LMTP; the recipient says whose it is."""
    host, _colon, port = listen.rpartition(":")
    if not (host and port.isdecimal()):
        raise click.BadParameter("HOST:PORT, e.g. 127.0.0.1:2424")
    _require_loopback(host)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with LmtpServer((host, int(port)), app) as server:

        def stop(_number: int, _frame: FrameType | None) -> None:
            # `shutdown` waits for the loop below, in whose thread this runs.
            threading.Thread(target=server.shutdown).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        click.echo(f"LMTP at {host}:{server.server_address[1]}")
        server.serve_forever(poll_interval=0.2)


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
