"""変更履歴, 登録データのダウンロード, 退会 (COM-16, COM-90)."""

from typing import Any

from flask import Response, redirect, request
from wtforms import TextAreaField
from wtforms.validators import Length, Optional

from portal.blueprints.account import bp
from portal.blueprints.auth.forms import ProofForm
from portal.core import text
from portal.core.db import session
from portal.core.markdown import to_html
from portal.shared import drafts
from portal.shared.auth import history, withdrawal
from portal.shared.auth.models import Account
from portal.web import lists
from portal.web.brand import brands_of
from portal.web.errors import said
from portal.web.forms import Form, normaliser
from portal.web.i18n import lazy as _l
from portal.web.render import render
from portal.web.requests import actor, clear_session_cookie, fresh, member, public, tenant
from portal.web.submit import Answer, ConfirmFlow, submit

_NEWEST = lists.Sort("newest", "新しい順", history.AT, history.TIE)
FLOW = ConfirmFlow("withdrawal", "/account/withdrawal")


class ReasonForm(Form):
    """Why somebody leaves: theirs to say."""

    reason = TextAreaField(
        _l("退会の理由"),
        filters=[normaliser(text.multiline)],
        validators=[Optional(), Length(max=1000, message=_l("%(max)d文字以内で入力してください。"))],
    )


@bp.get("/history")
def account_history() -> str:
    """変更履歴."""
    labels = dict(history.LABELS)
    for brand in brands_of(tenant()):
        labels |= brand.history
    page = lists.paginate(
        history.of(member(), labels), _NEWEST, path="/account/history", state={}, cursor=request.args.get("page", "")
    )
    return render("account/history.html", fragment="account/_history.html", page=page, labels=labels)


@bp.route("/export", methods=["GET", "POST"])
@fresh
def export_data() -> Answer:
    """登録データのダウンロード."""
    form = Form()
    if not form.validate_on_submit():
        return render("account/export.html", form=form)
    content = withdrawal.archive(tenant(), member(), by=actor())
    session().commit()
    headers = {"Content-Disposition": 'attachment; filename="my-data.zip"'}
    return Response(content, mimetype="application/zip", headers=headers)


def _standing() -> dict[str, Any]:
    """What the pages of leaving say: the cautions, what is open, what is lost, whether it is possible."""
    account = session().get_one(Account, member().account_id)
    return {
        "cautions": to_html(tenant().texts.get("withdrawal", "")),
        "open_business": [said(what) for what in withdrawal.open_business(tenant(), account)],
        "losses": [said(what) for what in withdrawal.losses(tenant(), account)],
        "may": withdrawal.can_withdraw(tenant(), account, is_representative=member().is_representative),
    }


@bp.route("/withdrawal", methods=["GET", "POST"])
def withdrawal_form() -> Answer:
    """退会: the cautions, what is lost, the reason."""
    form = ReasonForm(data=FLOW.typed())
    return submit("account/withdrawal.html", form, lambda: FLOW.keep(form.typed()), **_standing())


@bp.route("/withdrawal/confirm", methods=["GET", "POST"])
def withdraw() -> Answer:
    """はい、退会します: the password once more, then everybody of the account is out."""
    token = request.values.get("draft", "")
    typed = drafts.recall(FLOW.kind, member().member_id, token)
    if typed is None:
        return redirect(FLOW.form_href, 303)
    form, reason = ProofForm(), typed["reason"]

    def leave() -> Answer:
        withdrawal.by_member(tenant(), member().member_id, reason, form.password.data, by=actor())
        response = redirect("/account/withdrawal/done", 303)
        clear_session_cookie(response)
        return response

    shown = {"reason": reason, "token": token, "back": FLOW.back_href(token), **_standing()}
    return submit("account/withdrawal_confirm.html", form, leave, **shown)


@bp.get("/withdrawal/done")
@public
def withdrawn() -> str:
    """完了."""
    return render("account/withdrawn.html")
