"""What a member sets for themself: password, e-mail address, mails; 変更履歴, ダウンロード, 退会
(COM-16, COM-90).
"""

from flask import Blueprint, redirect, request, url_for

from portal.core import Decision, NotFound, PageLink, session, to_html
from portal.pages.account.forms import EmailForm, ReasonForm, mail_form
from portal.pages.auth.forms import ChangePasswordForm, ProofForm
from portal.shared import notifications
from portal.shared.accounts.models import Account, Member
from portal.shared.auth import password_reset
from portal.shared.members import email_change, withdrawal
from portal.web.brand import mail_kinds
from portal.web.errors import message_of
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import Context, attachment, render
from portal.web.requests import actor, member, public, require_recent_password, tenant
from portal.web.session_cookies import clear_session_cookie, give_session
from portal.web.submit import Answer, ConfirmFlow, done, submit
from portal.web.urls import local_path

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.route("/password", methods=["GET", "POST"])
def password() -> Answer:
    """パスワードの変更, and the forced one at first sign-in (COM-12)."""
    form = ChangePasswordForm()
    who = member()

    def change() -> Answer:
        token = password_reset.change_password(
            tenant(), who, form.old_password.data, form.password.data, by=actor()
        )
        return give_session(done(_("パスワードを変更しました。"), url_for("home.top")), token)

    return submit("account/password.html", form, change, forced=who.must_change_password)


@bp.route("/proof", methods=["GET", "POST"])
def proof() -> Answer:
    """パスワードの確認, before what matters (security.md §4.17)."""
    form = ProofForm()

    def prove() -> Answer:
        token = password_reset.prove_password(tenant(), member(), form.password.data)
        return give_session(redirect(local_path(request.args.get("next")), 303), token)

    return submit("account/proof.html", form, prove)


@bp.route("/email", methods=["GET", "POST"])
def email() -> Answer:
    """メールアドレスの変更: with present address and password (SHOP-03), or by the old address, or
    by an operator.
    """
    if tenant().sign_in.email_change != "password":
        return redirect(url_for("account.email_request"), 303)
    form = EmailForm()

    def ask() -> Answer:
        email_change.ask_with_password(
            tenant(), member(), form.present.data, form.password.data, form.email.data, by=actor()
        )
        return redirect(url_for("account.email_sent"), 303)

    return submit("account/email.html", form, ask)


@bp.route("/email/request", methods=["GET", "POST"])
@require_recent_password
def email_request() -> Answer:
    """メールアドレス変更依頼 (RENT-11)."""
    way = tenant().sign_in.email_change
    form = Form()
    # Where operators change addresses the page says so, but there is nothing to send.
    if way == "password" or (way == "operator" and form.is_submitted()):
        raise NotFound("ページが見つかりません")

    def ask() -> Answer:
        email_change.ask_old_address(tenant(), member().member_id, by=actor())
        session().commit()
        return redirect(url_for("account.email_sent"), 303)

    return submit("account/email_by_old_address.html", form, ask, by_operator=way == "operator")


@bp.get("/email/sent")
def email_sent() -> str:
    """受付: to which mailbox to look."""
    return render("account/email_sent.html", to_old=tenant().sign_in.email_change == "old_address")


@bp.route("/mail", methods=["GET", "POST"])
def mail_settings() -> Answer:
    """メールの設定: which mails come at once, once a day, or not at all."""
    who = session().get_one(Member, member().member_id)
    # A kind of mail that this brand never sends is not asked about (COM-03).
    chosen_now = notifications.chosen(who)
    form = mail_form({kind: chosen_now[kind] for kind in mail_kinds(tenant())})

    def choose() -> Answer:
        chosen = {
            notifications.Kind(kind): notifications.How(how) for kind, how in form.typed().items()
        }
        notifications.choose(who, chosen, by=actor())
        return done(_("メールの設定を変更しました。"), url_for("account.mail_settings"))

    return submit("account/mail.html", form, choose)


@bp.route("/export", methods=["GET", "POST"])
@require_recent_password
def export_data() -> Answer:
    """登録データのダウンロード."""
    form = Form()
    if not form.validate_on_submit():
        return render("account/export.html", form=form)
    # A POST though it only reads: what is handed out, and to whom, stands in the trail.
    content = withdrawal.archive(tenant(), member(), by=actor())
    return attachment(content, "my-data.zip", "application/zip")


def _withdrawal_flow() -> ConfirmFlow:
    """Leaving, of the account that the member signs in for."""
    account = session().get_one(Account, member().account_id)
    return ConfirmFlow(
        kind="withdrawal", subject=account.number, form=PageLink("account.withdrawal_form")
    )


def _withdrawal_context() -> Context:
    """What the pages of leaving say: the cautions, what is open, what is lost, whether it is
    possible.
    """
    account = session().get_one(Account, member().account_id)
    return {
        "cautions": to_html(tenant().texts.get("withdrawal", "")),
        "rules": [_(sentence) for sentence in withdrawal.cautions(tenant())],
        "open_business": [
            (message_of(what.message), _(what.remedy), what.link.path)
            for what in withdrawal.open_business(tenant(), account)
        ],
        "losses": [message_of(what) for what in withdrawal.losses(tenant(), account)],
        "may": _can_withdraw(),
    }


def _can_withdraw() -> Decision:
    account = session().get_one(Account, member().account_id)
    return withdrawal.can_withdraw(tenant(), account, is_representative=member().is_representative)


@bp.route("/withdrawal", methods=["GET", "POST"])
def withdrawal_form() -> Answer:
    """退会: the cautions, what is lost, the reason."""
    flow = _withdrawal_flow()
    form = ReasonForm(data=flow.typed())

    def go_on() -> Answer:
        _can_withdraw().require()
        return flow.keep(form.typed())

    return submit("account/withdrawal.html", form, go_on, **_withdrawal_context())


@bp.route("/withdrawal/confirm", methods=["GET", "POST"])
def withdraw() -> Answer:
    """はい、退会します: the password once more, then everybody of the account is out."""
    flow = _withdrawal_flow()
    token = request.values.get("draft", "")  # in the address at first, then in the form
    typed = flow.recall(token)
    if typed is None or _can_withdraw().is_forbidden:
        return redirect(flow.form_href, 303)
    form = ProofForm()
    reason = typed["reason"]

    def leave() -> Answer:
        withdrawal.by_member(tenant(), member(), reason, form.password.data, by=actor())
        # The last page is for everybody: nobody of the account is signed in any more.
        response = redirect(url_for("account.withdrawn"), 303)
        clear_session_cookie(response)
        return response

    context: Context = {"reason": reason, "token": token, "back": flow.back_href(token)}
    context |= _withdrawal_context()
    return submit("account/withdrawal_confirm.html", form, leave, **context)


@bp.get("/withdrawal/done")
@public
def withdrawn() -> str:
    """完了."""
    return render("account/withdrawn.html")


from portal.pages.account import history, members, security  # noqa: E402, F401 - routes on `bp`
