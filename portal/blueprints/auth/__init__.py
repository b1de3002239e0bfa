"""Coming in and going out. What is asked is the tenant's choice (COM-10)."""

from flask import Blueprint, flash, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.blueprints.auth.forms import ProvedPasswordForm, SetPasswordForm, sign_in_form
from portal.shared.auth import links, operations, reset
from portal.shared.auth import sign_in as entrance
from portal.shared.auth.second_step import Gone
from portal.web.errors import said
from portal.web.i18n import translate as _
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
from portal.web.submit import Answer, submit
from portal.web.urls import local_path, second_step_url, sign_in_url

bp = Blueprint("auth", __name__)


@bp.errorhandler(Gone)
def _begin_again(error: Gone) -> Response:
    """No sign-in waits for its second step: to the sign-in page, and on from there to where one wanted to go."""
    if request.method == "POST":
        flash(said(error), "warn")
    return redirect(sign_in_url(local_path(request.args.get("next"))), 303)


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Answer:
    """ログイン."""
    back_to = local_path(request.args.get("next"))
    form = sign_in_form(tenant().sign_in.items)
    if current_user.is_authenticated and not form.is_submitted():
        return redirect(back_to, 303)

    def enter() -> Answer:
        given = entrance.Credentials(**form.typed(), password=form.password.data)
        entry = entrance.sign_in(tenant(), given, client(), link_base=link_base(), device_token=device_token())
        return let_in(redirect(second_step_url(back_to) if entry.is_pending else back_to, 303), entry)

    return submit("auth/sign_in.html", form, enter)


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
def set_password(token: str) -> Answer:
    """Set a password through a mailed link. Looking uses nothing up; only the button does (security.md §4.12)."""
    form = ProvedPasswordForm() if reset.proves_email(tenant()) else SetPasswordForm()
    links.peek(token, *operations.SETTING)

    def put() -> Answer:
        who = {"address": client().address, "email": form.typed().get("email", "")}
        operations.use_set_password_link(tenant(), token, form.password.data, **who)
        flash(_("パスワードを設定しました。新しいパスワードでログインしてください。"), "ok")
        return redirect("/sign-in", 303)

    return submit("auth/set_password.html", form, put)


from portal.blueprints.auth import email, forgotten, passkeys, second_step  # noqa: E402, F401 - routes on `bp`
