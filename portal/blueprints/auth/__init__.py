"""Coming in and going out. What is asked is the tenant's choice (COM-10)."""

from flask import Blueprint, flash, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.blueprints.auth.forms import ProvedPasswordForm, SetPasswordForm, sign_in_form
from portal.core.errors import RuleBroken
from portal.shared.auth import operations, reset
from portal.shared.auth import sign_in as entrance
from portal.web.errors import refused
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import (
    actor,
    clear_session_cookie,
    client,
    device_token,
    let_in,
    link_base,
    member,
    public,
    tenant,
)
from portal.web.urls import local_path, second_step_url

bp = Blueprint("auth", __name__)


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> str | Response:
    """ログイン."""
    back_to = local_path(request.args.get("next"))
    form = sign_in_form(tenant().sign_in.items)
    if request.method != "POST":
        if current_user.is_authenticated:
            return redirect(back_to, 303)
        return render("auth/sign_in.html", form=form)
    if not form.validate():
        return render_invalid("auth/sign_in.html", form=form)
    try:
        entry = entrance.sign_in(
            tenant(),
            entrance.Credentials(**form.typed(), password=form.password.data),
            client(),
            link_base=link_base(),
            device_token=device_token(),
        )
    except RuleBroken as error:
        return refused("auth/sign_in.html", form, error)
    return let_in(redirect(second_step_url(back_to) if entry.is_pending else back_to, 303), entry)


@bp.post("/sign-out")
def sign_out() -> Response:
    """ログアウト: ends the session's row, so that a copied cookie is worthless too."""
    entrance.sign_out(member(), by=actor())
    response = redirect("/sign-in", 303)
    clear_session_cookie(response)
    flash(_("ログアウトしました。"), "ok")
    return response


@bp.route("/set-password/<token>", methods=["GET", "POST"])
@public
def set_password(token: str) -> str | Response:
    """Set a password through a mailed link. Looking uses nothing up; only the button does (security.md §4.12)."""
    form = ProvedPasswordForm() if reset.proves_email(tenant()) else SetPasswordForm()
    alive = operations.link_is_alive(token)
    if request.method != "POST" or not alive:
        page = "auth/set_password.html" if alive else "auth/dead_link.html"
        return render(page, form=form) if alive else render_invalid(page)
    if not form.validate():
        return render_invalid("auth/set_password.html", form=form)
    try:
        operations.use_set_password_link(
            tenant(), token, form.password.data, address=request.remote_addr or "", email=form.typed().get("email", "")
        )
    except RuleBroken as error:
        return refused("auth/set_password.html", form, error)
    flash(_("パスワードを設定しました。新しいパスワードでログインしてください。"), "ok")
    return redirect("/sign-in", 303)


from portal.blueprints.auth import email, forgotten, passkeys, second_step  # noqa: E402, F401 - routes on `bp`
