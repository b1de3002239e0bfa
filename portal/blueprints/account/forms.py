"""The profile form: the person's own data, and the account's, which only the representative changes."""

from __future__ import annotations

from typing import Any

from wtforms import HiddenField, SelectField
from wtforms.validators import AnyOf, InputRequired, Optional

from portal.blueprints.auth.forms import email_field
from portal.core import text
from portal.web.forms import PREFECTURES, Form, choices, cleaned, line, version_number
from portal.web.i18n import lazy as _l

ACCOUNT_FIELDS = (
    "account_name",
    "account_kana",
    "postal_code",
    "prefecture",
    "city",
    "street",
    "building",
    "account_telephone",
)
_KANA = _l("全角カタカナで入力してください。")
_TELEPHONE = _l("電話番号は10桁または11桁の数字で入力してください。")


_WRITTEN = {
    "postal_code": text.format_postal_code,
    "telephone": text.format_telephone,
    "account_telephone": text.format_telephone,
}


class _Company(Form):
    """The account's data."""

    account_name = line(_l("会社名・お名前"), required=True)
    account_kana = cleaned(_l("会社名・お名前（カナ）"), text.katakana, _KANA, longest=100)
    postal_code = cleaned(
        _l("郵便番号"),
        text.postal_code,
        _l("郵便番号は7桁の数字で入力してください。"),
        required=True,
        render_kw={"autocomplete": "postal-code", "inputmode": "numeric"},
    )
    prefecture = SelectField(
        _l("都道府県"),
        choices=choices(zip(PREFECTURES, PREFECTURES, strict=True), _l("選択してください")),
        validators=[InputRequired(_l("選択してください。")), AnyOf(PREFECTURES, _l("選択してください。"))],
        render_kw={"autocomplete": "address-level1"},
    )
    city = line(_l("市区町村"), required=True, longest=60)
    street = line(_l("町名・番地"), required=True)
    building = line(_l("建物名・部屋番号"))
    account_telephone = cleaned(
        _l("代表電話番号"), text.telephone, _TELEPHONE, required=True, render_kw={"inputmode": "tel"}
    )


class _Named(Form):
    """Who somebody is, and how they are reached."""

    family_name = line(_l("姓"), required=True, longest=40)
    given_name = line(_l("名"), required=True, longest=40)
    family_kana = cleaned(_l("セイ"), text.katakana, _KANA, longest=60)
    given_kana = cleaned(_l("メイ"), text.katakana, _KANA, longest=60)
    department = line(_l("部署名"), longest=80)
    telephone = cleaned(
        _l("電話番号"), text.telephone, _TELEPHONE, render_kw={"inputmode": "tel", "autocomplete": "tel"}
    )

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of every visible field, for the confirm page."""
        shown = (f for f in self if f.type not in ("CSRFTokenField", "HiddenField"))
        return [(str(f.label.text), _WRITTEN.get(f.name, str)(f.data or "")) for f in shown]


class PersonForm(_Named):
    """A member to be: who they are, and what they sign in with."""

    login_id = line(_l("ログインID"), required=True, longest=60)
    email = email_field(_l("メールアドレス"))


def person_form(items: str, data: dict[str, Any] | None) -> PersonForm:
    """The form for a member of a brand whose sign-in asks for `items`; a login ID is asked for where each has one."""
    form = PersonForm(data=data)
    if items != "login_id_password":
        del form.login_id
    return form


class ProfileForm(_Company, _Named):
    """会員情報."""

    version = HiddenField(filters=[version_number])
    account_version = HiddenField(filters=[version_number])

    def lock_account(self, present: dict[str, Any]) -> None:
        """A member who is not the representative sees the account's data but cannot change it."""
        for name in ACCOUNT_FIELDS:
            field = self[name]
            field.data = present[name]
            field.render_kw = {**(field.render_kw or {}), "readonly": True}
            field.validators = [Optional()]
            field.flags.locked = True
