"""The forms of coming in."""

from collections.abc import Collection

from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, ValidationError

from portal.core import text
from portal.web.address import telephone_field
from portal.web.forms import Form, cleaned, code_line
from portal.web.i18n import Label
from portal.web.i18n import lazy as _l
from portal.web.validators import MaxLength


def password_field(
    label: Label, autocomplete: str, check: MaxLength | EqualTo | None = None
) -> PasswordField:
    """A password as typed: never normalised, at most as long as hashing bears, where no other
    `check` is given.
    """
    # Hashing costs time for each character: a password of a megabyte would hold up everybody.
    check = check or MaxLength(256)
    return PasswordField(
        label,
        validators=[InputRequired(_l("入力してください。")), check],
        render_kw={"autocomplete": autocomplete},
    )


def email_field(label: Label) -> StringField:
    """An e-mail address."""
    return cleaned(
        label,
        text.email,
        _l("メールアドレスの形式が正しくありません。"),
        required=True,
        render_kw={"autocomplete": "email", "inputmode": "email"},
    )


class NewEmailForm(Form):
    """A new e-mail address, twice."""

    email = email_field(_l("新しいメールアドレス"))
    again = email_field(_l("新しいメールアドレス（確認）"))

    def validate_again(self, field: StringField) -> None:
        """Both are the same."""
        if field.data != self.email.data:
            raise ValidationError(_l("メールアドレスが一致しません。"))


class _LoginId(Form):
    login_id = code_line(
        _l("ログインID"), required=True, longest=60, render_kw={"autocomplete": "username"}
    )


class _Email(Form):
    email = email_field(_l("メールアドレス"))


class AskingForm(_LoginId, _Email):
    """Who somebody is, by these of its items only; passwords are asked for in any case."""

    def __init__(self, asked: Collection[str]) -> None:
        super().__init__()
        # `typed` leaves passwords out, so they stay.
        for name in self.typed().keys() - set(asked):
            del self[name]


class SignInForm(AskingForm):
    """The tenant's items (COM-10)."""

    password = password_field(_l("パスワード"), "current-password")


class _SecondStepForm(Form):
    code = code_line(
        _l("認証コード"),
        required=True,
        longest=20,
        render_kw={"autocomplete": "one-time-code", "size": "12"},
    )
    trust = BooleanField(_l("この端末では次回から省略する"))


def second_step_form(days: int) -> _SecondStepForm:
    """The form for the code, and whether to leave this step out on this browser, for so many
    `days`.
    """
    form = _SecondStepForm()
    if not days:
        del form.trust
    return form


class SetPasswordForm(Form):
    """A new password, twice."""

    password = password_field(_l("新しいパスワード"), "new-password")
    _same = EqualTo("password", _l("パスワードが一致しません。"))
    again = password_field(_l("新しいパスワード（確認）"), "new-password", _same)


class ProvedPasswordForm(_Email, SetPasswordForm):
    """A new password and the present e-mail address, where a link alone is not enough (SHOP-02)."""


class ForgottenForm(AskingForm):
    """Who forgot the password."""

    telephone = telephone_field(_l("ご連絡先電話番号"), required=True)


class ChangePasswordForm(SetPasswordForm):
    """A new password and the present one."""

    first = ("old_password",)
    old_password = password_field(_l("現在のパスワード"), "current-password")


class ProofForm(Form):
    """The present password alone, for what matters."""

    password = password_field(_l("現在のパスワード"), "current-password")
