"""お問い合わせ without signing in (COM-53). What was typed goes along in the form: there is nobody to keep it for."""

from typing import Any

from flask import redirect, request
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField

from portal.blueprints.auth.forms import email_field
from portal.blueprints.inquiries import bp, category_named
from portal.blueprints.inquiries.forms import answers, inquiry_form
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.shared.inquiries import guests
from portal.shared.inquiries.operations import Asked, Writer
from portal.web.errors import refused
from portal.web.forms import line
from portal.web.i18n import lazy as _l
from portal.web.render import render, render_invalid
from portal.web.requests import link_base, public, tenant

_PAGE = "inquiries/guest.html"


class TrapField(StringField):  # type: ignore[misc]
    """What people do not see and programs fill in."""


def _form(category: Any) -> Any:
    """The category's form with who writes before it."""
    mine = {
        "name": line(_l("お名前"), required=True),
        "email": email_field(_l("メールアドレス")),
        "stamp": HiddenField(),
        "website": TrapField(),
        "files": None,
    }
    return inquiry_form(category, None, mine)


@bp.route("/inquiries/guest", methods=["GET", "POST"])
@public
def guest() -> str | Response:
    """入力 and 内容確認 at one address; 戻る and 送信する are its buttons."""
    if not tenant().inquiries.guests:
        raise NotFound("ページが見つかりません")
    category = category_named(request.values.get("category"))
    form, step = _form(category), request.form.get("step", "")
    shown: dict[str, Any] = {"category": category, "categories": tenant().inquiries.categories}
    if not form.is_submitted() or step == "edit":
        form.stamp.data = form.stamp.data or guests.stamp()
        return render(_PAGE, form=form, **shown)
    if not form.validate():
        return render_invalid(_PAGE, form=form, **shown)
    if step != "send":
        hidden = {name: value for name, value in request.form.items() if name not in ("csrf_token", "step")}
        return render("inquiries/guest_confirm.html", rows=form.rows(), hidden=hidden, **shown)
    try:
        _send(form, category)
    except RuleBroken as error:
        session().rollback()
        form.stamp.data = guests.stamp()
        return refused(_PAGE, form, error, **shown)
    return redirect("/inquiries/guest/done", 303)


def _send(form: Any, category: Any) -> None:
    """Once; what filled in the unseen field is thanked and forgotten."""
    if form.website.data:
        return
    typed = form.typed()
    asked = Asked(category.key, typed["body"], typed.get("about") or "", answers(category, typed))
    writer, address = Writer(typed["name"], typed["email"]), request.remote_addr or ""
    guests.ask(tenant(), writer, asked, typed["stamp"], address=address, link_base=link_base())
    session().commit()


@bp.get("/inquiries/guest/done")
@public
def guest_done() -> str:
    """完了: the number is in the mail."""
    return render("inquiries/guest_done.html")
