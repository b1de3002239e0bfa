"""How often something may be tried: fixed windows counted in the database, so that all processes
agree.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Network, ip_address
from math import ceil

from sqlalchemy import case, select

from portal.config.schema_parts import SignIn
from portal.core import (
    RuleBroken,
    clock,
    delete_where,
    gettext_noop,
    insert_or_ignore,
    session,
    update_where,
)
from portal.core.signer import digest
from portal.shared.auth.models import Throttle

_SUBSCRIBER = 64
"""The bits of an IPv6 address that a provider gives out; the subscriber chooses the rest."""


class TooMany(RuleBroken):
    """Tried too often; `seconds` says when it is worth trying again.

    The same for members who do not exist.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(
            gettext_noop("試行回数が多すぎます。しばらく待ってから、もう一度お試しください。")
        )
        self.seconds = seconds


def count(
    what: str, who: str, *, limit: int, window: timedelta = timedelta(hours=1), amount: int = 1
) -> None:
    """Count one try of `what` by `who` in the running transaction.

    Raises TooMany past `limit` within `window`. A try that weighs more than others counts as
    `amount` of them.
    """
    now = clock.now()
    key = _key(what, who)
    insert_or_ignore(
        Throttle, {"key": key, "window_start": now, "tries": 0}, unique=("tenant_id", "key")
    )
    # One UPDATE begins a new window or counts in the present one. To read first and write then
    # would lose tries that come at the same moment, which is just how somebody guesses.
    is_over = Throttle.window_start <= now - window
    update_where(
        Throttle,
        Throttle.key == key,
        tries=case((is_over, amount), else_=Throttle.tries + amount),
        window_start=case((is_over, now), else_=Throttle.window_start),
    )
    # Read after the UPDATE, whose lock is still held: nobody has counted in between.
    tries, since = (
        session()
        .execute(select(Throttle.tries, Throttle.window_start).where(Throttle.key == key))
        .one()
    )
    if tries > limit:
        raise TooMany(ceil((since + window - now).total_seconds()))


def network_of(address: str) -> str:
    """What one subscriber holds: an IPv4 address, or the /64 network that an IPv6 address is of.

    Text that is no address comes back as it is.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed.packed, _SUBSCRIBER), strict=False))


def count_by(rules: SignIn, what: str, who: str, *, times: int = 1) -> None:
    """Count a try within the tenant's own window, as `count` does, for so many times its limit.

    Raises TooMany.
    """
    count(
        what,
        who,
        limit=rules.sign_in_tries * times,
        window=timedelta(minutes=rules.sign_in_window_minutes),
    )


@contextmanager
def lasting() -> Iterator[None]:
    """What is counted inside stays counted, whatever comes of it. Commits."""
    try:
        yield
    finally:
        session().commit()


def take_back(what: str, who: str) -> None:
    """Uncount one try that turned out right, so that only failures add up."""
    update_where(
        Throttle, Throttle.key == _key(what, who), Throttle.tries > 0, tries=Throttle.tries - 1
    )


def _key(what: str, who: str) -> str:
    return f"{what}:{digest(who)[:40]}"


def forget(older_than: timedelta) -> None:
    """Remove windows that are long over."""
    delete_where(Throttle, Throttle.window_start < clock.now() - older_than)
