"""The second step of signing in: the page that asks for a code, and the button that mails another (COM-13, RENT-05)."""

from flask import flash, redirect, request
from werkzeug.wrappers import Response
from wtforms import BooleanField

from portal.blueprints.auth import bp
from portal.core.errors import NotFound
from portal.shared.auth import second_factor, throttling
from portal.shared.auth import second_step as step
from portal.web.errors import refused
from portal.web.forms import Form, line
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.requests import client, device_token, let_in, link_base, public, session_token, tenant
from portal.web.submit import Answer, submit
from portal.web.urls import local_path, second_step_url

_PAGE = "auth/second_step.html"


def without_spaces(value: object) -> str:
    """A filter: apps and mails show codes in groups, and people type them so."""
    return "".join(str(value or "").split())


class SecondStepForm(Form):
    """The code, and whether to leave this step out on this browser."""

    code = line(_l("認証コード"), required=True, longest=20, render_kw={"autocomplete": "one-time-code", "size": "12"})
    trust = BooleanField(_l("この端末では次回から省略する"))


def _form(waiting: step.Waiting) -> SecondStepForm:
    form = SecondStepForm()
    if not waiting.days:
        del form.trust
    return form


def _back_to() -> str:
    return local_path(request.args.get("next"))


def _must_be_offered() -> None:
    if not second_factor.is_offered(tenant()):
        raise NotFound("ページが見つかりません")


@bp.route("/sign-in/second-step", methods=["GET", "POST"])
@public
def second_step() -> Answer:
    """ワンタイムパスワード認証."""
    _must_be_offered()
    waiting = step.look(tenant(), session_token())
    form = _form(waiting)

    def finish() -> Answer:
        typed = step.Typed(without_spaces(form.code.data), trust="trust" in form and form.trust.data)
        form.code.data = ""  # a code that was tried is not shown again
        here = {"link_base": link_base(), "device_token": device_token()}
        return let_in(redirect(_back_to(), 303), step.finish(tenant(), session_token(), typed, client(), **here))

    return submit(_PAGE, form, finish, waiting=waiting, here=second_step_url(_back_to()))


@bp.post("/sign-in/second-step/send")
@public
def second_step_send() -> Response:
    """認証コードを再送する."""
    _must_be_offered()
    try:
        step.send_again(tenant(), session_token())
    except throttling.TooMany as error:
        waiting = step.look(tenant(), session_token())
        return refused(_PAGE, _form(waiting), error, waiting=waiting, here=second_step_url(_back_to()))
    flash(_("認証コードを再送しました。最新のメールに記載のコードを入力してください。"), "ok")
    return redirect(second_step_url(_back_to()), 303)
