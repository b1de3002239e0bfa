"""The demo's announcements."""

from datetime import timedelta

from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.shared.notices import operations

_HOLIDAYS = """誠に勝手ながら、**12月29日から1月4日まで**休業いたします。

休業中にいただいたご連絡には、1月5日以降に順次お返事します。"""
_INVOICES = """\
請求金額が確定したご利用の請求書を、マイページからPDFでダウンロードできるようになりました。

1. 予約番号を開く
2. 「請求書発行」を押す"""
_DATA = "ご担当者や電話番号に変更がある場合は、「会員情報の変更」からお手続きください。"
_NEW = "スマートフォンでもご利用いただきやすい画面になりました。"
_NOTICES = (
    (2, "年末年始の営業日について", True, "", _HOLIDAYS),
    (9, "請求書PDFのダウンロードについて", False, "機能", _INVOICES),
    (30, "会員情報のご確認のお願い", False, "お願い", _DATA),
    (75, "マイページを新しくしました", False, "機能", _NEW),
)


def fill(tenant: Tenant) -> None:
    """Publish the announcements in the tenant in scope. The caller commits."""
    for days, title, important, category, body in reversed(_NOTICES):
        if body is _INVOICES and "facility" not in tenant.modules:
            continue  # only where there are documents to download
        operations.publish(
            title,
            body,
            by=SYSTEM,
            category=category,
            is_important=important,
            publish_at=clock.now() - timedelta(days=days),
        )
