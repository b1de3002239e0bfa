"""Forgotten passwords, and "これは私ではありません" from the mail about a sign-in (COM-12, COM-14)."""

from flask import flash, redirect
from werkzeug.wrappers import Response

from portal.blueprints.auth import bp
from portal.blueprints.auth.forms import forgotten_form
from portal.core.errors import NotFound
from portal.shared.auth import reset, security, throttling
from portal.shared.auth.links import DeadLink
from portal.web.errors import refused
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import client, link_base, public, tenant

_FORM = "auth/forgotten_password.html"


def _must_be_offered() -> None:
    """Where an operator resets passwords, there is no form to send (COM-12)."""
    if not reset.is_offered(tenant()):
        raise NotFound("ページが見つかりません")


@bp.get("/forgotten-password")
@public
def forgotten_password() -> str:
    """パスワードをお忘れの方: the form, or whom to call."""
    if not reset.is_offered(tenant()):
        return render("auth/forgotten_password_operator.html")
    return render(_FORM, form=forgotten_form(reset.asked(tenant())))


@bp.post("/forgotten-password")
@public
def ask_for_reset() -> Response:
    """Ask for a link: one answer, whoever is named (security.md §4.2)."""
    _must_be_offered()
    form = forgotten_form(reset.asked(tenant()))
    if not form.validate():
        return render_invalid(_FORM, form=form)
    try:
        reset.ask(tenant(), reset.Forgotten(**form.typed()), client(), link_base=link_base())
    except throttling.TooMany as error:
        return refused(_FORM, form, error)
    return redirect("/forgotten-password/sent", 303)


@bp.get("/forgotten-password/sent")
@public
def forgotten_password_sent() -> str:
    """受付: says what happens next, and not whether there is such a member."""
    _must_be_offered()
    return render("auth/forgotten_password_sent.html")


@bp.get("/not-me/<token>")
@public
def not_me(token: str) -> str | Response:
    """これは私ではありません: what the button will do. A scanner's look changes nothing (security.md §4.12)."""
    if not security.not_me_is_alive(token):
        return render_invalid("auth/dead_link.html")
    return render("auth/not_me.html")


@bp.post("/not-me/<token>")
@public
def say_not_me(token: str) -> Response:
    """Throw everybody out, and mail the way back in."""
    try:
        security.not_me(tenant(), token, client(), link_base=link_base())
    except DeadLink:
        return render_invalid("auth/dead_link.html")
    flash(_("すべてのログインを終了しました。パスワード再設定のご案内をメールでお送りします。"), "ok")
    return redirect("/sign-in", 303)
