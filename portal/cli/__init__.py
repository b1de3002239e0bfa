"""The command line: a table of contents for operators.

Commands over shared/ live here, a brand's in its own folder.
"""

from collections.abc import Iterable

import click
from flask import Flask
from flask.cli import FlaskGroup

from portal.cli import (
    accounts,
    chat,
    desk,
    doctor,
    documents,
    installation,
    invoices,
    limits,
    mail_in,
    members,
    records,
    worker,
)
from portal.web.brand import Brand

_SHARED: tuple[click.Command, ...] = (
    installation.db_commands,
    installation.tenants,
    worker.worker,
    doctor.doctor,
    accounts.commands,
    members.commands,
    limits.commands,
    desk.notices,
    desk.knowledge,
    desk.inquiries,
    mail_in.lmtp,
    chat.chat,
    invoices.invoices,
    invoices.payments,
    documents.documents,
    records.mail,
    records.audit,
)


def init_app(app: Flask, brands: Iterable[Brand]) -> None:
    """Register every command."""
    for command in _SHARED:
        app.cli.add_command(command)
    for brand in brands:
        if brand.commands is not None:
            app.cli.add_command(brand.commands)


def is_command() -> bool:
    """Whether the `flask` command is what loads the application, rather than a server."""
    # `flask` loads the application from inside a click command; a server does not.
    context = click.get_current_context(silent=True)
    return context is not None and isinstance(context.find_root().command, FlaskGroup)
