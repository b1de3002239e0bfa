"""What the page of one reservation says, label by label (FAC-03). Amounts are whole yen."""

from collections.abc import Sequence
from typing import Any

from portal.blueprints.facility import operations, subjects
from portal.blueprints.facility.forms import quote_rows
from portal.blueprints.facility.models import Reservation, Status
from portal.blueprints.facility.quotes import quote
from portal.config import Tenant
from portal.core import format_telephone, to_local
from portal.shared.accounts.models import Right
from portal.shared.auth.sessions import SignedIn
from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import RateTotal
from portal.shared.documents import operations as documents
from portal.shared.invoicing.items import totals_of
from portal.shared.invoicing.models import CreditNote
from portal.shared.invoicing.queries import OrderMoney
from portal.web import amounts
from portal.web.formatting import at_time, from_to, on_date
from portal.web.i18n import translate as _

Rows = list[tuple[str, str]]


def context(tenant: Tenant, who: SignedIn, reservation: Reservation) -> dict[str, Any]:
    """Everything that the page shows of the reservation itself, for the member who reads it."""
    # A cancellation is no step on the way: the page shows it beside the track.
    track = [status for status in Status if status is not Status.CANCELLED]
    can_ask = operations.can_ask(reservation)
    money = operations.money(reservation)
    lines = operations.BILLING.lines(reservation)
    return {
        "reservation": reservation,
        "track": track,
        "track_labels": [_(status.label) for status in track],
        "owed": money.owed,
        "is_overdue": operations.is_overdue(reservation),
        "owed_rows": _owed_rows(tenant, reservation, money),
        "can_ask": can_ask,
        # A right of its own: whoever lacks it sees the order, and no yen of it.
        "sees_amounts": amounts.may_see(),
        "may_ask": who.may(Right.SUPPORT) and can_ask,
        "ask_forms": _ask_forms(),
        "message_category": tenant.inquiries.categories[-1].key,
        "charge": subjects.charge_in_words(tenant, reservation),
        "booking_rows": _booking_rows(reservation),
        "use_rows": _use_rows(reservation),
        "quote_rows": _quote_rows(tenant, reservation),
        "payment_rows": _payment_rows(tenant, reservation, money),
        "credit_notes": _drawn(reservation, money.notes),
        "lines": lines,
        "total_rows": _total_rows(tenant, lines),
        "billing_rows": _billing_rows(reservation),
        "contact_rows": _contact_rows(reservation),
    }


def _ask_forms() -> Rows:
    return [
        (subjects.CHANGE, _("変更申込フォーム")),
        (subjects.CANCEL, _("キャンセル申込フォーム")),
    ]


def _drawn(reservation: Reservation, notes: Sequence[CreditNote]) -> list[str]:
    """The numbers of those credit notes whose document can be had."""
    numbers = [note.number for note in notes]
    # One that is still being drawn would be a link to a refusal.
    issued = documents.numbered(reservation.account_id, numbers) if numbers else []
    return [document.number for document in issued if document.sha256]


def _owed_rows(tenant: Tenant, reservation: Reservation, money: OrderMoney) -> Rows:
    """What is to be paid, until when and where to."""
    if not money.owed:
        return []
    rows = [
        (_payment_status(reservation, money), amounts.written(money.owed)),
        (_("お支払期限"), on_date(reservation.due_date)),
    ]
    return [*rows, *_bank_rows(tenant)]


def _bank_rows(tenant: Tenant) -> Rows:
    return [(_("お振込先"), tenant.issuer.bank)] if tenant.issuer.bank else []


def _booking_rows(reservation: Reservation) -> Rows:
    rows = [
        (_("予約番号"), reservation.number),
        (_("予約完了日時"), at_time(reservation.booked_at)),
        (_("予約確定日時"), at_time(reservation.confirmed_at)),
    ]
    if reservation.cancelled_at:
        rows.append((_("キャンセル日時"), at_time(reservation.cancelled_at)))
    return rows


def _use_rows(reservation: Reservation) -> Rows:
    rows = [
        (_("設備"), reservation.facility_name),
        (_("ご利用日時"), from_to(reservation.starts_at, reservation.ends_at)),
        (_("オプション"), "、".join(reservation.options)),
        (_("ご利用人数"), _("%(n)s名", n=reservation.headcount)),
        (_("ご利用目的"), reservation.purpose),
        (_("備考"), reservation.remarks),
    ]
    booked = reservation.starts_at, reservation.ends_at
    # Only where they differ: the same times twice would look like a mistake.
    if reservation.finished_at and (reservation.began_at, reservation.ended_at) != booked:
        used = from_to(reservation.began_at, reservation.ended_at)
        rows.insert(2, (_("実際のご利用日時"), used))
    if reservation.price is not None:
        rows.append((_("料金（税抜）"), amounts.written(reservation.price)))
    return rows


def _quote_rows(tenant: Tenant, reservation: Reservation) -> Rows:
    """What the use was quoted at, until its amount is fixed."""
    is_fixed = reservation.total is not None or reservation.cancelled_at is not None
    if is_fixed or reservation.price is None or not amounts.may_see():
        return []
    made = quote(
        tenant,
        reservation.price,
        reservation.options,
        reservation.option_prices,
        to_local(reservation.starts_at).date(),
    )
    return quote_rows(made)


def _payment_rows(tenant: Tenant, reservation: Reservation, money: OrderMoney) -> Rows:
    rows = [
        (_("お支払方法"), _(reservation.payment_method)),
        (_("お支払期限"), on_date(reservation.due_date)),
        (_("ご請求金額"), _amount(reservation)),
        (_("お支払い状況"), _payment_status(reservation, money)),
    ]
    rows += _movement_rows(money)
    if money.owed:
        rows += _bank_rows(tenant)
    return rows


def _movement_rows(money: OrderMoney) -> Rows:
    """What was received, what was given back, and what is too much, where that is worth saying."""
    rows = [(_("ご請求の減額"), _credit(note)) for note in money.notes]
    for payment in money.payments:
        paid = _(
            "%(amount)s（%(day)s）",
            amount=amounts.written(payment.amount),
            day=on_date(payment.received_on),
        )
        rows.append((_("ご入金"), paid))
        if payment.refunded:
            rows.append((_("ご返金"), amounts.written(payment.refunded)))
    if money.overpaid:
        rows.append((_("ご返金予定"), amounts.written(money.overpaid)))
    if money.payments and money.owed:
        rows.append((_("未入金の金額"), amounts.written(money.owed)))
    return rows


def _credit(note: CreditNote) -> str:
    """How much less is asked since when, and the number of the document that says so."""
    return _(
        "%(amount)s（%(day)s、返金明細書 %(number)s）",
        amount=amounts.written(note.total),
        day=on_date(note.credited_at),
        number=note.number,
    )


def _amount(reservation: Reservation) -> str:
    if reservation.total is not None:
        return amounts.written(reservation.total)
    if reservation.cancelled_at:
        return _("キャンセル料はかかりません")
    return _("ご利用後に確定します")


def _payment_status(reservation: Reservation, money: OrderMoney) -> str:
    if operations.is_overdue(reservation):
        return _("お支払期限超過")
    if money.owed:
        return _("一部お支払い済み") if money.received else _("お支払い待ち")
    if money.is_pending:
        return _("締め日にご請求")
    if reservation.paid_at:
        return _("お支払済")
    return _("お支払いはありません") if reservation.total == 0 else _("未確定")


def _total_rows(tenant: Tenant, lines: Sequence[BillLine]) -> Rows:
    """Subtotal, tax per rate and total, reckoned as on the invoice: rounded once per rate."""
    totals = totals_of(tenant, lines)
    rates = [(_tax_label(rate), amounts.written(rate.tax)) for rate in totals.per_rate]
    return [
        (_("小計（税抜）"), amounts.written(totals.net)),
        *rates,
        (_("合計（税込）"), amounts.written(totals.total)),
    ]


def _tax_label(rate: RateTotal) -> str:
    """Which amount is taxed at which rate; what bears no tax is 対象外, as on the invoice."""
    net = amounts.written(rate.net)
    if not rate.rate:
        return _("消費税（対象外 %(net)s）", net=net)
    return _("消費税（%(rate)s%%対象 %(net)s）", rate=_rate(rate.rate, rate.reduced), net=net)


def _rate(percent: int, is_reduced: bool) -> str:
    """The rate as the lines are marked with it: ※ stands for the reduced one."""
    return f"※{percent}" if is_reduced else str(percent)


def _billing_rows(reservation: Reservation) -> Rows:
    billing = reservation.billing
    return [
        (_("請求先"), billing.get("name", "")),
        (_("部署名"), billing.get("department", "")),
        (_("ご担当者"), billing.get("person", "")),
        (_("住所"), billing.get("address", "")),
    ]


def _contact_rows(reservation: Reservation) -> Rows:
    contact = reservation.contact
    return [
        (_("お名前"), contact.get("name", "")),
        (_("部署名"), contact.get("department", "")),
        (_("電話番号"), format_telephone(contact.get("telephone", ""))),
        (_("メールアドレス"), contact.get("email", "")),
    ]
