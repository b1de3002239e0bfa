"""Inquiries of people who are not signed in, where the tenant allows it: guarded without an outside
service (COM-53).

Each form carries a stamp that only this server makes. A form is sent no sooner than a person can
read it, within a day, and once; how often an address (mail or network) may send is limited.
"""

import hmac
import secrets
from datetime import UTC, datetime, timedelta

from portal.config import Tenant
from portal.core import Actor, RuleBroken, clock, signer
from portal.shared.auth import throttling
from portal.shared.inquiries import operations
from portal.shared.inquiries.models import Inquiry
from portal.shared.inquiries.operations import Asked, Writer

SOONEST = timedelta(seconds=3)
LATEST = timedelta(hours=24)
_MOST_FROM = 10
_MOST_BY = 5
"""Inquiries an hour from one network, and a day by one mail address."""


def stamp() -> str:
    """A fresh form's stamp: when it was made, its own name, and the proof of both."""
    made = f"{int(clock.now().timestamp())}-{secrets.token_hex(8)}"
    return f"{made}-{signer.macs('guest inquiry', made)[0].hex()}"


def check(stamped: str) -> None:
    """Refuse a stamp that is not ours, too old, or so young that no person filled the form in.

    Raises RuleBroken.
    """
    made, _dash, mac = stamped.rpartition("-")
    proofs = [proof.hex().encode() for proof in signer.macs("guest inquiry", made)]
    age = None
    if any(hmac.compare_digest(proof, mac.encode()) for proof in proofs):
        seconds, _dash, _name = made.partition("-")
        age = clock.now() - datetime.fromtimestamp(int(seconds), UTC)
    if age is None or not SOONEST <= age <= LATEST:
        raise RuleBroken("送信内容を確認できませんでした。お手数ですが、もう一度お試しください。")


def ask(
    tenant: Tenant, writer: Writer, asked: Asked, stamped: str, *, address: str
) -> Inquiry | None:
    """Begin a guest's inquiry; None when this form was sent before.

    The caller commits. Raises RuleBroken, TooMany.
    """
    check(stamped)
    # A second press is no mistake of theirs: the first one has told them that it was sent.
    try:
        throttling.count("guest-form", stamped, limit=1, window=LATEST)
    except throttling.TooMany:
        return None
    # By network and by address typed: neither alone keeps somebody from flooding a brand.
    network = throttling.network_of(address)
    throttling.count("guest-from", network, limit=_MOST_FROM, window=timedelta(hours=1))
    throttling.count("guest-by", writer.email.casefold(), limit=_MOST_BY, window=timedelta(days=1))
    by = Actor("system", "guest", address=address)
    return operations.ask(tenant, writer, asked, by=by)
