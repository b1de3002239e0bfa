"""変更履歴: what was done with an account, from the audit trail, as its members may see it
(COM-90).
"""

from collections.abc import Mapping

from portal.core import LONGEST_SUBJECT, AuditEvent, Query, gettext_noop
from portal.shared.auth.sessions import SignedIn
from portal.shared.searching import (
    Criterion,
    Keywords,
    Search,
    among,
    keywords,
    own,
    same,
    since,
    until,
)

# What is not here members do not see: tags, imports and the like are the brand's own business.
LABELS = {
    "account.add": gettext_noop("会員登録"),
    "account.representative": gettext_noop("代表の変更"),
    "account.withdraw": gettext_noop("退会"),
    "member.add": gettext_noop("担当者の追加"),
    "member.remove": gettext_noop("担当者の削除"),
    "member.profile": gettext_noop("会員情報の変更"),
    "member.ask_email_change": gettext_noop("メールアドレスの変更依頼"),
    "member.name_new_email": gettext_noop("新しいメールアドレスの確認"),
    "member.email": gettext_noop("メールアドレスの変更"),
    "member.set_password": gettext_noop("パスワードの変更"),
    "member.send_link": gettext_noop("パスワード設定依頼メールの送信"),
    "member.send_reset": gettext_noop("パスワード再設定メールの送信"),
    "member.second_factor": gettext_noop("二段階認証の変更"),
    "member.renew_recovery_codes": gettext_noop("リカバリーコードの再発行"),
    "member.use_recovery_code": gettext_noop("リカバリーコードの使用"),
    "member.trust_device": gettext_noop("二段階認証を省略する端末の登録"),
    "member.forget_device": gettext_noop("端末の登録の解除"),
    "member.passkey_added": gettext_noop("パスキーの登録"),
    "member.passkey_removed": gettext_noop("パスキーの削除"),
    "member.use_passkey": gettext_noop("パスキーの使用"),
    "member.reset_factor": gettext_noop("二段階認証の解除"),
    "account.merge": gettext_noop("会員の統合"),
    "account.take_in": gettext_noop("会員の統合"),
    "member.sign_in": gettext_noop("ログイン"),
    "member.sign_out": gettext_noop("ログアウト"),
    "member.end_session": gettext_noop("端末のログアウト"),
    "member.end_sessions": gettext_noop("すべての端末のログアウト"),
    "member.not_me": gettext_noop("「これは私ではありません」のお申し出"),
    "member.lock": gettext_noop("利用の停止"),
    "member.unlock": gettext_noop("利用の再開"),
    "member.export": gettext_noop("登録データのダウンロード"),
    "member.choose_mail": gettext_noop("メールの設定の変更"),
    "document.share": gettext_noop("帳票のリンクの送信"),
    "document.open_link": gettext_noop("帳票のリンクからのダウンロード"),
    "document.revoke_link": gettext_noop("帳票のリンクの無効化"),
}
# The bare table: a member with years of acts reads this list, and rows need not become objects.
_E = AuditEvent.__table__
AT = _E.c.at
TIE = _E.c.id
_SHOWN = ("id", "at", "actor_kind", "actor_name", "action", "subject", "address")


_CRITERIA: dict[str, Criterion | Keywords] = {
    "actions": among(_E.c.action),
    "own": same(_E.c.subject),
    "person": keywords(_E.c.actor_name),
    "since": since(_E.c.at),
    "until": until(_E.c.at),
}
_MINE = Search(own(_E, _SHOWN), _CRITERIA)


def actions_labelled(label: str, labels: Mapping[str, str]) -> list[str]:
    """The acts that members read as `label`: two sides of a merge, say, are one to them."""
    return [action for action, each in labels.items() if each == label]


def list_acts(
    who: SignedIn, labels: Mapping[str, str], *, what: str = "", **asked: object
) -> Query:
    """The account's acts for its representative, their own for anybody else.

    `labels` are the acts that members may see, and how they read them; `what` narrows them to those
    that read so. `asked` may have a `person` (part of the name), days `since` and `until`. Index:
    ix_audit_event_account.
    """
    asked["actions"] = actions_labelled(what, labels) if what else list(labels)
    if not who.is_representative:
        # The audit trail keeps no more of a subject than its column takes.
        asked["own"] = who.subject[:LONGEST_SUBJECT]
    return _MINE.find(asked, account=who.account_id)
