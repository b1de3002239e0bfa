"""`flask worker`: sends mail and does jobs. Run as many as you like; kill them as you like."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_mail import Message

from portal.core import clock, jobs, outbox
from portal.core.db import tenant_scope
from portal.extensions import mail
from portal.settings import Settings

log = logging.getLogger(__name__)


def send(stored: outbox.OutboxMail) -> None:
    """Put one stored mail on the wire. In the demo without a mail server the mailbox page is its delivery."""
    settings: Settings = current_app.extensions["settings"]
    if settings.demo and not settings.smtp_url:
        return
    message = Message(
        subject=stored.subject,
        sender=(stored.sender_name, stored.sender),
        recipients=[stored.recipient],
        body=stored.body,
        html=stored.html,
        date=stored.created_at.timestamp(),
        charset="utf-8",
        extra_headers={"Auto-Submitted": "auto-generated"},
    )
    message.msgId = stored.message_id
    mail.send(message)


def round_of_work() -> int:
    """One round over all tenants: mail, then jobs. Returns how much was claimed."""
    claimed = 0
    for key in current_app.extensions["tenants"].current().by_key:
        try:
            with tenant_scope(key):
                claimed += outbox.deliver(send, limit=50)
                claimed += jobs.run_due()
        except Exception:  # one brand's trouble never stops the others'
            log.exception("worker round for %s failed", key)
    return claimed


@click.command()
@click.option("--once", is_flag=True, help="One round, then stop.")
@click.option("--pause", default=1.0, show_default=True, help="Seconds to wait when there was nothing to do.")
@with_appcontext
def worker(once: bool, pause: float) -> None:
    """Send mail and do jobs until stopped."""
    stop = threading.Event()

    def _stop(*_: Any) -> None:
        stop.set()

    if not once:
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
    log.info("worker begins at %s", clock.now())
    while True:
        claimed = round_of_work()
        if once or stop.is_set():
            return
        if not claimed:
            stop.wait(pause)
