"""`flask worker`: sends mail and does jobs. Run as many as you like; kill them as you like."""

import logging
import signal
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import charset
from email.utils import quote
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_mail import Connection, Message

from portal.cli.command_line import PortalCommand
from portal.config import Tenant
from portal.core import clock, file_sweep, jobs, outbox, session, tenant_scope
from portal.settings import Settings
from portal.shared import drafts, interrupted, notifications
from portal.shared.auth import passkeys, throttling
from portal.shared.chats import operations as chats
from portal.shared.inquiries import inbound
from portal.shared.members import registration
from portal.web.brand import brands_of

log = logging.getLogger(__name__)
ANSWER_SECONDS = 20.0
TIDY_SECONDS = 900.0
# Flask-Mail sends 8-bit lines of any length, which only some servers announce that they take;
# base64 passes everywhere.
charset.add_charset("utf-8", charset.SHORTEST, charset.BASE64, "utf-8")


class _OutgoingMail(Message):
    """Headers stay as they are: folded anew, a long address would be encoded, and nobody follows it
    (RFC 8058).
    """

    def _message(self) -> Any:
        made: Any = super()._message()
        made.policy = made.policy.clone(refold_source="none")
        return made


class _VerifiedConnection(Connection):
    """A connection to the mail server that knows whom it talks to.

    Flask-Mail's own STARTTLS takes any certificate, so whoever sits in between could read every
    mail.
    """

    def configure_host(self) -> smtplib.SMTP:
        """Connect; where TLS is asked for, certificate and host name are checked first."""
        settings: Settings = current_app.extensions["settings"]
        host = smtplib.SMTP(self.mail.server, self.mail.port)
        try:
            if self.mail.use_tls:
                authorities = settings.smtp_ca
                host.starttls(context=ssl.create_default_context(cafile=authorities))
            if self.mail.username and self.mail.password:
                host.login(self.mail.username, self.mail.password)
        except BaseException:
            host.close()
            raise
        return host


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """A mail server that says nothing for so long fails the mail; otherwise it would hold up every
    brand.
    """
    # Flask-Mail opens its connection without a time limit, so the default of sockets is set.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def send(stored: outbox.OutboxMail) -> None:
    """Put one stored mail on the wire.

    In the demo without a mail server the mailbox page is its delivery.
    """
    settings: Settings = current_app.extensions["settings"]
    if settings.demo and not settings.smtp_url:
        return
    message = _OutgoingMail(
        subject=stored.subject,
        # Quoted, since a brand's name may hold a comma or a bracket, which end a name in RFC 5322.
        sender=f'"{quote(stored.sender_name)}" <{stored.sender}>',
        recipients=[stored.recipient],
        body=stored.body,
        html=stored.html,
        date=stored.created_at.timestamp(),
        charset="utf-8",
        extra_headers={"Auto-Submitted": "auto-generated", **(stored.headers or {})},
    )
    # The same in each try: where a mail is sent twice, its reader's program keeps one.
    message.msgId = stored.message_id
    state = current_app.extensions["mail"]
    accepted = False
    try:
        with _patience(ANSWER_SECONDS), _VerifiedConnection(state) as connection:
            connection.send(message)
            accepted = True
    except (smtplib.SMTPException, OSError):
        if not accepted:  # a server that hangs up without a goodbye has the mail all the same
            raise


def round_of_work(*, tidy: bool = False, kinds: Collection[str] | None = None) -> int:
    """One round over all tenants: mail, jobs, and what is past its time when `tidy`.

    `kinds` are the only ones that are done, of jobs and "mail"; None for all. Returns how much was
    claimed.
    """
    claimed = 0
    settings: Settings = current_app.extensions["settings"]
    for key, tenant in current_app.extensions["tenants"].current().by_key.items():
        try:
            with tenant_scope(key):
                if kinds is None or outbox.KIND in kinds:
                    claimed += outbox.deliver(send, limit=50, keep_texts=settings.demo)
                claimed += jobs.run_due(kinds=kinds)
                if tidy:
                    _upkeep(tenant)
        except Exception:  # one brand's trouble never stops the others'
            log.exception("worker round for %s failed", key)
    return claimed


def _upkeep(tenant: Tenant) -> None:
    """What is done once in a while, whatever there is to do."""
    # Committed part by part: what a brand's own part trips over undoes nothing of the others.
    _tidy(tenant)
    notifications.mail_digests(tenant)
    chats.end_idle(tenant)
    session().commit()
    for brand in brands_of(tenant):
        if brand.tick:
            brand.tick(tenant)
            session().commit()
    # Last, and outside of any transaction: removing many files takes its time.
    file_sweep.sweep(timedelta(hours=tenant.storage.unused_hours))


def _tidy(tenant: Tenant) -> None:
    drafts.expire()
    interrupted.expire()
    outbox.blank_unsendable()
    inbound.remove_old_refused(tenant)
    throttling.forget(timedelta(days=1))
    registration.forget()
    passkeys.forget_challenges()
    session().commit()


def _require_known(kinds: Iterable[str]) -> None:
    """Refuse a kind that nobody does: a worker for it would wait for ever."""
    known = sorted([outbox.KIND, *jobs.job_kinds()])
    for kind in kinds:
        if kind not in known:
            raise click.BadParameter(f"{kind!r} is none of {', '.join(known)}", param_hint="--kind")


@click.command(cls=PortalCommand)
@click.option("--once", is_flag=True, help="One round, then stop.")
@click.option(
    "--pause", default=1.0, show_default=True, help="Seconds to wait when there was nothing to do."
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help="Do only jobs of this kind, e.g. documents.draw, or mail; repeatable. "
    "Nothing is tidied then.",
)
@with_appcontext
def worker(once: bool, pause: float, kinds: tuple[str, ...]) -> None:
    """Send mail and do jobs until stopped."""
    _require_known(kinds)
    only = kinds or None
    stop = threading.Event()
    if not once:
        # A stop waits for the round in hand; a kill leaves leases that another worker takes over.
        for asked in (signal.SIGTERM, signal.SIGINT):
            signal.signal(asked, lambda *_: stop.set())
    log.info("worker begins at %s: %s", clock.now(), ", ".join(kinds) or "everything")
    tidied = -TIDY_SECONDS
    while True:
        # A worker of some kinds leaves the tidying to those that do everything.
        is_due = only is None and time.monotonic() - tidied >= TIDY_SECONDS
        if is_due:
            tidied = time.monotonic()
        claimed = round_of_work(tidy=is_due, kinds=only)
        if once or stop.is_set():
            return
        if not claimed:
            stop.wait(pause)
