"""会員情報の変更 and the password (FAC-07)."""

from typing import Any

from flask import Blueprint, flash, redirect, request

from portal.blueprints.account.forms import ProfileForm
from portal.blueprints.auth.forms import ChangePasswordForm, ProofForm
from portal.shared.auth import operations, profile, proving
from portal.web.confirm import ConfirmFlow, Steps, add_steps
from portal.web.i18n import translate as _
from portal.web.requests import actor, member, tenant
from portal.web.submit import Answer, submit
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
        ("account/profile.html", "account/profile_confirm.html", "account/profile_done.html"),
        make=make,
        save=lambda data: profile.save(tenant(), who.member_id, data, by=actor()),
        present=lambda: profile.read(who.member_id),
    )


add_steps(bp, "/profile", "profile", _steps)


@bp.route("/password", methods=["GET", "POST"])
def password() -> Answer:
    """パスワードの変更, and the forced one at first sign-in (COM-12)."""
    form, who = ChangePasswordForm(), member()

    def change() -> Answer:
        old, new = form.old_password.data, form.password.data
        operations.change_password(tenant(), who.member_id, old, new, by=actor(), keep_session=who.session_id)
        flash(_("パスワードを変更しました。"), "ok")
        return redirect("/", 303)

    return submit("account/password.html", form, change, forced=who.must_change_password)


@bp.route("/proof", methods=["GET", "POST"])
def proof() -> Answer:
    """パスワードの確認, before what matters (security.md §4.17)."""
    form = ProofForm()

    def prove() -> Answer:
        proving.refresh(tenant(), member(), form.password.data)
        return redirect(local_path(request.args.get("next")), 303)

    return submit("account/proof.html", form, prove)


from portal.blueprints.account import (  # noqa: E402 - their routes stand on `bp`
    email,  # noqa: F401
    leaving,  # noqa: F401
    mail,  # noqa: F401
    passkeys,  # noqa: F401
    people,  # noqa: F401
    second_factor,  # noqa: F401
    security,  # noqa: F401
)
