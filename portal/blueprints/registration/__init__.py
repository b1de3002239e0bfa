"""新規会員登録: the form, the code that was mailed, the link beside it (MOLD-01)."""

from flask import Blueprint, flash, redirect
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField
from wtforms.validators import InputRequired

from portal.blueprints.account.forms import ProfileForm
from portal.blueprints.auth.forms import SetPasswordForm, email_field
from portal.core.errors import RuleBroken
from portal.shared.auth import registration
from portal.shared.auth.links import DeadLink
from portal.shared.auth.registration import Application
from portal.web.errors import refused, said
from portal.web.forms import Form, line
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import client, link_base, public, tenant

bp = Blueprint("registration", __name__, url_prefix="/register")
_FORM, _CODE, _LINK, _DEAD = (
    "registration/form.html",
    "registration/code.html",
    "registration/link.html",
    "auth/dead_link.html",
)


class RegistrationForm(ProfileForm, SetPasswordForm):
    """Who registers: what to sign in with, and the profile."""

    version = account_version = None
    email = email_field(_l("メールアドレス"))
    agreed = BooleanField(
        _l("利用規約とプライバシーポリシーに同意する"), validators=[InputRequired(_l("同意が必要です。"))]
    )


class CodeForm(Form):
    """認証コードを入力."""

    code = line(_l("認証コード"), required=True, longest=30, render_kw={"autocomplete": "one-time-code"})


@bp.before_request
def _offered_only() -> None:
    if not tenant().sign_in.registration:
        raise NotFound


@bp.route("", methods=["GET", "POST"])
@public
def register() -> str | Response:
    """入力. The answer is the same whoever has the address already (security.md §4.2)."""
    form = RegistrationForm()
    if not form.is_submitted() or form.filled_in():
        return render(_FORM, form=form)
    if not form.validate():
        return render_invalid(_FORM, form=form)
    data = {name: value for name, value in form.typed().items() if name not in ("email", "agreed")}
    given = Application(form.email.data, data, form.password.data)
    try:
        handle = registration.apply(tenant(), given, client(), link_base=link_base())
    except RuleBroken as error:
        return refused(_FORM, form, error)
    return redirect(f"/register/{handle}", 303)


@bp.route("/<handle>", methods=["GET", "POST"])
@public
def code(handle: str) -> str | Response:
    """認証コードを入力."""
    form = CodeForm()
    try:
        waiting = registration.waiting(handle)
        shown = {"handle": handle, "email": waiting.email}
        if not form.is_submitted():
            return render(_CODE, form=form, **shown)
        if not form.validate():
            return render_invalid(_CODE, form=form, **shown)
        registration.activate_by_code(tenant(), handle, form.code.data, client())
    except DeadLink:
        return render_invalid(_DEAD)
    except RuleBroken as error:
        return refused(_CODE, form, error, **shown)
    return _welcome()


@bp.post("/<handle>/code")
@public
def send_code_again(handle: str) -> Response:
    """認証コードを再送する."""
    try:
        registration.send_again(tenant(), handle, link_base=link_base())
    except DeadLink:
        return render_invalid(_DEAD)
    except RuleBroken as error:
        flash(said(error), "warn")
    else:
        flash(_("認証コードを再送しました。最新のメールに記載のコードを入力してください。"), "ok")
    return redirect(f"/register/{handle}", 303)


@bp.route("/activate/<token>", methods=["GET", "POST"])
@public
def activate(token: str) -> str | Response:
    """Behind the mailed link: a scanner's look activates nothing (security.md §4.12)."""
    form = Form()
    try:
        email = registration.peek(token).email
        if not form.validate_on_submit():
            return render(_LINK, form=form, email=email)
        registration.activate_by_link(tenant(), token, client())
    except DeadLink:
        return render_invalid(_DEAD)
    return _welcome()


def _welcome() -> Response:
    flash(_("会員登録が完了しました。ご登録のメールアドレスとパスワードでログインしてください。"), "ok")
    return redirect("/sign-in", 303)
