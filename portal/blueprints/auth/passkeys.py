"""Coming in with a passkey: what the browser is to sign, and what it signed (COM-13)."""

from typing import Any

from flask import flash, redirect, request
from werkzeug.wrappers import Response

from portal.blueprints.auth import bp
from portal.shared.auth import passkeys as keys
from portal.shared.auth import second_step as step
from portal.web.errors import said
from portal.web.requests import client, device_token, let_in, link_base, public, session_token, tenant
from portal.web.urls import local_path, second_step_url, sign_in_url


@bp.post("/sign-in/passkey/options")
@public
def passkey_options() -> dict[str, Any]:
    """For whoever comes."""
    return keys.to_sign(tenant(), client(), link_base=link_base())


@bp.post("/sign-in/passkey")
@public
def passkey() -> Response:
    """パスキーでログイン."""
    back_to, answer = local_path(request.args.get("next")), request.form.get("credential", "")
    try:
        entry = keys.sign_in(tenant(), answer, client(), link_base=link_base(), device_token=device_token())
    except keys.Unproved as error:
        flash(said(error), "warn")
        return redirect(sign_in_url(back_to), 303)
    return let_in(redirect(back_to, 303), entry)


@bp.post("/sign-in/second-step/passkey/options")
@public
def second_step_passkey_options() -> dict[str, Any]:
    """For the member whose second step is to come."""
    return step.to_sign(tenant(), session_token(), client(), link_base=link_base())


@bp.post("/sign-in/second-step/passkey")
@public
def second_step_passkey() -> Response:
    """パスキーで認証する."""
    back_to = local_path(request.args.get("next"))
    typed = step.Typed("", passkey=request.form.get("credential") or "-")
    try:
        entry = step.finish(
            tenant(), session_token(), typed, client(), link_base=link_base(), device_token=device_token()
        )
    except keys.Unproved as error:
        flash(said(error), "warn")
        return redirect(second_step_url(back_to), 303)
    return let_in(redirect(back_to, 303), entry)
