"""The command line: a table of contents for operators. Commands over shared/ live here, a brand's in its own folder."""

from collections.abc import Iterable

from flask import Flask

from portal.cli import (
    accounts,
    chat,
    database,
    inquiries,
    knowledge,
    limits,
    mail_in,
    members,
    notices,
    records,
    tenants,
    worker,
)
from portal.web.brand import Brand


def init_app(app: Flask, brands: Iterable[Brand]) -> None:
    """Register every command."""
    installation = database.db_commands, tenants.tenants, worker.worker
    customers = accounts.accounts, members.members, limits.limits
    threads = notices.notices, knowledge.knowledge, inquiries.inquiries, mail_in.lmtp, chat.chat
    kept = records.documents, records.mail, records.audit
    own = [brand.commands for brand in brands if brand.commands is not None]
    for command in (*installation, *customers, *threads, *kept, *own):
        app.cli.add_command(command)
