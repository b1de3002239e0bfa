"""会員情報の変更 and the password (FAC-07)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from werkzeug.wrappers import Response

from portal.blueprints.account.forms import ProfileForm
from portal.blueprints.auth.forms import ChangePasswordForm, ProofForm
from portal.core.db import session
from portal.core.errors import RuleBroken, Stale
from portal.shared import drafts
from portal.shared.auth import operations, profile, proving
from portal.web.confirm import ConfirmFlow
from portal.web.errors import refused
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import actor, member, tenant
from portal.web.urls import local_path

bp = Blueprint("account", __name__, url_prefix="/account")
FLOW = ConfirmFlow("profile", "/account/profile")


@bp.route("/profile", methods=["GET", "POST"])
def profile_form() -> str | Response:
    """入力: the member's and the account's data."""
    present = profile.read(member().member_id)
    form = ProfileForm(data=FLOW.typed() or present) if request.method != "POST" else ProfileForm()
    if not member().is_representative:
        form.lock_account(present)
    if request.method != "POST" or form.filled_in():
        return render("account/profile.html", form=form)
    if not form.validate():
        return render_invalid("account/profile.html", form=form)
    return FLOW.keep(form.typed())


@bp.get("/profile/confirm")
def profile_confirm() -> str | Response:
    """内容確認: what was typed, read-only, with what it changes."""
    review = FLOW.review()
    if review is None:
        return redirect(FLOW.form_href, 303)
    token, data = review
    form = ProfileForm(data=data)
    return render("account/profile_confirm.html", rows=form.rows(), token=token, back=FLOW.back_href(token))


@bp.post("/profile/confirm")
def profile_save() -> str | Response:
    """保存: once, whatever is pressed how often; a stale save shows both values (COM-26)."""

    def save(data: dict[str, Any]) -> None:
        profile.save(tenant(), member().member_id, data, by=actor())

    try:
        return FLOW.finish(save)
    except Stale:
        return _conflict()


def _conflict() -> Response:
    """Somebody else saved meanwhile: both values side by side, the typed ones kept."""
    token = request.form.get("draft", "")
    session().rollback()
    typed = drafts.recall(FLOW.kind, member().member_id, token) or {}
    present = profile.read(member().member_id)
    form = ProfileForm(
        data=typed | {"version": present["version"], "account_version": present["account_version"]}
    )
    if not member().is_representative:
        form.lock_account(present)
    both = form.differences(ProfileForm(data=present))
    response = render_invalid("account/profile.html", form=form, both=both)
    response.status_code = 409
    return response


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
            tenant(),
            who.member_id,
            form.old_password.data,
            form.password.data,
            by=actor(),
            keep_session=who.session_id,
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
