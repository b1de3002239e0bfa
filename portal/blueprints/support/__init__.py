"""A product's support desk: contracts, and who of a customer may ask (SUP)."""

from portal.blueprints.support import operations, queries, routes
from portal.blueprints.support.cli import commands
from portal.blueprints.support.config import SupportConfig
from portal.core.errors import msgid
from portal.shared.auth.models import Right
from portal.web.brand import Brand, NavItem

BRAND = Brand(
    key="support",
    config=SupportConfig,
    blueprint=routes.bp,
    navigation=(
        NavItem("ご契約と担当者", "file-text", "/contracts", primary=True, short=msgid("ご契約")),
        NavItem(
            "お問い合わせ履歴",
            "history",
            "/inquiries",
            primary=True,
            short=msgid("履歴"),
            feature="inquiries",
        ),
        NavItem(
            "お問い合わせ",
            "circle-help",
            "/inquiries/new",
            feature="inquiries",
            right=Right.SUPPORT,
        ),
        NavItem("チャット", "message-square", "/chat", feature="chat", right=Right.SUPPORT),
        NavItem("ナレッジ", "book-open", "/knowledge", feature="knowledge"),
    ),
    hanging=queries.hanging,
    home=routes.home,
    home_template="support/_contracts.html",
    home_title="ご契約と担当者",
    commands=commands,
    account=operations.PART,
    history={
        "contract.add": msgid("ご契約の登録"),
        "contract.add_unit": msgid("ご契約内容の追加"),
        "contract.end_unit": msgid("ご契約内容の終了"),
        "contract.add_contact": msgid("問い合わせご担当者の登録"),
        "contract.remove_contact": msgid("問い合わせご担当者の削除"),
        "contract.hand_over": msgid("主担当の変更"),
    },
    subjects=lambda who: [
        (c.number, f"{c.number}　{c.product_label}") for c in queries.contracts(who.account_id)
    ],
    writers=lambda who: queries.people(who.member_id),
    products=queries.products,
    product_keys=lambda tenant: [product.key for product in tenant.section("support").products],
)
