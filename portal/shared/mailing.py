"""Composing mail: one small template an event, in the tenant's name, stored in the outbox (COM-80,
COM-81).
"""

import re
from datetime import date, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from portal.config import Tenant
from portal.core import clock, outbox, yen
from portal.shared.accounts.models import Member

_TEMPLATES = Path(__file__).parent.parent / "templates" / "emails"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html"]),
        # A name that a template misspells is an error, and no gap in somebody's letter.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["yen"] = yen
    environment.filters["lines"] = _lines
    environment.filters["when"] = _when
    environment.filters["day"] = _day
    return environment


_LINK = Markup('<a href="{0}">{0}</a>')


def _when(at: datetime) -> str:
    """An instant as letters write it, in Asia/Tokyo: 2026/11/22 09:00."""
    return f"{clock.to_local(at):%Y/%m/%d %H:%M}"


def _day(day: date) -> str:
    """A day as letters write it: 2026/11/22."""
    return f"{day:%Y/%m/%d}"


def _lines(paragraph: str) -> Markup:
    """A paragraph of the letter as HTML.

    Its lines as they are, an address alone on one as a link.
    """
    # Joined by Markup, which escapes every line that is not Markup itself.
    return Markup("<br>\n").join(map(_linked, paragraph.strip().splitlines()))


def _linked(line: str) -> str:
    """A line of a letter, as a link where it is nothing but an address."""
    if re.fullmatch(r"https?://\S+", line):
        return _LINK.format(line)
    return line


def notify(tenant: Tenant, event: str, whom: Member, **context: object) -> outbox.OutboxMail:
    """Store the mail of `event` for a member, in the running transaction.

    It sees `member` and the instant `at` too.
    """
    context = {"member": whom, "at": clock.now()} | context
    return compose(tenant, event, whom.email, account_id=whom.account_id, **context)


def compose(
    tenant: Tenant, event: str, recipient: str, *, account_id: int | None = None, **context: object
) -> outbox.OutboxMail:
    """Store the mail of `event` for `recipient` in the running transaction.

    ``emails/<event>.txt`` is the subject, an empty line, the letter; it sees `tenant` and
    `context`. The signature and the HTML form are the same for every mail. An `until` in the
    context is when the mail's link or code dies: it is not sent after that.
    """
    until = context.get("until")
    headers: dict[str, str] = {}
    if tenant.mail.inbound:
        # Where mail comes in, an answer is to continue the thread and not to reach nobody.
        headers["Reply-To"] = tenant.mail.inbound
    subject, letter = render(tenant, event, **context)
    environment = _environment()
    return outbox.enqueue(
        event,
        sender=tenant.mail.address,
        sender_name=tenant.mail.name,
        recipient=recipient,
        subject=subject,
        body=f"{letter}\n{environment.get_template('_signature.txt').render(tenant=tenant)}",
        html=environment.get_template("_layout.html").render(tenant=tenant, letter=letter),
        account_id=account_id,
        headers=headers,
        expires_at=until if isinstance(until, datetime) else None,
    )


def render(tenant: Tenant, event: str, **context: object) -> tuple[str, str]:
    """Subject and letter of `event`."""
    text = _environment().get_template(f"{event}.txt").render(tenant=tenant, **context)
    subject, _blank, letter = text.partition("\n\n")
    # One line, however its template is broken: a mail's header ends with the line.
    return " ".join(subject.split()), letter.strip("\n")
