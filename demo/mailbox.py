"""The demo's mailbox: what was mailed, readable in the browser.

Exists in the demo only (COM-82).
"""

from flask import Blueprint
from werkzeug.exceptions import NotFound

from portal.core import outbox
from portal.core.db import session
from portal.core.errors import NotFound as Missing
from portal.web.render import render
from portal.web.requests import public, settings

bp = Blueprint("demo", __name__, url_prefix="/demo")


@bp.before_request
def _demo_only() -> None:
    if not settings().demo:
        raise NotFound


@bp.get("/mailbox")
@public
def mailbox() -> str:
    """The newest mails of this brand."""
    return render("demo/mailbox.html", mails=outbox.newest())


@bp.get("/mailbox/<int(max=9223372036854775807):mail_id>")
@public
def mail(mail_id: int) -> str:
    """One mail, as text."""
    found = session().get(outbox.OutboxMail, mail_id)
    if found is None:
        raise Missing("メールが見つかりません。")
    return render("demo/mail.html", mail=found)
