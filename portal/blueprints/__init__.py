"""The kinds of brand, each in a folder of its own; they never import one another."""

from portal.blueprints import facility, support
from portal.web.brand import Brand

_SALES = {"order": "EC", "quote": "Q"}
_MOLDS = {
    "マイページ": "My Account",
    "お客様マイページ": "My Account",
    "%(name)s様のマイページ": "%(name)s様のMy Account",
    "マイページへ戻る": "My Accountへ戻る",
    "新規会員登録": "My Accountの登録",
    "新規会員登録はこちら": "My Accountを作成",
    "会員情報の変更": "登録情報の確認と変更",
    "会員情報": "登録情報",
}
_RENTAL = {
    "会員情報の変更": "お客様情報設定",
    "会員情報": "お客様情報",
    "%(who)sの管理": "%(who)s管理",
    "%(who)sの一覧": "%(who)s一覧",
    "二段階認証": "多要素認証",
    "二段階認証の設定を変更しました。": "多要素認証の設定を変更しました。",
    "二段階認証の変更": "多要素認証の変更",
    "二段階認証の省略": "多要素認証の省略",
    "二段階認証の解除": "多要素認証の解除",
    "二段階認証を省略する端末の登録": "多要素認証を省略する端末の登録",
}
_SHOP = {
    "会員情報の変更": "お客様情報変更",
    "会員情報": "お客様情報",
    "会員の退会": "退会",
    "お届け先": "配送先",
}
"""What the customers of these brands call things, by the guides that they know."""

BRANDS: tuple[Brand, ...] = (
    facility.BRAND,
    Brand("molds", numbers=_SALES, words=_MOLDS),
    Brand("rental", numbers={"application": "A"}, words=_RENTAL),
    Brand("shop", numbers=_SALES, words=_SHOP),
    support.BRAND,
)
