"""パスキー: which ones the member has, adding and removing them (COM-13, security.md §4.16, §4.17)."""

from typing import Any

from flask import flash, redirect
from werkzeug.wrappers import Response
from wtforms import HiddenField

from portal.blueprints.account import bp
from portal.core.errors import RuleBroken
from portal.shared.auth import passkeys as keys
from portal.web.errors import refused
from portal.web.forms import Form, line
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import actor, fresh, link_base, member, tenant

PAGE = "/account/passkeys"
_PAGE = "account/passkeys.html"


class PasskeyForm(Form):
    """What the member calls it, and what the browser made."""

    label = line(_l("パスキーの名前"), required=True, longest=60)
    credential = HiddenField()


@bp.route("/passkeys", methods=["GET", "POST"])
@fresh
def passkeys() -> str | Response:
    """パスキー."""
    keys.must_be_on(tenant())
    form, who = PasskeyForm(), member().member_id
    answer, form.credential.data = form.credential.data or "", ""
    try:
        if form.validate_on_submit():
            keys.register(tenant(), who, form.label.data, answer, link_base=link_base(), by=actor())
            flash(_("パスキーを登録しました。"), "ok")
            return redirect(PAGE, 303)
    except RuleBroken as error:
        return refused(_PAGE, form, error, held=keys.held(who), most=keys.MOST)
    show = render_invalid if form.is_submitted() else render
    return show(_PAGE, form=form, held=keys.held(who), most=keys.MOST)


@bp.post("/passkeys/options")
@fresh
def passkey_options() -> dict[str, Any]:
    """What the browser makes a new one from."""
    return keys.to_register(tenant(), member().member_id, link_base=link_base())


@bp.post("/passkeys/<number>/removal")
@fresh
def remove_passkey(number: str) -> Response:
    """削除 of one of the member's own."""
    keys.remove(tenant(), member().member_id, number, by=actor())
    flash(_("パスキーを削除しました。"), "ok")
    return redirect(PAGE, 303)
