"""The demo brands' data, beside the portal: what a customer's installation never needs is no part
of it (OPS-20).

`wsgi.py` adds the commands and a mailbox; the data go through the portal's own operations.
"""

from flask import Flask

from demo.commands import demo
from demo.mailbox import bp


def init_app(app: Flask) -> None:
    """Add `flask demo` and the mailbox's pages; both refuse where PORTAL_DEMO is not 1."""
    app.register_blueprint(bp)
    app.cli.add_command(demo)
