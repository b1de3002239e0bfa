"""`flask chat`: an operator's chats in a terminal, several at once (SUP-11).

The main thread reads what is typed, the other one looks for news; both work in short transactions
of their own.
"""

import readline  # also makes `input` a line that can be edited
import sys
import threading
from typing import NoReturn

import click
from flask import Flask, current_app

from portal.cli.command_line import CommandError
from portal.cli.commands import TenantCommand, TenantContext
from portal.cli.output import harmless
from portal.config import Tenant
from portal.core import Actor, DatabaseBusy, RuleBroken, session, tenant_scope, transaction_mode
from portal.shared.chats import operations
from portal.shared.inquiries import queries
from portal.shared.inquiries.models import Inquiry

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
                    # A command of the desk is nothing that the customer could wait for.
                    if self.current and typed.strip() and not typed.startswith("/"):
                        operations.typing(queries.any_inquiry(self.current).id, "operator")
                        session().commit()
            except Exception as error:  # the next look is soon; a desk must not fall silent
                lines = [f"! {error}"]
            self._show(lines)

    def news(self) -> list[str]:
        """A line for each thing that the operator has not seen yet."""
        lines = list[str]()
        # Those that wait for anybody, and this operator's own.
        still = operations.waiting(self.by.name)
        gone = [
            queries.any_inquiry(number)
            for number in self._seen.keys() - {one.number for one in still}
        ]
        for inquiry in [*still, *gone]:
            number = inquiry.number
            before = self._seen.get(number)
            found = operations.news(inquiry, before.last if before else 0, of="member")
            if not before and not found.operator:
                lines.append(f"+ {number} {inquiry.label}")
            for message in found.messages:
                # What operators wrote is known here, unless the chat is new to this desk.
                if before and message.by_kind != "member":
                    continue
                lines += [f"{number} {message.by_name}: {row}" for row in message.body.splitlines()]
            if found.is_typing and not (before and before.is_typing):
                lines.append(f"{number} {inquiry.name} …")
            self._seen[number] = found
        for inquiry in gone:  # ended by the member, or by time, or taken by another
            lines.append(f"- {inquiry.number}")
            del self._seen[inquiry.number]
            if self.current == inquiry.number:
                self.current = ""
        return lines

    def _show(self, lines: list[str]) -> None:
        """Print above the line that is being typed."""
        if not lines:
            return
        shown = "\n".join(harmless(line) for line in lines)
        if sys.stdin.isatty():
            # The line that is being typed is cleared, and drawn again below the news.
            typed = readline.get_line_buffer()
            sys.stdout.write(f"\r\x1b[K{shown}\n{self.prompt}{typed}")
        else:
            sys.stdout.write(f"{shown}\n")
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

    def _inquiry(self) -> Inquiry:
        """The chat that is being talked in. Raises RuleBroken where there is none."""
        if not self.current:
            raise RuleBroken(_HELP)
        return queries.any_inquiry(self.current)


@click.command("chat", cls=TenantCommand, feature="chat")
@click.pass_obj
def chat(context: TenantContext) -> None:
    """Answer live chats in this terminal."""
    if context.dry_run:
        raise CommandError("what is said is said: a chat has no --dry-run")
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    desk = Desk(app, context.tenant, context.by)
    click.echo(_HELP)
    # A daemon: /quit need not wait for a look that waits for the database.
    threading.Thread(target=desk.watch, name="chat desk", daemon=True).start()
    try:
        _read_lines(desk)
    except (EOFError, KeyboardInterrupt):  # /quit, the end of the input, Ctrl-C
        click.echo("")
    finally:
        desk.closed.set()


def _read_lines(desk: Desk) -> NoReturn:
    """Obey line after line, each in a transaction of its own. Raises EOFError in the end."""
    while True:
        line = input(desk.prompt if sys.stdin.isatty() else "").strip()
        try:
            desk.obey(line)
            session().commit()
        except (RuleBroken, DatabaseBusy) as error:
            session().rollback()
            click.echo(f"! {harmless(str(error))}")
