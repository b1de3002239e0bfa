"""変更履歴: what was done with an account, from the audit trail, as its members may see it (COM-90)."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement

from portal.core import LONGEST_SUBJECT, AuditEvent, Query, msgid
from portal.shared.auth.sessions import SignedIn
from portal.shared.searching import Criterion, Search, own, part, same, since, until

LABELS = {
    "account.add": msgid("会員登録"),
    "account.representative": msgid("代表の変更"),
    "account.withdraw": msgid("退会"),
    "member.add": msgid("担当者の追加"),
    "member.remove": msgid("担当者の削除"),
    "member.profile": msgid("会員情報の変更"),
    "member.ask_email_change": msgid("メールアドレスの変更依頼"),
    "member.name_new_email": msgid("新しいメールアドレスの確認"),
    "member.email": msgid("メールアドレスの変更"),
    "member.set_password": msgid("パスワードの変更"),
    "member.send_link": msgid("パスワード設定依頼メールの送信"),
    "member.send_reset": msgid("パスワード再設定メールの送信"),
    "member.second_factor": msgid("二段階認証の変更"),
    "member.renew_recovery_codes": msgid("リカバリーコードの再発行"),
    "member.use_recovery_code": msgid("リカバリーコードの使用"),
    "member.trust_device": msgid("二段階認証を省略する端末の登録"),
    "member.forget_device": msgid("端末の登録の解除"),
    "member.passkey_added": msgid("パスキーの登録"),
    "member.passkey_removed": msgid("パスキーの削除"),
    "member.use_passkey": msgid("パスキーの使用"),
    "member.reset_factor": msgid("二段階認証の解除"),
    "account.merge": msgid("会員の統合"),
    "account.take_in": msgid("会員の統合"),
    "member.sign_in": msgid("ログイン"),
    "member.sign_out": msgid("ログアウト"),
    "member.end_session": msgid("端末のログアウト"),
    "member.end_sessions": msgid("すべての端末のログアウト"),
    "member.not_me": msgid("「これは私ではありません」のお申し出"),
    "member.lock": msgid("利用の停止"),
    "member.unlock": msgid("利用の再開"),
    "member.export": msgid("登録データのダウンロード"),
    "member.choose_mail": msgid("メールの設定の変更"),
    "document.share": msgid("帳票のリンクの送信"),
    "document.open_link": msgid("帳票のリンクからのダウンロード"),
    "document.revoke_link": msgid("帳票のリンクの無効化"),
}
_E = AuditEvent.__table__
AT, TIE = _E.c.at, _E.c.id
_SHOWN = ("id", "at", "actor_kind", "actor_name", "action", "subject", "address")


def _is_one_of(asked: Any) -> ColumnElement[bool]:
    return _E.c.action.in_(asked)


def _as_they_are(asked: Collection[str]) -> list[str]:
    return list(asked)


_CRITERIA: dict[str, Criterion] = {
    "actions": (_is_one_of, _as_they_are),
    "own": same(_E.c.subject),
    "person": part(_E.c.actor_name),
    "since": since(_E.c.at),
    "until": until(_E.c.at),
}
_MINE = Search(own(_E, _SHOWN), _CRITERIA)


def actions_labelled(label: str, labels: Mapping[str, str]) -> list[str]:
    """The acts that members read as `label`: two sides of a merge, say, are one to them."""
    return [action for action, each in labels.items() if each == label]


def of(who: SignedIn, labels: Mapping[str, str], **asked: Any) -> Query:
    """The account's acts for its representative, their own for anybody else. Index: ix_audit_event_account.

    `labels` are the acts that members may see, and how they read them. `asked` narrows them: those read as `what`, by a
    `person` (part of the name), days `since` and `until`.
    """
    what = asked.pop("what", "")
    actions = actions_labelled(what, labels) if what else list(labels)
    own_only = None if who.is_representative else who.subject[:LONGEST_SUBJECT]
    return _MINE.find({**asked, "actions": actions, "own": own_only}, account=who.account_id)
