"""`flask chat`: an operator's chats in a terminal, several at once (SUP-11).

The main thread reads what is typed, the other one looks for news; both work in short transactions
of their own.
"""

import readline
import sys
import threading
from typing import Any

import click
from flask import Flask, current_app

from portal.cli.command_line import CommandError, PortalCommand, is_dry_run
from portal.cli.commands import tenant_command
from portal.cli.output import harmless
from portal.config import Tenant
from portal.core import Actor, DatabaseBusy, RuleBroken, session, tenant_scope, transaction_mode
from portal.shared.chats import operations
from portal.shared.inquiries import queries

LOOK_SECONDS = 0.4
_HELP = "/NUMBER talk in that chat   /list   /end   /quit   anything else is said"


class Desk:
    """What one operator's terminal shows: how far each chat has been read, and which one they are
    in.
    """

    def __init__(self, app: Flask, tenant: Tenant, by: Actor) -> None:
        self.app = app
        self.tenant = tenant
        self.by = by
        self.current = ""
        self.closed = threading.Event()
        self._seen: dict[str, operations.News] = {}

    @property
    def prompt(self) -> str:
        """The chat that is being talked in."""
        return f"{self.current}> "

    def watch(self) -> None:
        """Look for news, and say that the operator types, until the desk is closed."""
        while not self.closed.wait(LOOK_SECONDS):
            try:
                with self.app.app_context(), tenant_scope(self.tenant.key):
                    with transaction_mode("read"):
                        lines = self.news()
                    typed = readline.get_line_buffer()
                    if self.current and typed.strip() and not typed.startswith("/"):
                        operations.typing(queries.any_inquiry(self.current).id, "operator")
                        session().commit()
            except Exception as error:  # the next look is soon; a desk must not fall silent
                lines = [f"! {error}"]
            self._show(lines)

    def news(self) -> list[str]:
        """A line for each thing that the operator has not seen yet."""
        lines = list[str]()
        still = operations.waiting(self.by.name)
        gone = [
            queries.any_inquiry(number)
            for number in self._seen.keys() - {one.number for one in still}
        ]
        for inquiry in [*still, *gone]:
            number, before = inquiry.number, self._seen.get(inquiry.number)
            found = operations.news(inquiry, before.last if before else 0, of="member")
            if not before and not found.operator:
                lines.append(f"+ {number} {inquiry.label}")
            said = [m for m in found.messages if m.by_kind == "member" or not before]
            lines += [
                f"{number} {message.by_name}: {row}"
                for message in said
                for row in message.body.splitlines()
            ]
            if found.is_typing and not (before and before.is_typing):
                lines.append(f"{number} {inquiry.name} …")
            self._seen[number] = found
        for inquiry in gone:  # ended by the member, or by time, or taken by another
            lines.append(f"- {inquiry.number}")
            del self._seen[inquiry.number]
            self.current = "" if self.current == inquiry.number else self.current
        return lines

    def _show(self, lines: list[str]) -> None:
        """Print above the line that is being typed."""
        if lines:
            typed = readline.get_line_buffer() if sys.stdin.isatty() else ""
            said = "\n".join(harmless(line) for line in lines)
            sys.stdout.write(
                f"\r\x1b[K{said}\n{self.prompt}{typed}" if sys.stdin.isatty() else f"{said}\n"
            )
            sys.stdout.flush()

    def obey(self, line: str) -> None:
        """Do what was typed. The caller commits. Raises RuleBroken, EOFError for /quit."""
        if line == "/quit":
            raise EOFError
        if line == "/list":
            for inquiry in operations.waiting(self.by.name):
                click.echo(
                    harmless(
                        f"{inquiry.number} {inquiry.status.label} {inquiry.name} {inquiry.label}"
                    )
                )
        elif line == "/end":
            operations.end(self.tenant, self._inquiry(), by=self.by)
            self.current = ""
        elif line.startswith("/"):
            inquiry = queries.any_inquiry(line[1:])
            operations.take(inquiry, by=self.by)
            self.current = inquiry.number
        elif line:
            operations.send_message(self.tenant, self._inquiry(), line, side="operator", by=self.by)

    def _inquiry(self) -> Any:
        if not self.current:
            raise RuleBroken(_HELP)
        return queries.any_inquiry(self.current)


def _chat(tenant: Tenant, by: Actor) -> None:
    """Until /quit or the end of the input."""
    if is_dry_run():
        raise CommandError("what is said is said: a chat has no --dry-run")
    desk = Desk(current_app._get_current_object(), tenant, by)  # type: ignore[attr-defined]
    click.echo(_HELP)
    threading.Thread(target=desk.watch, name="chat desk", daemon=True).start()
    try:
        while True:
            line = input(desk.prompt if sys.stdin.isatty() else "").strip()
            try:
                desk.obey(line)
                session().commit()
            except (RuleBroken, DatabaseBusy) as error:
                session().rollback()
                click.echo(f"! {harmless(str(error))}")
    except (EOFError, KeyboardInterrupt):
        click.echo("")
    finally:
        desk.closed.set()


chat = click.command(
    "chat", cls=PortalCommand, feature="chat", help="Answer live chats in this terminal."
)(tenant_command(_chat, kind="own"))
