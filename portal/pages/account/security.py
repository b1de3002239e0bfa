"""What guards a member's way in: where they are signed in, second steps, passkeys (COM-13, COM-15,
COM-90, RENT-05).
"""

import segno
from flask import url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, RadioField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from portal.core import NotFound, session
from portal.pages.account import bp
from portal.pages.auth.forms import ProofForm
from portal.shared.accounts.models import Factor, Member
from portal.shared.auth import devices as watch
from portal.shared.auth import passkeys as keys
from portal.shared.auth import second_factor as step
from portal.shared.auth import sessions
from portal.shared.auth.models import MemberSession
from portal.web.forms import Form, code_line, line
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import actor, called_by_script, member, require_recent_password, tenant
from portal.web.session_cookies import clear_session_cookie
from portal.web.submit import Answer, done, submit

_SECURITY = "account.security"
_SECOND_FACTOR = "account.second_factor_page"
_PASSKEYS = "account.passkeys"
# The authenticator app is no choice here: it is in use once it has shown its first code.
_CHOICES = (
    (Factor.OFF, _l("利用しない")),
    (Factor.MAIL, _l("利用する（メールで認証コードを受け取る）")),
)


@bp.get("/security")
def security() -> str:
    """ログイン履歴と端末."""
    who = member()
    return render(
        "account/security.html",
        places=watch.places(tenant(), who),
        devices=sessions.devices(who.member_id),
        visits=watch.visits(who.subject, who.account_id, watch.NEWEST),
        here=session().get_one(MemberSession, who.session_id),
        called=watch.browser_name,
        is_trusted=sessions.is_trusted,
        newest=watch.NEWEST,
    )


@bp.post("/security/sessions/<number>/removal")
def end_session(number: str) -> Response:
    """ログアウト of one of the member's own sessions."""
    if not watch.end_session(member(), number, by=actor()):
        return done(_("選択した端末をログアウトしました。"), url_for(_SECURITY))
    # It was this very session.
    response = done(_("ログアウトしました。"), url_for("auth.sign_in"))
    clear_session_cookie(response)
    return response


@bp.post("/security/other-sessions/removal")
def end_other_sessions() -> Response:
    """ほかの端末をすべてログアウト."""
    watch.end_other_sessions(member(), by=actor())
    return done(_("ほかの端末をすべてログアウトしました。"), url_for(_SECURITY))


@bp.post("/security/devices/<number>/removal")
def forget_device(number: str) -> Response:
    """解除 of one of the member's known browsers."""
    watch.forget_device(member(), number, by=actor())
    return done(_("端末の登録を解除しました。"), url_for(_SECURITY))


class ChoiceForm(ProofForm):
    """利用しない or 利用する."""

    choice = RadioField(_l("二段階認証"), validators=[InputRequired(_l("選択してください。"))])


class AppForm(ProofForm):
    """What the authenticator app shows, for the secret that `nonce` makes."""

    nonce = HiddenField()
    code = code_line(
        _l("認証コード"),
        required=True,
        longest=20,
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric"},
    )


def _offered() -> tuple[Factor, ...]:
    """What may be chosen here; where there is no second step, there is no page."""
    if not step.is_offered(tenant()):
        raise NotFound("ページが見つかりません")
    return step.on_offer(tenant())


@bp.route("/second-factor", methods=["GET", "POST"])
def second_factor_page() -> Answer:
    """二段階認証: what is in use, and the choice."""
    offered = _offered()
    who = session().get_one(Member, member().member_id)
    factor = step.factor_of(tenant(), who)
    form = ChoiceForm(data={"choice": factor.value})
    form.choice.choices = [
        SelectChoice(factor.value, label) for factor, label in _CHOICES if factor in offered
    ]

    def choose() -> Answer:
        step.choose(tenant(), member(), Factor(form.choice.data), form.password.data, by=actor())
        return done(_("二段階認証の設定を変更しました。"), url_for(_SECOND_FACTOR))

    return submit(
        "account/second_factor.html",
        form,
        choose,
        factor=factor,
        codes_left=step.count_recovery_codes(who.id),
        has_app=Factor.TOTP in offered,
    )


@bp.route("/second-factor/app", methods=["GET", "POST"])
def second_factor_app() -> Answer:
    """認証アプリの設定: the QR code, and its first code before it counts."""
    if Factor.TOTP not in _offered():
        raise NotFound("ページが見つかりません")
    form = AppForm()
    # The secret is made of the nonce, so a mistyped code leaves it as the app knows it already.
    if not form.is_submitted() or not step.is_nonce(form.nonce.data or ""):
        form.nonce.data = step.new_nonce()

    def set_up() -> Answer:
        code = "".join(form.code.data.split())  # apps show it in two groups
        fresh_codes = step.set_up_app(
            tenant(), member(), form.nonce.data, code, form.password.data, by=actor()
        )
        # Shown in the answer itself: a page that could be opened again would need them kept.
        return render("account/recovery_codes.html", codes=fresh_codes)

    secret = step.secret(member().member_id, form.nonce.data)
    return submit(
        "account/second_factor_app.html",
        form,
        set_up,
        qr=_qr_code(secret),
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    )


def _qr_code(secret: str) -> str:
    """The secret as the app's camera reads it: a picture in a data URI."""
    uri = step.uri(secret, issuer=tenant().name, name=member().login_id or member().email)
    # Light on purpose: many cameras read no code that is light on dark.
    code = segno.make(uri, error="m", micro=False)
    picture: str = code.svg_data_uri(scale=5, border=4, light="#ffffff")
    return picture


@bp.route("/second-factor/recovery-codes", methods=["GET", "POST"])
def recovery_codes() -> Answer:
    """リカバリーコードの再発行."""
    _offered()
    form = ProofForm()

    def renew() -> Answer:
        fresh_codes = step.renew_codes(tenant(), member(), form.password.data, by=actor())
        return render("account/recovery_codes.html", codes=fresh_codes)

    return submit("account/recovery_codes_renewal.html", form, renew)


class PasskeyForm(Form):
    """What the member calls it, and what the browser made."""

    label = line(_l("パスキーの名前"), required=True, longest=60)
    credential = HiddenField()


@bp.route("/passkeys", methods=["GET", "POST"])
@require_recent_password
def passkeys() -> Answer:
    """パスキー: which ones the member has, and a new one (security.md §4.16, §4.17)."""
    keys.must_be_on(tenant())
    form = PasskeyForm()
    who = member().member_id
    answer = form.credential.data or ""
    # Good for one challenge: the form that is shown again has to get a new one.
    form.credential.data = ""

    def register() -> Answer:
        keys.register(tenant(), who, form.label.data, answer, by=actor())
        return done(_("パスキーを登録しました。"), url_for(_PASSKEYS))

    return submit(
        "account/passkeys.html", form, register, held=keys.list_passkeys(who), most=keys.MOST
    )


@bp.post("/passkeys/options")
@require_recent_password
@called_by_script
def passkey_options() -> keys.CreationOptions:
    """What the browser makes a new one from."""
    return keys.creation_options(tenant(), member().member_id)


@bp.post("/passkeys/<number>/removal")
@require_recent_password
def remove_passkey(number: str) -> Response:
    """削除 of one of the member's own."""
    keys.remove(tenant(), member().member_id, number, by=actor())
    return done(_("パスキーを削除しました。"), url_for(_PASSKEYS))
