"""Facility rental by the hour: customers reserve machines and rooms, use them, and are billed
afterwards (FAC).
"""

from sqlalchemy import and_

from portal.blueprints.facility import operations, queries, routes, subjects
from portal.blueprints.facility.cli import commands
from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.models import Reservation, Status
from portal.core import PageLink, gettext_noop
from portal.shared.accounts.models import Right
from portal.shared.notifications import Kind as MailKind
from portal.shared.orders.hooks import OpenKind, account_hooks
from portal.shared.orders.queries import is_unpaid
from portal.web.brand import Brand, CalendarSource, InquiryWords, NavItem

_CANCEL = gettext_noop(
    "ご利用にならない場合は、各ご予約のページからキャンセルをお申し込みください。"
)
_WAIT = gettext_noop("ご利用とご請求金額の確定が済むまで、お待ちください。")
_OPEN_KINDS = (
    *(
        OpenKind(
            criterion=Reservation.status == status,
            message=gettext_noop("「%(status)s」のご予約が%(count)s件あります。"),
            remedy=remedy,
            link=PageLink("facility.reservations", {"status": status}),
            status=status.label,
        )
        for status, remedy in (
            (Status.REQUESTED, _CANCEL),
            (Status.CONFIRMED, _CANCEL),
            (Status.IN_USE, _WAIT),
            (Status.USED, _WAIT),
        )
    ),
    OpenKind(
        criterion=and_(*is_unpaid(Reservation)),
        message=gettext_noop("お支払い待ちのご予約が%(count)s件あります。"),
        remedy=gettext_noop(
            "お支払いの確認後に退会できます。お振込先は各ご予約のページにあります。"
        ),
        link=PageLink("facility.reservations", {"payment": "unpaid"}),
    ),
)
"""What keeps an account from leaving (COM-16), kind by kind as the list of reservations can show
it.
"""
BRAND = Brand(
    key="facility",
    config=FacilityConfig,
    billing=operations.BILLING,
    blueprint=routes.bp,
    navigation=(
        NavItem("ご利用履歴", "history", "facility.reservations", primary=True),
        NavItem("設備のご予約", "calendar-days", "facility.facilities"),
        NavItem("帳票", "file-text", "documents.index", right=Right.BILLING),
        NavItem("担当者の管理", "users", "account.member_list", feature="contacts"),
        NavItem(
            "請求書送付先の管理",
            "receipt-text",
            "contacts.address_list",
            values={"kind": "billing"},
            feature="billing_addresses",
        ),
        NavItem(
            "お問い合わせ",
            "circle-help",
            "inquiries.inquiry_form",
            primary=True,
            feature="inquiries",
            right=Right.SUPPORT,
        ),
    ),
    numbers={"reservation": "R"},
    dangling=queries.dangling,
    home=routes.home,
    attention=routes.attention,
    home_template="facility/_list.html",
    home_title="ご利用履歴の一覧",
    calendar=CalendarSource(gettext_noop("ご予約"), "reservations", queries.calendar_events),
    moved=("reservations", "facilities"),
    commands=commands,
    mail_kinds=(MailKind.STATUS, MailKind.REMINDERS),
    account=account_hooks(
        Reservation,
        open_kinds=_OPEN_KINDS,
        columns={
            "予約番号": "number",
            "設備": "facility_name",
            "開始": "starts_at",
            "終了": "ends_at",
            "ステータス": "status",
            "ご利用目的": "purpose",
            "ご請求金額": "total",
        },
        personal=("purpose",),
    ),
    history={
        "reservation.correct": gettext_noop("ご請求内容の訂正"),
        "reservation.edit_copies": gettext_noop("ご予約の記載内容の訂正"),
        "reservation.refund": gettext_noop("ご請求金額の返還"),
        "reservation.book": gettext_noop("ご予約の受付"),
        "reservation.confirmed": gettext_noop("ご予約の確定"),
        "reservation.cancelled": gettext_noop("ご予約のキャンセル"),
        "reservation.reschedule": gettext_noop("ご利用日時の変更"),
        "reservation.pay_charge": gettext_noop("キャンセル料のご入金"),
    },
    tick=operations.work,
    subjects=subjects.changeable,
    inquiry_words=InquiryWords(form=gettext_noop("お問い合わせ")),
    rights=(Right.ORDERS, Right.BILLING),
    find_subject=subjects.find,
    subject_facts=subjects.facts,
    opening=subjects.opening,
)
