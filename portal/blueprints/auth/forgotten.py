"""Forgotten passwords, and "これは私ではありません" from the mail about a sign-in (COM-12, COM-14)."""

from flask import flash, redirect

from portal.blueprints.auth import bp
from portal.blueprints.auth.forms import forgotten_form
from portal.core.errors import NotFound
from portal.shared.auth import links, reset, security
from portal.shared.auth.links import Purpose
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import client, link_base, public, tenant
from portal.web.submit import Answer, submit


def _must_be_offered() -> None:
    """Where an operator resets passwords, there is no form to send (COM-12)."""
    if not reset.is_offered(tenant()):
        raise NotFound("ページが見つかりません")


@bp.route("/forgotten-password", methods=["GET", "POST"])
@public
def forgotten_password() -> Answer:
    """パスワードをお忘れの方: one answer, whoever is named (security.md §4.2); or whom to call."""
    form = forgotten_form(reset.asked(tenant()))
    if not form.is_submitted() and not reset.is_offered(tenant()):
        return render("auth/forgotten_password_operator.html")
    _must_be_offered()

    def ask() -> Answer:
        reset.ask(tenant(), reset.Forgotten(**form.typed()), client(), link_base=link_base())
        return redirect("/forgotten-password/sent", 303)

    return submit("auth/forgotten_password.html", form, ask)


@bp.get("/forgotten-password/sent")
@public
def forgotten_password_sent() -> str:
    """受付: says what happens next, and not whether there is such a member."""
    _must_be_offered()
    return render("auth/forgotten_password_sent.html")


@bp.route("/not-me/<token>", methods=["GET", "POST"])
@public
def not_me(token: str) -> Answer:
    """これは私ではありません: throws everybody out, and mails the way back in. A scanner's look changes nothing."""
    links.peek(token, Purpose.NOT_ME)

    def throw_out() -> Answer:
        security.not_me(tenant(), token, client(), link_base=link_base())
        flash(_("すべてのログインを終了しました。パスワード再設定のご案内をメールでお送りします。"), "ok")
        return redirect("/sign-in", 303)

    return submit("auth/not_me.html", Form(), throw_out)
