"""メールの設定: which mails come at once, once a day, or not at all."""

from flask import flash, redirect
from wtforms import RadioField
from wtforms.fields.choices import SelectChoice

from portal.blueprints.account import bp
from portal.core.db import session
from portal.shared import notifications
from portal.shared.auth.models import Member
from portal.shared.notifications import How, Kind
from portal.web.forms import Form
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.requests import actor, member
from portal.web.submit import Answer, submit


def _form(chosen: dict[Kind, How]) -> Form:
    ways = [SelectChoice(how.value, _l(how.label)) for how in How]
    fields = {kind.value: RadioField(_l(kind.label), choices=ways) for kind in Kind}
    made: Form = type("MailForm", (Form,), fields)(data={kind.value: how.value for kind, how in chosen.items()})
    return made


@bp.route("/mail", methods=["GET", "POST"])
def mail_settings() -> Answer:
    """One choice for each kind of mail."""
    who = session().get_one(Member, member().member_id)
    form = _form(notifications.chosen(who))

    def choose() -> Answer:
        typed = form.typed()
        notifications.choose(who, {kind: How(typed[kind.value]) for kind in Kind}, by=actor())
        session().commit()
        flash(_("メールの設定を変更しました。"), "ok")
        return redirect("/account/mail", 303)

    return submit("account/mail.html", form, choose)
