"""会員情報の変更 and the password (FAC-07)."""

from typing import Any

from flask import Blueprint, flash, redirect, request
from werkzeug.wrappers import Response

from portal.blueprints.account.forms import ProfileForm
from portal.blueprints.auth.forms import ChangePasswordForm, ProofForm
from portal.core.errors import RuleBroken
from portal.shared.auth import operations, profile, proving
from portal.web.confirm import ConfirmFlow, Steps
from portal.web.errors import refused
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import actor, member, tenant
from portal.web.urls import local_path

bp = Blueprint("account", __name__, url_prefix="/account")


def _steps() -> Steps:
    who = member()

    def make(data: dict[str, Any] | None) -> ProfileForm:
        form = ProfileForm(data=data)
        if not who.is_representative:
            form.lock_account(profile.read(who.member_id))
        return form

    return Steps(
        ConfirmFlow("profile", "/account/profile"),
        "account/profile.html",
        "account/profile_confirm.html",
        make=make,
        save=lambda data: profile.save(tenant(), who.member_id, data, by=actor()),
        present=lambda: profile.read(who.member_id),
    )


@bp.route("/profile", methods=["GET", "POST"])
def profile_form() -> str | Response:
    """入力: the member's and the account's data."""
    return _steps().enter()


@bp.get("/profile/confirm")
def profile_confirm() -> str | Response:
    """内容確認: what was typed, read-only."""
    return _steps().review()


@bp.post("/profile/confirm")
def profile_save() -> Response:
    """保存: once, whatever is pressed how often; a stale save shows both values (COM-26)."""
    return _steps().finish()


@bp.get("/profile/done")
def profile_done() -> str:
    """完了."""
    return render("account/profile_done.html")


@bp.route("/password", methods=["GET", "POST"])
def password() -> str | Response:
    """パスワードの変更, and the forced one at first sign-in (COM-12)."""
    form = ChangePasswordForm()
    forced = member().must_change_password
    if request.method != "POST":
        return render("account/password.html", form=form, forced=forced)
    if not form.validate():
        return render_invalid("account/password.html", form=form, forced=forced)
    who = member()
    try:
        operations.change_password(
            tenant(), who.member_id, form.old_password.data, form.password.data, by=actor(), keep_session=who.session_id
        )
    except RuleBroken as error:
        return refused("account/password.html", form, error, forced=forced)
    flash(_("パスワードを変更しました。"), "ok")
    return redirect("/", 303)


@bp.route("/proof", methods=["GET", "POST"])
def proof() -> str | Response:
    """パスワードの確認, before what matters (security.md §4.17)."""
    form = ProofForm()
    if request.method != "POST":
        return render("account/proof.html", form=form)
    if not form.validate():
        return render_invalid("account/proof.html", form=form)
    try:
        proving.refresh(tenant(), member(), form.password.data)
    except RuleBroken as error:
        return refused("account/proof.html", form, error)
    return redirect(local_path(request.args.get("next")), 303)


from portal.blueprints.account import (  # noqa: E402 - their routes stand on `bp`
    email,  # noqa: F401
    leaving,  # noqa: F401
    passkeys,  # noqa: F401
    people,  # noqa: F401
    second_factor,  # noqa: F401
    security,  # noqa: F401
)
