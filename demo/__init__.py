"""The demo brands' data, beside the portal: what a customer's installation never needs is no part of it (OPS-20).

`wsgi.py` adds the commands; the data go through the portal's own operations.
"""

from flask import Flask

from demo.commands import demo


def init_app(app: Flask) -> None:
    """Add `flask demo`, which refuses where PORTAL_DEMO is not 1."""
    app.cli.add_command(demo)
