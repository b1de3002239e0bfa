"""What a member sets for themself: the password, the e-mail address, which mails come how."""

from flask import Blueprint, redirect, request

from portal.blueprints.account.forms import EmailForm, mail_form
from portal.blueprints.auth.forms import ChangePasswordForm, ProofForm
from portal.core.db import session
from portal.core.errors import NotFound
from portal.shared import notifications
from portal.shared.auth import email_change, operations
from portal.shared.auth.models import Member
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import actor, fresh, link_base, member, tenant
from portal.web.submit import Answer, done, submit
from portal.web.urls import local_path

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.route("/password", methods=["GET", "POST"])
def password() -> Answer:
    """パスワードの変更, and the forced one at first sign-in (COM-12)."""
    form, who = ChangePasswordForm(), member()

    def change() -> Answer:
        old, new = form.old_password.data, form.password.data
        operations.change_password(tenant(), who.member_id, old, new, by=actor(), keep_session=who.session_id)
        return done(_("パスワードを変更しました。"), "/")

    return submit("account/password.html", form, change, forced=who.must_change_password)


@bp.route("/proof", methods=["GET", "POST"])
def proof() -> Answer:
    """パスワードの確認, before what matters (security.md §4.17)."""
    form = ProofForm()

    def prove() -> Answer:
        operations.prove(tenant(), member(), form.password.data)
        return redirect(local_path(request.args.get("next")), 303)

    return submit("account/proof.html", form, prove)


@bp.route("/email", methods=["GET", "POST"])
def email() -> Answer:
    """メールアドレスの変更: with present address and password (SHOP-03), or by the old address, or by an operator."""
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


@bp.route("/mail", methods=["GET", "POST"])
def mail_settings() -> Answer:
    """メールの設定: which mails come at once, once a day, or not at all."""
    who = session().get_one(Member, member().member_id)
    form = mail_form(notifications.chosen(who))

    def choose() -> Answer:
        chosen = {notifications.Kind(kind): notifications.How(how) for kind, how in form.typed().items()}
        notifications.choose(who, chosen, by=actor())
        return done(_("メールの設定を変更しました。"), "/account/mail")

    return submit("account/mail.html", form, choose)


from portal.blueprints.account import leaving, people, security  # noqa: E402, F401 - routes on `bp`
