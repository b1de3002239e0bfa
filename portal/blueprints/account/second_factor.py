"""二段階認証: what signing in asks for besides the password, chosen by each member (COM-13, RENT-05)."""

from typing import Any

import segno
from flask import flash, redirect
from wtforms import HiddenField, RadioField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from portal.blueprints.account import bp
from portal.blueprints.auth.forms import ProofForm
from portal.core.errors import NotFound
from portal.shared.auth import factor_choice, second_factor, totp
from portal.shared.auth.models import Factor
from portal.web.forms import line
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import actor, member, tenant
from portal.web.submit import Answer, submit

PAGE = "/account/second-factor"
_CHOICES = ((Factor.OFF, _l("利用しない")), (Factor.MAIL, _l("利用する（メールで認証コードを受け取る）")))


class ChoiceForm(ProofForm):
    """利用しない or 利用する."""

    choice = RadioField(_l("二段階認証"), validators=[InputRequired(_l("選択してください。"))])


class AppForm(ProofForm):
    """What the authenticator app shows, for the secret that `nonce` makes."""

    nonce = HiddenField()
    code = line(
        _l("認証コード"), required=True, longest=20, render_kw={"autocomplete": "one-time-code", "inputmode": "numeric"}
    )


def _offered() -> tuple[Factor, ...]:
    """What may be chosen here; where there is no second step, there is no page."""
    if not second_factor.is_offered(tenant()):
        raise NotFound("ページが見つかりません")
    return factor_choice.on_offer(tenant())


def _choice_form(offered: tuple[Factor, ...]) -> ChoiceForm:
    now = factor_choice.present(tenant(), member().member_id).factor
    form = ChoiceForm(data={"choice": now.value})
    form.choice.choices = [SelectChoice(factor.value, label) for factor, label in _CHOICES if factor in offered]
    return form


def _now(offered: tuple[Factor, ...]) -> dict[str, Any]:
    """What the page says is in use."""
    now = factor_choice.present(tenant(), member().member_id)
    return {"now": now, "has_app": Factor.TOTP in offered}


@bp.route("/second-factor", methods=["GET", "POST"])
def second_factor_page() -> Answer:
    """二段階認証: what is in use, and the choice."""
    offered = _offered()
    form = _choice_form(offered)

    def choose() -> Answer:
        chosen = Factor(form.choice.data)
        factor_choice.choose(tenant(), member().member_id, chosen, form.password.data, by=actor())
        flash(_("二段階認証の設定を変更しました。"), "ok")
        return redirect(PAGE, 303)

    return submit("account/second_factor.html", form, choose, **_now(offered))


@bp.route("/second-factor/app", methods=["GET", "POST"])
def second_factor_app() -> Answer:
    """認証アプリの設定: the QR code, and its first code before it counts."""
    if Factor.TOTP not in _offered():
        raise NotFound("ページが見つかりません")
    form = AppForm()
    if not form.is_submitted() or not totp.is_nonce(form.nonce.data or ""):
        form.nonce.data = totp.new_nonce()

    def set_up() -> Answer:
        typed = form.nonce.data, "".join(form.code.data.split()), form.password.data
        fresh = factor_choice.set_up_app(tenant(), member().member_id, *typed, by=actor())
        return render("account/recovery_codes.html", codes=fresh)

    return submit("account/second_factor_app.html", form, set_up, **_secret(form.nonce.data))


def _secret(nonce: str) -> dict[str, str]:
    """The secret for the eye of the app, and for people who type it."""
    secret = totp.secret(member().member_id, nonce)
    uri = totp.uri(secret, issuer=tenant().name, name=member().login_id or member().email)
    picture = segno.make(uri, error="m", micro=False).svg_data_uri(scale=5, border=4, light="#ffffff")
    return {"qr": picture, "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))}


@bp.route("/second-factor/recovery-codes", methods=["GET", "POST"])
def recovery_codes() -> Answer:
    """リカバリーコードの再発行."""
    _offered()
    form = ProofForm()

    def renew() -> Answer:
        fresh = factor_choice.renew_codes(tenant(), member().member_id, form.password.data, by=actor())
        return render("account/recovery_codes.html", codes=fresh)

    return submit("account/recovery_codes_renewal.html", form, renew)
