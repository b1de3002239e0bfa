"""What a reservation is billed for, as its invoice says it (FAC-04, FAC-05, COM-71)."""

from portal.blueprints.facility.models import Reservation
from portal.core import clock
from portal.shared.invoicing.items import ItemDraft


def use_item(reservation: Reservation) -> ItemDraft:
    """What a use is billed as. One over midnight is traded when it ended."""
    # The trade is dated when the use ended; where it began on another day, the invoice says both.
    first = clock.to_local(reservation.began_at).date()
    facts = [("予約番号", reservation.number)]
    if first != reservation.traded_on:
        facts.append(("ご利用開始日", f"{first.year}年{first.month}月{first.day}日"))
    return ItemDraft(
        account_id=reservation.account_id,
        order_kind=Reservation.__tablename__,
        about=reservation.number,
        title=f"{reservation.facility_name} ご利用料金",
        traded_on=reservation.traded_on,
        billing=reservation.billing,
        contact=reservation.contact,
        day_label="ご利用日",
        facts=tuple(facts),
    )


def charge_item(reservation: Reservation) -> ItemDraft:
    """What a cancellation of today is billed as."""
    return ItemDraft(
        account_id=reservation.account_id,
        order_kind=Reservation.__tablename__,
        about=reservation.number,
        title=f"{reservation.facility_name} キャンセル料",
        traded_on=clock.today(),
        billing=reservation.billing,
        contact=reservation.contact,
        day_label="キャンセル日",
        facts=(("予約番号", reservation.number),),
    )
