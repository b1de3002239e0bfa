"""Which reservations an inquiry may be about, and what is worth knowing before one writes (FAC-05,
FAC-06).
"""

from collections.abc import Iterator

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.models import Reservation
from portal.config import Tenant
from portal.core import RuleBroken, gettext_noop
from portal.shared.auth.sessions import SignedIn
from portal.shared.inquiries import queries as inquiries
from portal.web import amounts
from portal.web.formatting import from_to
from portal.web.i18n import translate as _

CHANGE = "change"
CANCEL = "cancel"
"""The keys of the two categories that the page of a reservation leads to."""
_CHARGE = gettext_noop("本日お申し込みの場合のキャンセル料")
_ASKED_ALREADY = gettext_noop(
    "このご予約のキャンセルは、すでにお申し込みいただいています（受付番号 %(number)s）。"
)
_NOTHING_CHOSEN = gettext_noop(
    "ご予約をお選びください。変更・キャンセルは、ご利用前のご予約に限り承ります。"
)


def changeable(who: SignedIn) -> list[tuple[str, str]]:
    """Number and words of the account's reservations that can be changed or cancelled, the next one
    first.
    """
    return [
        (reservation.number, _in_words(reservation))
        for reservation in queries.changeable(who.account_id)
    ]


def find(who: SignedIn, category: str, typed: str) -> str:
    """The number of the account's own reservation, however it was typed.

    Raises RuleBroken for any other, where a change is asked for of one that can no longer be
    changed, and for a second cancellation while one is open.
    """
    if not typed.strip():
        raise RuleBroken(_NOTHING_CHOSEN, field="about")
    reservation = queries.reservation_as_typed(who.account_id, typed)
    # The page's list has only those, but what is sent may be anything, or a minute late.
    if category in (CHANGE, CANCEL):
        operations.can_ask(reservation).require()
    if category == CANCEL:
        _require_first_request(reservation)
    return reservation.number


def _require_first_request(reservation: Reservation) -> None:
    """Refuse to ask twice for the same cancellation. Raises RuleBroken."""
    asked = inquiries.open_request(reservation.account_id, CANCEL, reservation.number)
    if asked:
        raise RuleBroken(_ASKED_ALREADY, field="about", number=asked.number)


def facts(tenant: Tenant, who: SignedIn, category: str, number: str) -> Iterator[tuple[str, str]]:
    """Which reservation it is; for a cancellation what it would cost today, of each where none is
    chosen yet.
    """
    if number:
        reservation = queries.reservation(who.account_id, number)
        yield _("対象のご予約"), _in_words(reservation)
        if category == CANCEL:
            yield _(_CHARGE), charge_in_words(tenant, reservation)
    elif category == CANCEL:
        for reservation in queries.changeable(who.account_id):
            charge = charge_in_words(tenant, reservation)
            yield reservation.number, f"{_(_CHARGE)}{_('：')}{charge}"


def opening(tenant: Tenant) -> tuple[str, str]:
    """From when to when facilities are used, as clock times."""
    config: FacilityConfig = tenant.section("facility")
    return config.opening, config.closing


def charge_in_words(tenant: Tenant, reservation: Reservation) -> str:
    """What a cancellation costs today: yen and percent, or that it costs nothing."""
    percent = operations.cancellation_percent(tenant, reservation)
    charge = operations.cancellation_charge(tenant, reservation)
    if not percent:
        return _("かかりません")
    share = _("ご利用料金の%(n)s%%", n=percent)
    # The share is no amount: it says what is at stake to those who see none.
    if charge is None or not amounts.may_see():
        return share
    return f"{amounts.written(charge)}（{share}）"


def _in_words(reservation: Reservation) -> str:
    when = from_to(reservation.starts_at, reservation.ends_at)
    return f"{reservation.number}　{reservation.facility_name}　{when}"
