"""メールアドレスの変更 of the member who is signed in (RENT-11, SHOP-03)."""

from flask import redirect

from portal.blueprints.account import bp
from portal.blueprints.auth.forms import NewEmailForm, email_field, password_field
from portal.core.db import session
from portal.core.errors import NotFound
from portal.shared.auth import email_change
from portal.web.forms import Form
from portal.web.i18n import lazy as _l
from portal.web.render import render
from portal.web.requests import actor, fresh, link_base, member, tenant
from portal.web.submit import Answer, submit


class EmailForm(NewEmailForm):
    """The new address, with the present one and the password."""

    present = email_field(_l("現在のメールアドレス"))
    password = password_field(_l("現在のパスワード"), "current-password")


@bp.route("/email", methods=["GET", "POST"])
def email() -> Answer:
    """メールアドレスの変更: with present address and password, or by the old address, or by an operator."""
    if tenant().sign_in.email_change != "password":
        return redirect("/account/email/request", 303)
    form = EmailForm()

    def ask() -> Answer:
        typed = form.present.data, form.password.data, form.email.data
        email_change.ask_with_password(tenant(), member().member_id, *typed, by=actor(), link_base=link_base())
        return redirect("/account/email/sent", 303)

    return submit("account/email.html", form, ask)


@bp.route("/email/request", methods=["GET", "POST"])
@fresh
def email_request() -> Answer:
    """メールアドレス変更依頼 (RENT-11)."""
    way = tenant().sign_in.email_change
    form = Form()
    if way == "password" or (way == "operator" and form.is_submitted()):
        raise NotFound("ページが見つかりません")

    def ask() -> Answer:
        email_change.ask_old_address(tenant(), member().member_id, by=actor(), link_base=link_base())
        session().commit()
        return redirect("/account/email/sent", 303)

    return submit("account/email_by_old_address.html", form, ask, by_operator=way == "operator")


@bp.get("/email/sent")
def email_sent() -> str:
    """受付: to which mailbox to look."""
    return render("account/email_sent.html", to_old=tenant().sign_in.email_change == "old_address")
