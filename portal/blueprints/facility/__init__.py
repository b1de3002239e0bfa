"""Facility rental by the hour: customers reserve machines and rooms, use them, and are billed afterwards (FAC)."""

from portal.blueprints.facility import booking_routes as booking_routes
from portal.blueprints.facility import leaving, operations, routes
from portal.blueprints.facility.cli import commands
from portal.blueprints.facility.config import FacilityConfig
from portal.shared.auth.models import Right
from portal.shared.auth.parts import AccountPart
from portal.web.brand import Brand, NavItem

_ASK = NavItem("お問い合わせ", "circle-help", "/inquiries/new", primary=True, feature="inquiries", right=Right.SUPPORT)
BRAND = Brand(
    key="facility",
    config=FacilityConfig,
    blueprint=routes.bp,
    navigation=(
        NavItem("ご利用履歴", "history", "/reservations", primary=True),
        NavItem("設備のご予約", "calendar-days", "/facilities"),
        NavItem("帳票", "file-text", "/documents", right=Right.BILLING),
        NavItem("担当者の管理", "users", "/account/members", feature="contacts"),
        NavItem("請求書送付先の管理", "receipt-text", "/billing-addresses", feature="billing_addresses"),
        NavItem(
            "お問い合わせ", "circle-help", "/inquiries/new", primary=True, feature="inquiries", right=Right.SUPPORT
        ),
    ),
    home=routes.home,
    attention=routes.attention,
    home_template="facility/_list.html",
    home_title="ご利用履歴の一覧",
    commands=commands,
    account=AccountPart(open_business=leaving.open_business, papers=leaving.papers, erase=leaving.erase),
    history=leaving.HISTORY,
    tick=operations.remind,
)
