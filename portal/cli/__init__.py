"""The command line: a table of contents for operators. Commands over shared/ live here, a brand's in its own folder."""

from collections.abc import Iterable

from flask import Flask

from portal.cli.accounts import accounts
from portal.cli.chat import chat
from portal.cli.database import db_commands
from portal.cli.inquiries import inquiries
from portal.cli.knowledge import knowledge
from portal.cli.limits import limits
from portal.cli.members import members
from portal.cli.notices import notices
from portal.cli.records import audit, documents, mail
from portal.cli.tenants import tenants
from portal.cli.worker import worker
from portal.web.brand import Brand


def init_app(app: Flask, brands: Iterable[Brand]) -> None:
    """Register every command."""
    for group in (
        db_commands,
        tenants,
        accounts,
        members,
        limits,
        notices,
        knowledge,
        inquiries,
        chat,
        documents,
        mail,
        audit,
        worker,
    ):
        app.cli.add_command(group)
    for brand in brands:
        if brand.commands is not None:
            app.cli.add_command(brand.commands)
