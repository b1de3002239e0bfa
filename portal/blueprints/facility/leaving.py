"""A facility's part in an account's life: what is open, what it keeps, what of that is personal (COM-16, FAC-07)."""

from collections.abc import Iterator

from sqlalchemy import and_, or_, select

from portal.blueprints.facility.models import Reservation, Status
from portal.core import csvio
from portal.core.db import change, session
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.shared.auth.models import Account
from portal.shared.documents import operations as documents

HISTORY = {
    "reservation.correct": msgid("ご請求内容の訂正"),
    "reservation.book": msgid("ご予約の受付"),
    "reservation.confirmed": msgid("ご予約の確定"),
    "reservation.cancelled": msgid("ご予約のキャンセル"),
    "reservation.reschedule": msgid("ご利用日時の変更"),
    "reservation.pay_charge": msgid("キャンセル料のご入金"),
    "calendar.renew": msgid("カレンダーのアドレスの発行"),
    "calendar.revoke": msgid("カレンダーのアドレスの無効化"),
}
_OWED = and_(Reservation.status == Status.CANCELLED, Reservation.total > 0, Reservation.paid_at.is_(None))
_UNFINISHED = or_(Reservation.status.not_in((Status.PAID, Status.CANCELLED)), _OWED)
_OPEN = msgid("ご予約 %(number)s（%(status)s）")
_CONTACT = dict.fromkeys(("name", "department", "telephone", "email"), "")
_BILLING = dict.fromkeys(("department", "person", "postal_code", "address"), "")
_HEADER = ("予約番号", "設備", "開始", "終了", "ステータス", "ご利用目的", "ご請求金額")


def open_business(_tenant: Tenant, account: Account) -> Iterator[RuleBroken]:
    """Reservations that are neither paid nor cancelled, and cancellations whose charge is owed."""
    own = Reservation.account_id == account.id, _UNFINISHED
    for found in session().scalars(
        select(Reservation).where(*own).order_by(Reservation.starts_at, Reservation.id).limit(20)
    ):
        yield RuleBroken(_OPEN, number=found.number, status=RuleBroken(found.status.label))


def papers(_tenant: Tenant, account: Account) -> Iterator[tuple[str, bytes]]:
    """The reservations, and every document that was issued for them."""
    own = select(Reservation).where(Reservation.account_id == account.id).order_by(Reservation.booked_at)
    rows = (
        (r.number, r.facility_name, r.starts_at, r.ends_at, r.status.label, r.purpose, r.total)
        for r in session().scalars(own)
    )
    yield "reservations.csv", b"".join(csvio.write_csv(rows, _HEADER))
    yield from documents.all_of(account.id)


def erase(account: Account) -> None:
    """Take the persons off its reservations; what was used and paid, and its documents, stay."""
    billing = _BILLING | {"name": account.number}
    emptied = {"contact": _CONTACT, "billing": billing, "remarks": "", "purpose": ""}
    change(Reservation, Reservation.account_id == account.id, **emptied)
