"""A product's support desk: contracts, and who of a customer may ask (SUP)."""

from portal.blueprints.support import asking, leaving, operations, queries, routes
from portal.blueprints.support.cli import commands
from portal.blueprints.support.config import SupportConfig
from portal.core.errors import gettext_noop
from portal.shared.accounts.models import Right
from portal.shared.auth.sessions import SignedIn
from portal.web.brand import Brand, InquiryWords, NavItem


def _subjects(who: SignedIn) -> list[tuple[str, str]]:
    """The contracts that this member may ask about (SUP-10)."""
    return list(asking.subjects(who.account_id, who.member_id).items())


BRAND = Brand(
    key="support",
    config=SupportConfig,
    blueprint=routes.bp,
    navigation=(
        NavItem(
            "ご契約と担当者",
            "file-text",
            "support.contracts",
            primary=True,
            short=gettext_noop("ご契約"),
        ),
        NavItem(
            "マイアクティビティ",
            "history",
            "inquiries.index",
            primary=True,
            short=gettext_noop("履歴"),
            feature="inquiries",
        ),
        NavItem(
            "Webから問い合わせ",
            "circle-help",
            "inquiries.inquiry_form",
            primary=True,
            short=gettext_noop("問い合わせ"),
            feature="inquiries",
            right=Right.SUPPORT,
        ),
        NavItem(
            "チャットで問い合わせ",
            "message-square",
            "chats.start",
            feature="chat",
            right=Right.SUPPORT,
        ),
        NavItem("ナレッジ", "book-open", "knowledge.index", feature="knowledge"),
    ),
    dangling=queries.dangling,
    home=routes.home,
    home_template="support/_contracts.html",
    home_lead="support/_lead.html",
    home_title="ご契約と担当者",
    moved=("contracts",),
    commands=commands,
    account=leaving.HOOKS,
    asking=asking.RULE,
    limits=(operations.CONTACT_LIMIT, asking.CHAT_LIMIT),
    numbers={"contract": "CT"},
    texts=("purposes",),  # what contacts' data are used for (SUP-17)
    rights=(),
    history={
        "contract.add": gettext_noop("ご契約の登録"),
        "contract.add_unit": gettext_noop("ご契約内容の追加"),
        "contract.end_unit": gettext_noop("ご契約内容の終了"),
        "contract.add_contact": gettext_noop("問い合わせご担当者の登録"),
        "contract.edit_contact": gettext_noop("問い合わせご担当者の変更"),
        "contract.remove_contact": gettext_noop("問い合わせご担当者の削除"),
        "contract.hand_over": gettext_noop("主担当の変更"),
    },
    subjects=_subjects,
    inquiry_words=InquiryWords(
        form=gettext_noop("Webから問い合わせ"), history=gettext_noop("マイアクティビティ")
    ),
    writers=lambda who: queries.people(who.member_id),
    products=queries.products,
    product_keys=lambda tenant: [product.key for product in tenant.section("support").products],
)
