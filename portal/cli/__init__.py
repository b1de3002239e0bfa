"""The command line: a table of contents for operators.

Commands over shared/ live here, a brand's in its own folder.
"""

from collections.abc import Iterable

import click
from flask import Flask
from flask.cli import FlaskGroup

from portal.cli import chat, customers, desk, doctor, installation, mail_in, records, worker
from portal.web.brand import Brand


def init_app(app: Flask, brands: Iterable[Brand]) -> None:
    """Register every command."""
    machine = installation.db_commands, installation.tenants, worker.worker, doctor.doctor
    people = customers.account_commands, customers.member_commands, customers.limits
    threads = desk.notices, desk.knowledge, desk.inquiries, mail_in.lmtp, chat.chat
    kept = records.documents, records.mail, records.audit
    own = [brand.commands for brand in brands if brand.commands is not None]
    for command in (*machine, *people, *threads, *kept, *own):
        app.cli.add_command(command)


def is_command() -> bool:
    """Whether the `flask` command is what loads the application, rather than a server."""
    context = click.get_current_context(silent=True)
    return context is not None and isinstance(context.find_root().command, FlaskGroup)
