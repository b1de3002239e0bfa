"""Composing mail: one small template an event, in the tenant's name, stored in the outbox (COM-80,
COM-81).
"""

import re
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from portal.config import Tenant
from portal.core import clock, dates, outbox, session, text, yen
from portal.shared.accounts.models import Account, Member

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
    environment.filters["when"] = dates.at_time
    environment.filters["day"] = dates.on_date
    environment.filters["until"] = dates.from_to
    environment.globals["greeting"] = greeting
    return environment


_LINK = Markup('<a href="{0}">{0}</a>')


def greeting(account_id: int | None, person: str) -> str:
    """How a letter begins: the customer's company on a line of its own, then the person with 様.

    An individual, who is called as the account is, and a guest are named once.
    """
    account = session().get(Account, account_id) if account_id else None
    if account is None or not account.name or _same_name(account.name, person):
        return f"{person} 様"
    return f"{account.name}\n{person} 様"


def _same_name(one: str, other: str) -> bool:
    return text.search_key(one).replace(" ", "") == text.search_key(other).replace(" ", "")


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
    written = _environment().get_template(f"{event}.txt").render(tenant=tenant, **context)
    subject, _blank, letter = written.partition("\n\n")
    # One line, however its template is broken: a mail's header ends with the line.
    return " ".join(subject.split()), letter.strip("\n")
