"""Coming in and going out (COM-10): password, second step, passkeys (COM-13, RENT-05), and what
mailed links open.

What is asked is the tenant's choice. Looking at a link's page changes nothing; its button does
(security.md §4.12).
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.core import NotFound, session
from portal.pages.auth import forms
from portal.shared.auth import devices, invitations, links, password_reset, throttling
from portal.shared.auth import passkeys as keys
from portal.shared.auth import sign_in as entrance
from portal.shared.auth.links import Purpose
from portal.shared.auth.second_factor import is_offered
from portal.shared.members import email_change
from portal.web import requests as here
from portal.web.errors import message_of, refused
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import client, let_in, public, session_token, tenant
from portal.web.submit import Answer, done, submit
from portal.web.urls import local_path, second_step_url, sign_in_url

bp = Blueprint("auth", __name__)
_SECOND_STEP = "auth/second_step.html"
_Press = Callable[[str, Any], str]


def _back_to() -> str:
    return local_path(request.args.get("next"))


def _must_be_offered(offered: bool) -> None:
    """Where the tenant has no such thing, there is no such page."""
    if not offered:
        raise NotFound("ページが見つかりません")


def _to_sign_in(message: str) -> Response:
    return done(message, url_for("auth.sign_in"))


@bp.errorhandler(entrance.Gone)
def _begin_again(error: entrance.Gone) -> Response:
    """No sign-in waits for its second step: to the sign-in page, and on from there to where one
    wanted to go.
    """
    if request.method == "POST":
        flash(message_of(error), "warn")
    return redirect(sign_in_url(_back_to()), 303)


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Answer:
    """ログイン."""
    form = forms.SignInForm(
        [name for name in ("login_id", "email") if name in tenant().sign_in.items]
    )
    if current_user.is_authenticated and not form.is_submitted():
        return redirect(_back_to(), 303)

    def enter() -> Answer:
        given = entrance.Credentials(**form.typed(), password=form.password.data)
        entry = entrance.sign_in(
            tenant(),
            given,
            client(),
            device_token=here.device_token(),
            session_token=session_token(),
        )
        onwards = second_step_url(_back_to()) if entry.is_pending else _back_to()
        return let_in(redirect(onwards, 303), entry)

    return submit("auth/sign_in.html", form, enter)


@bp.post("/sign-out")
def sign_out() -> Response:
    """ログアウト: ends the session's row, so that a copied cookie is worthless too."""
    entrance.sign_out(here.member(), by=here.actor())
    response = _to_sign_in(_("ログアウトしました。"))
    here.clear_session_cookie(response)
    return response


@bp.post("/sign-in/passkey/options")
@public
def passkey_options() -> dict[str, Any]:
    """What the browser is to sign, for whoever comes."""
    return keys.to_sign(tenant(), client())


@bp.post("/sign-in/passkey")
@public
def passkey() -> Response:
    """パスキーでログイン."""

    def enter() -> entrance.Entry:
        return entrance.by_passkey(
            tenant(),
            request.form.get("credential", ""),
            client(),
            device_token=here.device_token(),
            session_token=session_token(),
        )

    return _by_passkey(enter, again=sign_in_url)


def _by_passkey(enter: Callable[[], entrance.Entry], *, again: Callable[[str], str]) -> Response:
    """In by what a passkey signed, or back to where one tries again."""
    try:
        entry = enter()
    except keys.Unproved as error:
        flash(message_of(error), "warn")
        return redirect(again(_back_to()), 303)
    return let_in(redirect(_back_to(), 303), entry)


@bp.post("/sign-in/second-step/passkey/options")
@public
def second_step_passkey_options() -> dict[str, Any]:
    """For the member whose second step is to come."""
    return entrance.to_sign(tenant(), session_token(), client())


@bp.post("/sign-in/second-step/passkey")
@public
def second_step_passkey() -> Response:
    """パスキーで認証する."""
    signed = entrance.Typed("", passkey=request.form.get("credential") or "-")
    return _by_passkey(lambda: _finish(signed), again=second_step_url)


def _finish(typed: entrance.Typed) -> entrance.Entry:
    return entrance.finish(
        tenant(), session_token(), typed, client(), device_token=here.device_token()
    )


@bp.route("/sign-in/second-step", methods=["GET", "POST"])
@public
def second_step() -> Answer:
    """ワンタイムパスワード認証."""
    _must_be_offered(is_offered(tenant()))
    waiting = entrance.look(tenant(), session_token())
    form = forms.second_step_form(waiting.days)

    def finish() -> Answer:
        typed = entrance.Typed(
            "".join(form.code.data.split()), trust="trust" in form and form.trust.data
        )
        form.code.data = ""  # a code that was tried is not shown again
        return let_in(redirect(_back_to(), 303), _finish(typed))

    return submit(_SECOND_STEP, form, finish, waiting=waiting, here=second_step_url(_back_to()))


@bp.post("/sign-in/second-step/send")
@public
def second_step_send() -> Response:
    """認証コードを再送する."""
    _must_be_offered(is_offered(tenant()))
    again = second_step_url(_back_to())
    try:
        entrance.send_again(tenant(), session_token())
    except throttling.TooMany as error:
        session().rollback()  # only what was sent counts
        waiting = entrance.look(tenant(), session_token())
        return refused(
            _SECOND_STEP, forms.second_step_form(waiting.days), error, waiting=waiting, here=again
        )
    return done(
        _("認証コードを再送しました。最新のメールに記載のコードを入力してください。"), again
    )


@bp.route("/forgotten-password", methods=["GET", "POST"])
@public
def forgotten_password() -> Answer:
    """パスワードをお忘れの方 (COM-12): one answer, whoever is named (security.md §4.2); or whom to call."""
    form = forms.ForgottenForm(password_reset.asked(tenant()))
    if not form.is_submitted() and not password_reset.is_reset_offered(tenant()):
        return render("auth/forgotten_password_operator.html")
    _must_be_offered(password_reset.is_reset_offered(tenant()))

    def ask() -> Answer:
        password_reset.ask_reset(tenant(), password_reset.Forgotten(**form.typed()), client())
        return redirect(url_for("auth.forgotten_password_sent"), 303)

    return submit("auth/forgotten_password.html", form, ask)


@bp.get("/forgotten-password/sent")
@public
def forgotten_password_sent() -> str:
    """受付: says what happens next, and not whether there is such a member."""
    _must_be_offered(password_reset.is_reset_offered(tenant()))
    return render("auth/forgotten_password_sent.html")


def _behind_link(*purposes: Purpose, form: Callable[[], Any] = Form) -> Callable[[_Press], _Press]:
    """Make what is decorated the button of a mailed link's page; what it returns is said on the
    sign-in page.
    """

    def add(press: _Press) -> _Press:
        @public
        def page(token: str) -> Answer:
            invitation = invitations.described(tenant(), links.peek(token, *purposes))
            shown = form()
            return submit(
                f"auth/{press.__name__}.html",
                shown,
                lambda: _to_sign_in(press(token, shown)),
                invitation=invitation,
            )

        bp.add_url_rule(
            f"/{purposes[0].page}/<token>", press.__name__, page, methods=["GET", "POST"]
        )
        return press

    return add


def _password_form() -> Form:
    return (
        forms.ProvedPasswordForm()
        if password_reset.proves_email(tenant())
        else forms.SetPasswordForm()
    )


@_behind_link(*password_reset.SETTING, form=_password_form)
def set_password(token: str, form: Any) -> str:
    """Set a password through a mailed link."""
    who = {"address": client().address, "email": form.typed().get("email", "")}
    password_reset.use_set_password_link(tenant(), token, form.password.data, **who)
    return _("パスワードを設定しました。新しいパスワードでログインしてください。")


@_behind_link(Purpose.NOT_ME)
def not_me(token: str, _form: Form) -> str:
    """これは私ではありません (COM-14): throws everybody out, and mails the way back in."""
    devices.not_me(tenant(), token, client())
    return _("すべてのログインを終了しました。パスワード再設定のご案内をメールでお送りします。")


@_behind_link(Purpose.CHANGE_EMAIL, form=forms.NewEmailForm)
def change_email(token: str, form: Any) -> str:
    """Behind the old address's link: the new address is typed (RENT-11)."""
    email_change.name_new(tenant(), token, form.email.data, address=client().address)
    return _(
        "新しいメールアドレスへ確認のメールをお送りしました。メールに記載のページで変更を完了してください。"
    )


@_behind_link(Purpose.PROVE_EMAIL)
def prove_email(token: str, _form: Form) -> str:
    """Behind the new address's link: 変更する."""
    email_change.confirm(tenant(), token, address=client().address)
    return _("メールアドレスを変更しました。")


@_behind_link(Purpose.UNDO_EMAIL)
def undo_email(token: str, _form: Form) -> str:
    """Behind the link that the old address was told with: 元に戻す."""
    email_change.undo(tenant(), token, address=client().address)
    return _("メールアドレスを元に戻しました。パスワード再設定のご案内をメールでお送りします。")
