"""Coming in and going out (COM-10): password, second step, passkeys (COM-13, RENT-05), and what
mailed links open.

What is asked is the tenant's choice. Looking at a link's page changes nothing; its button does
(security.md §4.12).
"""

from collections.abc import Callable, Sequence

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
from portal.web.errors import message_of, refused
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import actor, client, member, public, tenant
from portal.web.session_cookies import clear_session_cookie, device_token, let_in, session_token
from portal.web.submit import Answer, done, submit
from portal.web.urls import local_path, second_step_url, sign_in_url

bp = Blueprint("auth", __name__)
_SECOND_STEP = "auth/second_step.html"


def _back_to() -> str:
    # Anybody can send a link to this page with any `next` in it: only paths of this host count.
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
    # Each brand asks for what tells its members apart: a login ID, an address, or both.
    form = forms.SignInForm(
        [name for name in ("login_id", "email") if name in tenant().sign_in.items]
    )
    # A form that is sent is obeyed: somebody else may sit at this browser now.
    if current_user.is_authenticated and not form.is_submitted():
        return redirect(_back_to(), 303)

    def enter() -> Answer:
        given = entrance.Credentials(**form.typed(), password=form.password.data)
        entry = entrance.sign_in(
            tenant(), given, client(), device_token=device_token(), session_token=session_token()
        )
        back_to = _back_to()
        if entry.is_pending:
            back_to = second_step_url(back_to)
        return let_in(redirect(back_to, 303), entry)

    return submit("auth/sign_in.html", form, enter)


@bp.post("/sign-out")
def sign_out() -> Response:
    """ログアウト: ends the session's row, so that a copied cookie is worthless too."""
    entrance.sign_out(member(), by=actor())
    response = _to_sign_in(_("ログアウトしました。"))
    clear_session_cookie(response)
    return response


@bp.post("/sign-in/passkey/options")
@public
def passkey_options() -> keys.RequestOptions:
    """What the browser is to sign, for whoever comes; a POST, because the challenge is kept."""
    return keys.request_options(tenant(), client())


@bp.post("/sign-in/passkey")
@public
def passkey() -> Response:
    """パスキーでログイン."""

    def enter() -> entrance.Entry:
        return entrance.by_passkey(
            tenant(),
            request.form.get("credential", ""),
            client(),
            device_token=device_token(),
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
def second_step_passkey_options() -> keys.RequestOptions:
    """For the member whose second step is to come."""
    return entrance.request_options(tenant(), session_token(), client())


@bp.post("/sign-in/second-step/passkey")
@public
def second_step_passkey() -> Response:
    """パスキーで認証する."""
    # Never empty: without a passkey, what is proved is the code.
    signed = entrance.Typed("", passkey=request.form.get("credential") or "-")

    def enter() -> entrance.Entry:
        return _finish(signed)

    return _by_passkey(enter, again=second_step_url)


def _finish(typed: entrance.Typed) -> entrance.Entry:
    return entrance.finish(tenant(), session_token(), typed, client(), device_token=device_token())


@bp.route("/sign-in/second-step", methods=["GET", "POST"])
@public
def second_step() -> Answer:
    """ワンタイムパスワード認証."""
    _must_be_offered(is_offered(tenant()))
    waiting = entrance.get_waiting(tenant(), session_token())
    form = forms.second_step_form(waiting.days)

    def finish() -> Answer:
        # Apps and mails show a code in groups, and people copy the blanks with it.
        code = "".join(form.code.data.split())
        typed = entrance.Typed(code, trust="trust" in form and form.trust.data)
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
        waiting = entrance.get_waiting(tenant(), session_token())
        return refused(
            _SECOND_STEP, forms.second_step_form(waiting.days), error, waiting=waiting, here=again
        )
    return done(
        _("認証コードを再送しました。最新のメールに記載のコードを入力してください。"), again
    )


@bp.route("/forgotten-password", methods=["GET", "POST"])
@public
def forgotten_password() -> Answer:
    """パスワードをお忘れの方 (COM-12): one answer, whoever is named (security.md §4.2); or whom to
    call.
    """
    form = forms.ForgottenForm(password_reset.asked(tenant()))
    if not form.is_submitted() and not password_reset.is_reset_offered(tenant()):
        return render("auth/forgotten_password_operator.html")
    _must_be_offered(password_reset.is_reset_offered(tenant()))

    def ask() -> Answer:
        # The form asks only for the items that this brand has; the others stay empty.
        given = password_reset.Forgotten(**form.typed())
        password_reset.ask_reset(tenant(), given, client())
        return redirect(url_for("auth.forgotten_password_sent"), 303)

    return submit("auth/forgotten_password.html", form, ask)


@bp.get("/forgotten-password/sent")
@public
def forgotten_password_sent() -> str:
    """受付: says what happens next, and not whether there is such a member."""
    _must_be_offered(password_reset.is_reset_offered(tenant()))
    return render("auth/forgotten_password_sent.html")


def _submit_behind_link(
    page: str, token: str, purposes: Sequence[Purpose], form: Form, press: Callable[[], Answer]
) -> Answer:
    """The page behind a mailed link, until its button is pressed; then what `press` answers.

    Raises DeadLink.
    """
    # Only looked at: programs that check mails for bad links open them too (security.md §4.12).
    invitation = invitations.described(tenant(), links.peek(token, *purposes))
    return submit(page, form, press, invitation=invitation)


@bp.route("/set-password/<token>", methods=["GET", "POST"])
@public
def set_password(token: str) -> Answer:
    """Set a password through a mailed link; with the e-mail address where that is a proof."""
    form: forms.SetPasswordForm = forms.SetPasswordForm()
    if password_reset.proves_email(tenant()):
        form = forms.ProvedPasswordForm()

    def press() -> Answer:
        password_reset.use_set_password_link(
            tenant(),
            token,
            form.password.data,
            address=client().address,
            email=form.typed().get("email", ""),
        )
        return _to_sign_in(_("パスワードを設定しました。新しいパスワードでログインしてください。"))

    return _submit_behind_link("auth/set_password.html", token, password_reset.SETTING, form, press)


@bp.route("/not-me/<token>", methods=["GET", "POST"])
@public
def not_me(token: str) -> Answer:
    """これは私ではありません (COM-14): throws everybody out, and mails the way back in."""

    def press() -> Answer:
        devices.not_me(tenant(), token, client())
        return _to_sign_in(
            _("すべてのログインを終了しました。パスワード再設定のご案内をメールでお送りします。")
        )

    return _submit_behind_link("auth/not_me.html", token, [Purpose.NOT_ME], Form(), press)


@bp.route("/change-email/<token>", methods=["GET", "POST"])
@public
def change_email(token: str) -> Answer:
    """Behind the old address's link: the new address is typed (RENT-11)."""
    form = forms.NewEmailForm()

    def press() -> Answer:
        email_change.name_new(tenant(), token, form.email.data, address=client().address)
        return _to_sign_in(
            _(
                "新しいメールアドレスへ確認のメールをお送りしました。"
                "メールに記載のページで変更を完了してください。"
            )
        )

    return _submit_behind_link("auth/change_email.html", token, [Purpose.CHANGE_EMAIL], form, press)


@bp.route("/prove-email/<token>", methods=["GET", "POST"])
@public
def prove_email(token: str) -> Answer:
    """Behind the new address's link: 変更する."""

    def press() -> Answer:
        email_change.confirm(tenant(), token, address=client().address)
        return _to_sign_in(_("メールアドレスを変更しました。"))

    return _submit_behind_link("auth/prove_email.html", token, [Purpose.PROVE_EMAIL], Form(), press)


@bp.route("/undo-email/<token>", methods=["GET", "POST"])
@public
def undo_email(token: str) -> Answer:
    """Behind the link that the old address was told with: 元に戻す."""

    def press() -> Answer:
        email_change.undo(tenant(), token, address=client().address)
        return _to_sign_in(
            _("メールアドレスを元に戻しました。パスワード再設定のご案内をメールでお送りします。")
        )

    return _submit_behind_link("auth/undo_email.html", token, [Purpose.UNDO_EMAIL], Form(), press)
