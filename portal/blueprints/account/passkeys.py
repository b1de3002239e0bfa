"""パスキー: which ones the member has, adding and removing them (COM-13, security.md §4.16, §4.17)."""

from typing import Any

from flask import flash, redirect
from werkzeug.wrappers import Response
from wtforms import HiddenField

from portal.blueprints.account import bp
from portal.shared.auth import passkeys as keys
from portal.web.forms import Form, line
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.requests import actor, fresh, link_base, member, tenant
from portal.web.submit import Answer, submit

PAGE = "/account/passkeys"


class PasskeyForm(Form):
    """What the member calls it, and what the browser made."""

    label = line(_l("パスキーの名前"), required=True, longest=60)
    credential = HiddenField()


@bp.route("/passkeys", methods=["GET", "POST"])
@fresh
def passkeys() -> Answer:
    """パスキー."""
    keys.must_be_on(tenant())
    form, who = PasskeyForm(), member().member_id
    answer, form.credential.data = form.credential.data or "", ""

    def register() -> Answer:
        keys.register(tenant(), who, form.label.data, answer, link_base=link_base(), by=actor())
        flash(_("パスキーを登録しました。"), "ok")
        return redirect(PAGE, 303)

    return submit("account/passkeys.html", form, register, held=keys.held(who), most=keys.MOST)


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
