"""新規会員登録: the form, the code that was mailed, the link beside it (MOLD-01)."""

from flask import Blueprint, flash, redirect, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField
from wtforms.validators import InputRequired

from portal.pages.account.forms import ProfileForm
from portal.pages.auth.forms import SetPasswordForm, email_field, password_field
from portal.shared.auth.throttling import TooMany
from portal.shared.members import operations as members
from portal.shared.members import registration
from portal.web.errors import message_of
from portal.web.forms import Form, code_line
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.requests import client, public, tenant
from portal.web.submit import Answer, done, submit

bp = Blueprint("registration", __name__, url_prefix="/register")


class RegistrationForm(ProfileForm, SetPasswordForm):
    """Who registers: what to sign in with, and the profile."""

    first = ("email", "password", "again", "account_name", "account_kana", *members.PROFILE[:5])
    version = account_version = None  # there is no record yet that a save could be based on
    email = email_field(_l("メールアドレス"))
    agreed = BooleanField(
        _l("利用規約とプライバシーポリシーに同意する"),
        validators=[InputRequired(_l("同意が必要です。"))],
    )


class CodeForm(Form):
    """認証コードを入力."""

    code = code_line(
        _l("認証コード"), required=True, longest=30, render_kw={"autocomplete": "one-time-code"}
    )


@bp.before_request
def _offered_only() -> None:
    if not tenant().sign_in.registration:
        raise NotFound


class ActivationForm(Form):
    """The password that was chosen, from whoever opens the mailed link."""

    password = password_field(_l("ご登録時に入力したパスワード"), "current-password")


@bp.route("", methods=["GET", "POST"])
@public
def register() -> Answer:
    """入力. The answer is the same whoever has the address already (security.md §4.2)."""
    form = RegistrationForm()

    def apply() -> Answer:
        data = {
            name: value for name, value in form.typed().items() if name not in ("email", "agreed")
        }
        given = registration.Application(form.email.data, data, form.password.data)
        return _to_code(registration.apply(tenant(), given, client()))

    return submit("registration/form.html", form, apply)


@bp.route("/<handle>", methods=["GET", "POST"])
@public
def code(handle: str) -> Answer:
    """認証コードを入力."""
    form = CodeForm()
    email = registration.waiting(handle).email

    def activate() -> Answer:
        registration.activate_by_code(tenant(), handle, form.code.data, client())
        return _welcome()

    return submit("registration/code.html", form, activate, handle=handle, email=email)


@bp.post("/<handle>/code")
@public
def send_code_again(handle: str) -> Response:
    """認証コードを再送する."""
    try:
        registration.send_again(tenant(), handle)
    except TooMany as error:
        # A button beside the form has no field that could show the reason.
        flash(message_of(error), "warn")
        return _to_code(handle)
    return done(
        _("認証コードを再送しました。最新のメールに記載のコードを入力してください。"),
        url_for("registration.code", handle=handle),
    )


@bp.route("/activate/<token>", methods=["GET", "POST"])
@public
def activate(token: str) -> Answer:
    """Behind the mailed link: a scanner's look activates nothing (security.md §4.12)."""
    found = registration.peek(token)
    email = found.email
    company = found.data["account_name"]
    name = f"{found.data['family_name']} {found.data['given_name']}"
    form = ActivationForm()

    def press() -> Answer:
        registration.activate_by_link(tenant(), token, form.password.data, client())
        return _welcome()

    return submit("registration/link.html", form, press, email=email, company=company, name=name)


def _to_code(handle: str) -> Response:
    return redirect(url_for("registration.code", handle=handle), 303)


def _welcome() -> Response:
    return done(
        _("会員登録が完了しました。ご登録のメールアドレスとパスワードでログインしてください。"),
        url_for("auth.sign_in"),
    )
