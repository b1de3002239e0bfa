"""What the links of a changed e-mail address open. Looking changes nothing; the button does (security.md §4.12)."""

from flask import flash, redirect
from werkzeug.wrappers import Response

from portal.blueprints.auth import bp
from portal.blueprints.auth.forms import NewEmailForm
from portal.shared.auth import email_change, links
from portal.shared.auth.links import Purpose
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.requests import client, link_base, public, tenant
from portal.web.submit import Answer, submit


@bp.route("/change-email/<token>", methods=["GET", "POST"])
@public
def change_email(token: str) -> Answer:
    """Behind the old address's link: the new address is typed (RENT-11)."""
    return _by_link(token, Purpose.CHANGE_EMAIL, NewEmailForm(), "auth/change_email.html")


@bp.route("/prove-email/<token>", methods=["GET", "POST"])
@public
def prove_email(token: str) -> Answer:
    """Behind the new address's link: 変更する."""
    return _by_link(token, Purpose.PROVE_EMAIL, Form(), "auth/prove_email.html")


@bp.route("/undo-email/<token>", methods=["GET", "POST"])
@public
def undo_email(token: str) -> Answer:
    """Behind the link that the old address was told with: 元に戻す."""
    return _by_link(token, Purpose.UNDO_EMAIL, Form(), "auth/undo_email.html")


def _by_link(token: str, purpose: Purpose, form: Form, page: str) -> Answer:
    links.peek(token, purpose)
    return submit(page, form, lambda: _do(token, purpose, form))


def _do(token: str, purpose: Purpose, form: Form) -> Response:
    who = {"address": client().address, "link_base": link_base()}
    if purpose == Purpose.CHANGE_EMAIL:
        email_change.name_new(tenant(), token, form.typed()["email"], **who)
        flash(
            _("新しいメールアドレスへ確認のメールをお送りしました。メールに記載のページで変更を完了してください。"),
            "ok",
        )
    elif purpose == Purpose.PROVE_EMAIL:
        email_change.confirm(tenant(), token, **who)
        flash(_("メールアドレスを変更しました。"), "ok")
    else:
        email_change.undo(tenant(), token, **who)
        flash(_("メールアドレスを元に戻しました。パスワード再設定のご案内をメールでお送りします。"), "ok")
    return redirect("/sign-in", 303)
