"""Security events for whoever watches the log: one line each, ``event=… tenant=… member=7 …``.

They say who by an id and from which address, and never what was typed: no name, no e-mail address,
no secret (security.md §4.27). Whatever stands in a value, an event is one line, and a value cannot
pass for another key.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from portal.core.errors import RuleBroken
from portal.tenancy.scope import current_key

log = logging.getLogger("portal.security")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/<>-]+")


def report(event: str, **facts: object) -> None:
    """Log `event` at the tenant in scope with these facts, without those that are None or empty."""
    pairs = {"event": event, "tenant": current_key(), **facts}
    line = " ".join(
        f"{key}={_written(value)}" for key, value in pairs.items() if value not in (None, "")
    )
    log.warning("%s", line)


@contextmanager
def reporting_refusals(event: str, **facts: object) -> Iterator[None]:
    """Log `event` with the refusal's kind when a rule refuses what is done inside; raises that."""
    try:
        yield
    except RuleBroken as refusal:
        report(event, refusal=type(refusal).__name__, **facts)
        raise


def _written(value: object) -> str:
    """The value as it is, or as an ASCII JSON string where it could break the line."""
    # Quoted where a blank or a line break could make one value look like two events.
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
