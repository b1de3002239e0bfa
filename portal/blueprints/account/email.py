"""メールアドレスの変更 of the member who is signed in (RENT-11, SHOP-03)."""

from flask import redirect
from werkzeug.wrappers import Response

from portal.blueprints.account import bp
from portal.blueprints.auth.forms import NewEmailForm, email_field, password_field
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.shared.auth import email_change
from portal.web.errors import refused
from portal.web.forms import Form
from portal.web.i18n import lazy as _l
from portal.web.render import render, render_invalid
from portal.web.requests import actor, fresh, link_base, member, tenant

_PAGE, _ASKING = "account/email.html", "account/email_by_old_address.html"


class EmailForm(NewEmailForm):
    """The new address, with the present one and the password."""

    present = email_field(_l("現在のメールアドレス"))
    password = password_field(_l("現在のパスワード"), "current-password")


@bp.route("/email", methods=["GET", "POST"])
def email() -> str | Response:
    """メールアドレスの変更: with present address and password, or by the old address, or by an operator."""
    if tenant().sign_in.email_change != "password":
        return redirect("/account/email/request", 303)
    form = EmailForm()
    if not form.is_submitted():
        return render(_PAGE, form=form)
    if not form.validate():
        return render_invalid(_PAGE, form=form)
    typed = form.present.data, form.password.data, form.email.data
    try:
        email_change.ask_with_password(tenant(), member().member_id, *typed, by=actor(), link_base=link_base())
    except RuleBroken as error:
        return refused(_PAGE, form, error)
    return redirect("/account/email/sent", 303)


@bp.route("/email/request", methods=["GET", "POST"])
@fresh
def email_request() -> str | Response:
    """メールアドレス変更依頼 (RENT-11)."""
    way = tenant().sign_in.email_change
    form = Form()
    if way == "password" or (way == "operator" and form.is_submitted()):
        raise NotFound("ページが見つかりません")
    if not form.is_submitted():
        return render(_ASKING, form=form, by_operator=way == "operator")
    try:
        email_change.ask_old_address(tenant(), member().member_id, by=actor(), link_base=link_base())
    except RuleBroken as error:
        return refused(_ASKING, form, error)
    session().commit()
    return redirect("/account/email/sent", 303)


@bp.get("/email/sent")
def email_sent() -> str:
    """受付: to which mailbox to look."""
    return render("account/email_sent.html", to_old=tenant().sign_in.email_change == "old_address")
